"""The status of a running send: quick to read, and right."""

import pytest
import sqlalchemy as sa
from send_scenario import TOTAL, SendScenario

from newsletter.db.schema import batch, send, send_recipient
from newsletter.sending.ledger import status as status_module
from newsletter.sending.ledger.status import (
    LEFT_OUT_STATES,
    count_open_recipients,
    get_send_status,
)


def set_recipients(scenario: SendScenario, first: int, last: int, state: str) -> None:
    with scenario.ledger.engine.begin() as connection:
        is_meant = send_recipient.c.subscriber_id.between(first, last)
        error = "a reason" if state in LEFT_OUT_STATES else ""
        connection.execute(
            sa.update(send_recipient).where(is_meant).values(state=state, error=error)
        )


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


def test_recipients_of_a_large_send_are_counted_by_batches_once_it_is_over(
    scenario: SendScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_module, "LARGE_SEND_RECIPIENTS", TOTAL)
    for number, (first, last, state) in enumerate(
        [(1, 10, "accepted"), (11, 20, "unknown"), (21, TOTAL, "rejected")], start=1
    ):
        set_batch(scenario, number, state)
        set_recipients(scenario, first, last, state)
    set_recipients(scenario, 3, 3, "skipped_late")
    set_send(scenario, "needs_review")
    expected = {"accepted": 9, "skipped_late": 1, "unknown": 10, "rejected": 5}
    assert scenario.recipients_by_state() == expected
    status = get_send_status(scenario.ledger, scenario.send())
    assert status.recipients_by_state == expected
    with scenario.ledger.engine.begin() as connection:  # it is not read
        connection.execute(sa.delete(send_recipient).where(send_recipient.c.subscriber_id == 7))
    assert get_send_status(scenario.ledger, scenario.send()).recipients_by_state == expected


@pytest.mark.parametrize("state", LEFT_OUT_STATES)
def test_nobody_is_left_out_without_a_reason(scenario: SendScenario, state: str) -> None:
    without_reason = sa.update(send_recipient).values(state=state)
    with (
        pytest.raises(sa.exc.IntegrityError, match="ck_send_recipient_reason"),
        scenario.ledger.engine.begin() as connection,
    ):
        connection.execute(without_reason)


def test_refused_recipients_that_are_retried_are_pending(scenario: SendScenario) -> None:
    for number in (1, 2, 3):
        set_batch(scenario, number, "rejected")
    set_recipients(scenario, 1, 20, "rejected")
    set_recipients(scenario, 21, TOTAL, "accepted")
    set_send(scenario, "running")
    status = get_send_status(scenario.ledger, scenario.send())
    assert status.recipients_by_state == {"accepted": 5, "rejected": 20}
    with scenario.ledger.engine.begin() as connection:
        connection.execute(sa.update(batch).where(batch.c.number < 3).values(state="ready"))
    set_recipients(scenario, 1, 20, "pending")
    status = get_send_status(scenario.ledger, scenario.send())
    assert status.recipients_by_state == {"accepted": 5, "pending": 20}


def test_a_recipient_without_a_record_is_told_once_the_send_stops(scenario: SendScenario) -> None:
    with scenario.ledger.engine.begin() as connection:
        connection.execute(sa.delete(send_recipient).where(send_recipient.c.subscriber_id == 7))
    set_send(scenario, "paused")
    assert get_send_status(scenario.ledger, scenario.send()).missing_recipients == 1
