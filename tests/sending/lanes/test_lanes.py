"""A send is handed to live workers, and swept when a lane or a sender is lost."""

import datetime
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from send_scenario import SendScenario

from newsletter.db.schema import batch, provider_pause, send, worker
from newsletter.errors import SendRefusedError
from newsletter.sending.delivery.claim import claim_batches
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.lanes.lane_jobs import defer_lanes, get_queue_name, hand_over_send
from newsletter.sending.lanes.sweep import sweep
from newsletter.sending.lanes.worker_records import (
    LIVE_FOR,
    REMEMBERED_FOR,
    WorkerActivity,
    add_worker,
    get_worker_presence,
    list_workers,
    remove_worker,
    renew_worker,
    select_sending_workers,
)
from newsletter.sending.ledger.record import Ledger, stop_send
from newsletter.sending.planning.freeze_recipients import discard_send

MINUTE = datetime.timedelta(minutes=1)


def load_queues(ledger: Ledger) -> Sequence[str]:
    query = sa.text("SELECT queue_name FROM procrastinate_jobs ORDER BY id")
    with ledger.engine.connect() as connection:
        return connection.scalars(query).all()


def set_send(scenario: SendScenario, **values: object) -> None:
    with scenario.ledger.engine.begin() as connection:
        connection.execute(sa.update(send).values(values))


def set_batches(scenario: SendScenario, **values: object) -> None:
    with scenario.ledger.engine.begin() as connection:
        connection.execute(sa.update(batch).values(values))


def make_lane(scenario: SendScenario) -> BatchSender:
    return BatchSender(
        scenario.ledger, scenario.send(), scenario.prepared, scenario.mailer, scenario.observer,
        lambda: 1.0, concurrency=1, monotonic=scenario.observer.timestamp, is_lane=True,
    )  # fmt: skip


def test_a_send_is_handed_to_each_live_worker_that_takes_sends(scenario: SendScenario) -> None:
    ledger, observer = scenario.ledger, scenario.observer
    add_worker(ledger, "killed", 16)
    observer.wait(LIVE_FOR.total_seconds() + 1)
    first, second = add_worker(ledger, "first", 16), add_worker(ledger, "second", 8)
    add_worker(ledger, "periodic jobs only", 0)
    assert hand_over_send(ledger, scenario.send()) == 2
    assert scenario.send().state == "running"
    assert load_queues(ledger) == [get_queue_name(first), get_queue_name(second)]


def test_without_a_live_worker_nothing_is_done(scenario: SendScenario) -> None:
    assert hand_over_send(scenario.ledger, scenario.send()) == 0
    assert scenario.send().state == "frozen"
    assert load_queues(scenario.ledger) == []


def test_a_send_that_was_handed_to_a_dead_worker_goes_on_with_another(
    scenario: SendScenario,
) -> None:
    ledger, observer = scenario.ledger, scenario.observer
    add_worker(ledger, "killed a moment ago", 16)
    observer.now += LIVE_FOR
    assert hand_over_send(ledger, scenario.send()) == 1
    claim_batches(ledger, scenario.send(), 1)
    observer.wait(ledger.lease.total_seconds())
    assert get_worker_presence(ledger) == "lost"
    second = add_worker(ledger, "second", 16)
    assert get_worker_presence(ledger) == "live"
    assert sweep(ledger).lanes == 1
    assert load_queues(ledger)[-1] == get_queue_name(second)
    make_lane(scenario).run()
    assert scenario.state() == ("done", {"accepted": scenario.total})


@pytest.mark.parametrize(
    ("seen", "presence"),
    [
        (-REMEMBERED_FOR - MINUTE, "none"),
        (-LIVE_FOR - MINUTE, "lost"),
        (-LIVE_FOR, "live"),
        (datetime.timedelta(seconds=3), "live"),
        # By the clock of the server that the database was restored from.
        (MINUTE, "lost"),
    ],
)
def test_a_worker_is_live_if_it_was_seen_lately(
    scenario: SendScenario, seen: datetime.timedelta, presence: str
) -> None:
    ledger = scenario.ledger
    assert get_worker_presence(ledger) == "none"
    add_worker(ledger, "periodic jobs only", 0)
    assert get_worker_presence(ledger) == "other"
    add_worker(ledger, "first", 16)
    with ledger.engine.begin() as connection:
        connection.execute(sa.update(worker).values(seen_at=scenario.observer.now + seen))
    assert get_worker_presence(ledger) == presence


def test_a_send_that_is_refused_wakes_nobody(scenario: SendScenario) -> None:
    add_worker(scenario.ledger, "first", 16)
    replaced = scenario.send()
    discard_send(scenario.ledger, replaced)
    with pytest.raises(SendRefusedError, match=r"planned .* again"):
        hand_over_send(scenario.ledger, replaced)
    assert load_queues(scenario.ledger) == []


@pytest.mark.parametrize(
    ("send_values", "batch_values", "lanes"),
    [
        ({"state": "running"}, {}, 1),
        ({"state": "running"}, {"retry_at": -MINUTE}, 1),
        ({"state": "running"}, {"retry_at": MINUTE}, 0),
        ({"state": "running"}, {"available_at": MINUTE}, 0),
        # Another sender has them, and is alive; or it isn't, and the sweep takes them over.
        ({"state": "running"}, {"state": "claimed", "lease_until": MINUTE}, 0),
        ({"state": "running"}, {"state": "claimed", "lease_until": -MINUTE}, 1),
        # Nothing is left to send, and nobody has recorded the end.
        ({"state": "running"}, {"state": "accepted"}, 1),
        ({"state": "paused"}, {}, 0),
        ({"state": "blocked"}, {}, 0),
        ({"state": "cancelled"}, {}, 0),
        ({"state": "done"}, {"state": "accepted"}, 0),
        ({"state": "frozen"}, {}, 0),
        ({"state": "frozen", "scheduled_at": MINUTE}, {}, 0),
        ({"state": "frozen", "scheduled_at": -MINUTE}, {}, 1),
        # SendGrid holds it: the editor's command hands it over.
        ({"state": "frozen", "scheduled_at": -MINUTE, "provider_batch_id": "held"}, {}, 0),
    ],
)
def test_a_sweep_wakes_workers_for_what_can_be_sent(
    scenario: SendScenario, send_values: dict[str, Any], batch_values: dict[str, Any], lanes: int
) -> None:
    now = scenario.observer.now

    def at(values: dict[str, Any]) -> dict[str, Any]:
        return {
            name: now + value if isinstance(value, datetime.timedelta) else value
            for name, value in values.items()
        }

    add_worker(scenario.ledger, "first", 16)
    set_send(scenario, **at(send_values))
    if batch_values:
        set_batches(scenario, **at(batch_values))
    assert sweep(scenario.ledger).lanes == lanes
    assert sweep(scenario.ledger).lanes == 0, "a lane that waits is not missing"
    assert len(load_queues(scenario.ledger)) == lanes


def test_a_sweep_wakes_nobody_while_the_provider_wants_a_pause(scenario: SendScenario) -> None:
    add_worker(scenario.ledger, "first", 16)
    set_send(scenario, state="running")
    with scenario.ledger.engine.begin() as connection:
        paused_until = scenario.observer.now + MINUTE
        connection.execute(sa.insert(provider_pause).values(id=1, paused_until=paused_until))
    assert sweep(scenario.ledger).lanes == 0
    scenario.observer.wait(61)
    renew_worker(scenario.ledger, 1, WorkerActivity())
    assert sweep(scenario.ledger).lanes == 1


def test_a_sweep_makes_the_requests_of_a_dead_sender_unknown(scenario: SendScenario) -> None:
    set_send(scenario, state="running")
    expired = scenario.observer.now - MINUTE
    with scenario.ledger.engine.begin() as connection:
        one_batch = sa.select(sa.func.min(batch.c.id)).scalar_subquery()
        connection.execute(
            sa.update(batch)
            .where(batch.c.id == one_batch)
            .values(state="in_flight", lease_until=expired)
        )
    assert sweep(scenario.ledger).unknown_recipients == 10
    assert scenario.recipients_by_state() == {"unknown": 10, "pending": 15}


def test_a_sweep_deletes_the_lanes_of_workers_that_are_gone(scenario: SendScenario) -> None:
    ledger = scenario.ledger
    gone, live = add_worker(ledger, "gone", 16), add_worker(ledger, "live", 16)
    hand_over_send(ledger, scenario.send())
    assert load_queues(ledger) == [get_queue_name(gone), get_queue_name(live)]
    remove_worker(ledger, gone)
    sweep(ledger)
    assert load_queues(ledger) == [get_queue_name(live)]


def test_sweeps_at_the_same_time_wake_each_worker_once(scenario: SendScenario) -> None:
    ledger = scenario.ledger
    worker_ids = [add_worker(ledger, "first", 16), add_worker(ledger, "second", 16)]
    set_send(scenario, state="running")
    with ThreadPoolExecutor() as pool:
        with ledger.engine.begin() as connection:
            assert defer_lanes(connection, scenario.send().id, worker_ids[:1]) == 1
            other = pool.submit(sweep, ledger)
            wait_for_waiting_lock(connection)
        assert other.result().lanes == 1
    assert load_queues(ledger) == [get_queue_name(worker_id) for worker_id in worker_ids]


def wait_for_waiting_lock(connection: sa.Connection) -> None:
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    while not connection.scalar(waiting):
        pass


def test_a_lane_sends_and_finishes_what_was_handed_over(scenario: SendScenario) -> None:
    add_worker(scenario.ledger, "first", 16)
    hand_over_send(scenario.ledger, scenario.send())
    make_lane(scenario).run()
    assert scenario.state() == ("done", {"accepted": scenario.total})
    scenario.check()


@pytest.mark.parametrize("state", ["paused", "blocked", "cancelled"])
def test_a_lane_resumes_nothing(scenario: SendScenario, state: str) -> None:
    set_send(scenario, state="running")
    stop_send(scenario.ledger, scenario.send(), state, "by the editor")
    make_lane(scenario).run()
    assert scenario.state() == (state, {"pending": scenario.total})


def test_a_lane_that_is_asked_to_stop_leaves_the_send_to_the_others(
    scenario: SendScenario,
) -> None:
    set_send(scenario, state="running")
    scenario.observer.stop_requested = True
    make_lane(scenario).run()
    assert scenario.state() == ("running", {"pending": scenario.total})


def test_a_lane_ends_while_others_hold_the_rest(scenario: SendScenario) -> None:
    set_send(scenario, state="running")
    assert len(claim_batches(scenario.ledger, scenario.send(), 2)) == 2
    before = scenario.observer.now
    make_lane(scenario).run()
    assert scenario.state() == ("running", {"accepted": 5, "pending": 20})
    assert scenario.observer.now == before, "it waited for the others"


def test_records_of_workers(ledger: Ledger, observer: Any) -> None:
    first, second = add_worker(ledger, "first", 16), add_worker(ledger, "second", 0)
    assert renew_worker(ledger, first, WorkerActivity(3, 2500, 1.5))
    records = list_workers(ledger)
    assert [(record.id, record.name, record.activity) for record in records] == [
        (first, "first", WorkerActivity(3, 2500, 1.5)),
        (second, "second", WorkerActivity()),
    ]
    assert [record.id for record in select_sending_workers(records)] == [first]
    observer.wait(LIVE_FOR.total_seconds() + 1)
    assert [record.is_live for record in list_workers(ledger)] == [False, False]
    remove_worker(ledger, first)
    assert not renew_worker(ledger, first, WorkerActivity())
    # It could not reach the database for so long; its loop still takes jobs of its queue.
    assert add_worker(ledger, "first", 16, worker_id=first) == first
    assert [record.id for record in select_sending_workers(list_workers(ledger))] == [first]
    observer.wait(REMEMBERED_FOR.total_seconds() + LIVE_FOR.total_seconds() + 2)
    third = add_worker(ledger, "third", 16)
    assert third > second, "its queue may hold jobs"
    with ledger.engine.connect() as connection:
        assert connection.scalars(sa.select(worker.c.id)).all() == [third]
