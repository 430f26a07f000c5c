"""A server that was promoted in an unfinished send: nothing is claimed until it is adopted."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import sqlalchemy as sa
from database_copies import TOTAL, Home
from postgres_server import Server, login_in_role

from newsletter.db import database_engine, read_transaction
from newsletter.db.identity import FAILOVER_KEY
from newsletter.db.postgresql import timeline
from newsletter.db.postgresql.timeline import TIMELINE_KEY, read_timeline
from newsletter.db.schema import (
    attempt,
    batch,
    event,
    send,
    send_recipient,
    setting,
    transactional_email,
)
from newsletter.db.stored_settings import read_setting, write_setting
from newsletter.errors import DatabaseUnavailableError, NewsletterError, SendRefusedError
from newsletter.sending.delivery.claim import ClaimedBatch, claim_batches
from newsletter.sending.delivery.in_flight import mark_in_flight
from newsletter.sending.delivery.prepare_batch import PreparedBatch
from newsletter.sending.delivery.worker_pool import MailTransport
from newsletter.sending.doctor.failover import check_failover
from newsletter.sending.ledger.copied_database import (
    FAILOVER_REASON,
    adopt,
    find_copy,
    hold_after_failover,
    hold_if_copied,
)
from newsletter.sending.ledger.heartbeat import load_heartbeats, record_heartbeat
from newsletter.sending.ledger.reconcile import reconcile_send
from newsletter.sending.ledger.record import Ledger, start_send
from newsletter.sending.ledger.resolve import find_unknown_batches, resolve_batches
from newsletter.sending.ledger.state_machine import Resolution
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.transactional_queue import enqueue_email
from newsletter.subscribers.address import parse_address

PER_BATCH = 10
REFUSED = "has failed over to another server.*newsletter db adopt --nothing-lost"


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


def fail_over(home: Home) -> None:
    """Let the noted timeline be another than the server's, as on a standby that was promoted."""
    with home.engine.begin() as connection:
        write_setting(connection, TIMELINE_KEY, "0000007F")


def ledger_of(home: Home) -> Ledger:
    """The ledger of a program that was running before the failover: nothing is held by that."""
    return Ledger(home.engine, clock=lambda _: home.observer.now)


def claim(home: Home, limit: int = 1) -> list[ClaimedBatch]:
    with read_transaction(home.engine) as connection:
        assert connection.scalar(sa.select(send.c.state)) == "running"
    return claim_batches(ledger_of(home), home.send, limit)


def set_state(home: Home, state: str) -> None:
    with home.engine.begin() as connection:
        connection.execute(sa.update(send).values(state=state, reason="by hand"))


def count_batches(home: Home) -> dict[str, int]:
    query = sa.select(batch.c.state, sa.func.count()).group_by(batch.c.state)
    with read_transaction(home.engine) as connection:
        return dict(connection.execute(query).all())


def test_a_running_program_claims_nothing_on_another_timeline(home: Home) -> None:
    frozen = home.send
    start_send(home.ledger, frozen)
    [claimed] = claim_batches(home.ledger, frozen, 1)
    fail_over(home)
    with pytest.raises(SendRefusedError, match=REFUSED):
        claim_batches(ledger_of(home), frozen, 1)
    prepared = PreparedBatch(claimed, b"{}", (1,))
    assert mark_in_flight(ledger_of(home), [prepared]) is None
    assert count_batches(home) == {"ready": 3}
    with read_transaction(home.engine) as connection:
        assert not connection.scalar(sa.select(sa.func.count()).select_from(attempt))


def test_a_running_program_starts_no_send_on_another_timeline(home: Home) -> None:
    frozen = home.send
    fail_over(home)
    with pytest.raises(SendRefusedError, match=REFUSED):
        start_send(ledger_of(home), frozen)
    assert find_copy(home.engine).is_failover  # type: ignore[union-attr]


@pytest.mark.parametrize("state", ["frozen", "running", "paused", "blocked"])
@pytest.mark.parametrize("failovers", [1, 2])
def test_held_send_goes_on_as_it_was_if_nothing_is_lost(
    home: Home, state: str, failovers: int
) -> None:
    set_state(home, state)
    for _ in range(failovers):
        fail_over(home)
        assert home.send.state == "needs_review"
    assert home.states() == {"unknown": TOTAL}
    adopt(home.engine, nothing_lost=True)
    assert (home.send.state, home.states()) == (state, {"pending": TOTAL})
    with read_transaction(home.engine) as connection:
        assert read_setting(connection, FAILOVER_KEY) is None
    home.deliver()
    assert home.states() == {"accepted": TOTAL}


def test_only_what_was_in_flight_stays_unknown_if_nothing_is_lost(home: Home) -> None:
    start_send(home.ledger, home.send)
    [claimed, _] = claim(home, 2)
    assert mark_in_flight(home.ledger, [PreparedBatch(claimed, b"{}", (1,))])
    fail_over(home)
    # Its sender may record the response: others don't hold it yet, and claim nothing.
    assert home.send.state == "running"
    assert find_copy(home.engine).is_failover  # type: ignore[union-attr]
    with pytest.raises(SendRefusedError, match=REFUSED):
        claim_batches(ledger_of(home), home.send, 1)
    hold_after_failover(home.engine, home.observer.now)
    assert home.send.state == "needs_review"
    adopt(home.engine, nothing_lost=True)
    assert count_batches(home) == {"ready": 2, "unknown": 1}
    assert home.send.state == "running"
    assert home.states() == {"pending": 15, "unknown": 10}


def test_what_is_held_stays_unknown_if_commits_are_lost(home: Home) -> None:
    fail_over(home)
    assert home.send.state == "needs_review"
    adopt(home.engine)
    assert (home.send.state, home.states()) == ("needs_review", {"unknown": TOTAL})
    assert not find_copy(home.engine)


@pytest.mark.parametrize(
    ("hours", "resolution", "expected"),
    [
        (1, "resend", "frozen"),
        (-1, "resend", "paused"),
        (1, "accepted", "paused"),
        (None, "resend", "paused"),
    ],
)
def test_send_that_is_resolved_before_its_time_keeps_it(
    home: Home, hours: int | None, resolution: Resolution, expected: str
) -> None:
    """Otherwise it would go at once, as it is resumed."""
    at = hours and home.observer.now + datetime.timedelta(hours=hours)
    with home.engine.begin() as connection:
        connection.execute(sa.update(send).values(scheduled_at=at))
    fail_over(home)
    frozen = home.send
    adopt(home.engine)
    first, *others = find_unknown_batches(home.ledger, frozen)
    resolve_batches(home.ledger, frozen, [first], resolution)
    assert resolve_batches(home.ledger, home.send, others, "resend") == expected
    assert home.send.state == expected
    assert home.send.scheduled_at == at


@pytest.mark.parametrize("nothing_lost", [False, True])
def test_event_proves_what_the_lost_commits_recorded(home: Home, nothing_lost: bool) -> None:
    """Also if the editor was wrong: then the batch is not sent again."""
    fail_over(home)
    frozen = home.send
    adopt(home.engine, nothing_lost=nothing_lost)
    with home.engine.begin() as connection:
        first = connection.scalar(sa.select(sa.func.min(batch.c.id)))
        connection.execute(
            sa.insert(event).values(
                sg_event_id="1", type="delivered", at=home.observer.now, send_id=frozen.id,
                address_key="reader1@example.com", batch_id=first, attempt_number=1, raw={},
            )
        )  # fmt: skip
    reconcile_send(home.ledger, home.send)
    assert home.states()["accepted"] == 10


def add_event(home: Home, attempt_number: int) -> None:
    """Record that the provider has delivered the email to a reader of the first batch."""
    with home.engine.begin() as connection:
        first = connection.scalar(sa.select(sa.func.min(batch.c.id)))
        connection.execute(
            sa.insert(event).values(
                sg_event_id="1", type="delivered", at=home.observer.now, send_id=home.send.id,
                address_key="reader1@example.com", batch_id=first, attempt_number=attempt_number,
                raw={},
            )
        )  # fmt: skip


@pytest.mark.parametrize("attempt_number", [1, 2])
def test_nothing_goes_on_if_an_event_proves_that_something_is_lost(
    home: Home, attempt_number: int
) -> None:
    """A worker would claim the batch before anybody reconciles it."""
    fail_over(home)
    assert home.send.state == "needs_review"
    add_event(home, attempt_number)
    with pytest.raises(SendRefusedError, match=r"events prove.*newsletter reconcile ice"):
        adopt(home.engine, nothing_lost=True)
    assert find_copy(home.engine)
    assert home.states() == {"unknown": TOTAL}
    reconcile_send(home.ledger, home.send)
    with pytest.raises(SendRefusedError, match="events prove"):
        adopt(home.engine, nothing_lost=True)
    adopt(home.engine)
    assert home.states() == {"accepted": 10, "unknown": 15}


@pytest.mark.parametrize("state", ["paused", "blocked"])
def test_released_send_says_why_it_had_stopped(home: Home, state: str) -> None:
    set_state(home, state)
    for _ in range(2):
        fail_over(home)
        assert home.send.reason == FAILOVER_REASON
    adopt(home.engine, nothing_lost=True)
    assert (home.send.state, home.send.reason) == (state, "by hand")


def test_copy_of_a_held_database_is_a_copy(home: Home, make_copy: Callable[[Home], Home]) -> None:
    """The original may be adopted and send, of which the copy knows nothing."""
    fail_over(home)
    assert home.send.state == "needs_review"
    copied_home = make_copy(home)
    adopt(home.engine, nothing_lost=True)
    home.deliver()
    assert copied_home.send.state == "needs_review"
    copied = find_copy(copied_home.engine)
    assert copied
    assert (copied.is_failover, copied.held_issues) == (False, (home.prepared.email.issue,))
    adopt(copied_home.engine, nothing_lost=True)
    assert copied_home.states() == {"unknown": TOTAL}


@dataclass
class LosingTransport:
    """Calls a function in each request, once it is accepted."""

    mailer: MailTransport
    lose: Callable[..., None]

    def post_mail(self, body: bytes) -> Response | NoResponse:
        response = self.mailer.post_mail(body)
        self.lose()
        return response


@pytest.mark.parametrize("is_noticed", [False, True])
@pytest.mark.parametrize("in_flight", [False, True])
def test_issue_of_a_lost_send_is_not_planned_again(
    home: Home, monkeypatch: pytest.MonkeyPatch, *, in_flight: bool, is_noticed: bool
) -> None:
    """A standby takes over that lacks the plan, and the first requests."""

    def lose(recipient_count: int = PER_BATCH) -> None:
        if not recipient_count:
            return
        with home.engine.begin() as connection:
            for table in (attempt, send_recipient, batch, send):
                connection.execute(sa.delete(table))
        fail_over(home)
        if is_noticed:  # by a command, which finds nothing unfinished
            assert hold_if_copied(home.engine, home.observer.now) is None

    sending = home
    if in_flight:
        sending = replace(home, mailer=LosingTransport(home.mailer, lose))
    else:
        monkeypatch.setattr(home.observer, "advance", lose)
    with pytest.raises(NewsletterError) as caught:
        sending.deliver()
    problem = caught.value.problems[-1]
    assert "does not know the send of 2026-12-01-ice any more" in problem.message
    assert find_copy(home.engine).is_failover  # type: ignore[union-attr]
    with pytest.raises(SendRefusedError, match=REFUSED):
        home.plan()
    adopt(home.engine)
    home.plan()


def test_finished_send_is_not_held_and_doctor_warns_of_the_failover(home: Home) -> None:
    home.deliver()
    fail_over(home)
    assert home.send.state == "done"
    assert not find_copy(home.engine)
    with home.engine.begin() as connection:
        [check] = check_failover(connection)
        assert "newsletter subscribers sync" in check.next_step
        later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
        write_setting(connection, "sync:bounces", later.isoformat())
        assert check_failover(connection) == []
    home.of_issue("2026-12-08-thaw").plan()


def test_single_emails_and_heartbeats_are_not_held(home: Home) -> None:
    record_heartbeat(home.ledger, "serve")
    address = parse_address("ada@example.com")
    with home.engine.begin() as connection:
        window = datetime.timedelta(hours=1)
        enqueue_email(connection, "confirm", address, {}, home.observer.now, window)
    fail_over(home)
    assert home.send.state == "needs_review"
    with read_transaction(home.engine) as connection:
        assert connection.scalar(sa.select(transactional_email.c.state)) == "ready"
    assert load_heartbeats(home.ledger)


@pytest.mark.parametrize("role", ["editor", "web", "reader"])
def test_every_role_may_ask_for_the_timeline(
    home: Home, postgres_server: Server, database_url: str, role: str
) -> None:
    """Only the editor's may hold sends; the note is not renewed before they are held."""
    with read_transaction(home.engine) as connection:
        present = read_timeline(connection)
    assert present == "00000001"
    fail_over(home)
    with (
        login_in_role(postgres_server, database_url, role) as url,
        database_engine(url, home.file) as engine,
    ):
        with read_transaction(engine) as connection:
            assert read_timeline(connection) == present
        assert hold_if_copied(engine, home.observer.now)
    expected = {"ready": 3} if role != "editor" else {"unknown": 3}
    assert count_batches(home) == expected
    with read_transaction(home.engine) as connection:
        noted = read_setting(connection, TIMELINE_KEY)
    assert (noted == present) == (role == "editor")


def test_server_that_does_not_say_its_timeline_is_sent_from(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "_TIMELINE", "pg_unknown_function()")
    with read_transaction(home.engine) as connection:
        assert read_timeline(connection) == ""
    fail_over(home)
    home.deliver()
    assert home.states() == {"accepted": TOTAL}
    with read_transaction(home.engine) as connection:
        assert read_setting(connection, TIMELINE_KEY) is None


def test_server_that_can_not_say_its_timeline_at_the_moment_keeps_the_note(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "_TIMELINE", "CAST(pg_sleep(60) AS text)")
    with home.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 20")
        with pytest.raises(DatabaseUnavailableError):
            read_timeline(connection)
        assert read_setting(connection, TIMELINE_KEY) == "00000001"
    # What a standby answers, of a server that is none: it never says.
    monkeypatch.setattr(timeline, "_TIMELINE", "CAST(currval('unreadable_event_id_seq') AS text)")
    with home.engine.begin() as connection:
        assert read_timeline(connection) == ""


def test_database_of_an_older_version_gets_a_timeline(home: Home) -> None:
    with home.engine.begin() as connection:
        connection.execute(sa.delete(setting).where(setting.c.key == TIMELINE_KEY))
    assert home.send.state == "frozen"
    with read_transaction(home.engine) as connection:
        assert read_setting(connection, TIMELINE_KEY) == "00000001"


def test_promoted_standby_is_recognized_and_a_standby_is_not(
    home: Home, standby_server: Server, open_at: Callable[[Server], sa.Engine]
) -> None:
    engine = open_at(standby_server)
    assert hold_if_copied(engine, home.observer.now) is None
    standby_server.promote()
    held = hold_if_copied(engine, home.observer.now)
    assert held
    assert (held.is_failover, held.held_issues) == (True, (home.prepared.email.issue,))
    assert home.states() == {"pending": TOTAL}


@pytest.fixture
def open_at(home: Home, request: pytest.FixtureRequest) -> Callable[[Server], sa.Engine]:
    def open_engine(server: Server) -> sa.Engine:
        name = str(home.engine.url.database)
        engine = sa.create_engine(
            sa.make_url(server.url(name)).set(drivername="postgresql+psycopg")
        )
        request.addfinalizer(engine.dispose)
        return engine

    return open_engine
