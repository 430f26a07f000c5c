"""The status of a running send: quick to read, and right."""

import datetime

import sqlalchemy as sa
from send_scenario import TOTAL, SendScenario

from newsletter.db.schema import batch, send, send_recipient
from newsletter.sending.ledger.status import (
    RECOUNT_INTERVAL,
    count_open_recipients,
    get_send_status,
)


def set_recipients(scenario: SendScenario, first: int, last: int, state: str) -> None:
    with scenario.ledger.engine.begin() as connection:
        is_meant = send_recipient.c.subscriber_id.between(first, last)
        connection.execute(sa.update(send_recipient).where(is_meant).values(state=state))


def set_batch(scenario: SendScenario, number: int, state: str) -> None:
    with scenario.ledger.engine.begin() as connection:
        changed = sa.update(batch).where(batch.c.number == number)
        connection.execute(changed.values(state=state, fence=1))


def set_send(scenario: SendScenario, state: str) -> None:
    with scenario.ledger.engine.begin() as connection:
        connection.execute(sa.update(send).values(state=state))


def test_recipients_of_a_running_send_are_counted_by_batches(scenario: SendScenario) -> None:
    set_send(scenario, "running")
    assert get_send_status(scenario.ledger, scenario.send()).recipients_by_state == {
        "pending": TOTAL
    }
    set_batch(scenario, 1, "accepted")
    set_recipients(scenario, 1, 10, "accepted")
    set_recipients(scenario, 3, 3, "skipped_late")
    set_batch(scenario, 2, "in_flight")
    set_recipients(scenario, 12, 13, "rejected")
    status = get_send_status(scenario.ledger, scenario.send())
    assert status.recipients_by_state == scenario.recipients_by_state()
    assert status.recipients_by_state == {
        "accepted": 9, "skipped_late": 1, "rejected": 2, "pending": 13
    }  # fmt: skip
    assert count_open_recipients(scenario.ledger, scenario.send()) == 13
    set_batch(scenario, 2, "unknown")
    set_recipients(scenario, 14, 20, "unknown")
    set_recipients(scenario, 11, 11, "unknown")
    status = get_send_status(scenario.ledger, scenario.send())
    assert status.recipients_by_state == scenario.recipients_by_state()
    assert [(item.number, item.recipient_count) for item in status.unknown_batches] == [(2, 8)]


def test_who_was_left_out_is_counted_again_after_a_while_and_at_the_end(
    scenario: SendScenario,
) -> None:
    set_send(scenario, "running")
    status = get_send_status(scenario.ledger, scenario.send())
    set_batch(scenario, 1, "accepted")
    set_recipients(scenario, 1, 10, "accepted")
    set_recipients(scenario, 3, 3, "skipped_late")
    exact = {"accepted": 9, "skipped_late": 1, "pending": 15}
    scenario.observer.now += RECOUNT_INTERVAL - datetime.timedelta(seconds=1)
    status = get_send_status(scenario.ledger, scenario.send(), status)
    assert status.recipients_by_state == {"accepted": 10, "pending": 15}
    scenario.observer.now += datetime.timedelta(seconds=1)
    later = get_send_status(scenario.ledger, scenario.send(), status)
    assert later.recipients_by_state == exact
    set_send(scenario, "paused")
    paused = get_send_status(scenario.ledger, scenario.send(), status)
    assert paused.recipients_by_state == exact
    assert paused.missing_recipients == 0


def test_refused_recipients_that_are_retried_are_not_counted_twice(scenario: SendScenario) -> None:
    for number in (1, 2, 3):
        set_batch(scenario, number, "rejected")
    set_recipients(scenario, 1, 20, "rejected")
    set_recipients(scenario, 21, TOTAL, "accepted")
    for state_before in ("done", "running"):
        set_send(scenario, state_before)
        recent = get_send_status(scenario.ledger, scenario.send())
        with scenario.ledger.engine.begin() as connection:
            connection.execute(sa.update(batch).where(batch.c.number < 3).values(state="ready"))
        set_recipients(scenario, 1, 20, "pending")
        set_send(scenario, "running")
        status = get_send_status(scenario.ledger, scenario.send(), recent)
        assert status.recipients_by_state == {"accepted": 5, "pending": 20}
        set_recipients(scenario, 1, 20, "rejected")
        set_batch(scenario, 1, "rejected")
        set_batch(scenario, 2, "rejected")


def test_a_recipient_without_a_record_is_told_once_the_send_stops(scenario: SendScenario) -> None:
    with scenario.ledger.engine.begin() as connection:
        connection.execute(sa.delete(send_recipient).where(send_recipient.c.subscriber_id == 7))
    set_send(scenario, "paused")
    assert get_send_status(scenario.ledger, scenario.send()).missing_recipients == 1
