"""Pause, cancel, retry, resolve, reconcile: nobody gets the email twice, and nobody is lost."""

import datetime
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa
from send_scenario import TOTAL, SendScenario

from newsletter.db import read_transaction
from newsletter.db.schema import batch, event, subscriber
from newsletter.db.schema import send as send_table
from newsletter.errors import NothingToDoError, SendRefusedError
from newsletter.events.parse import Event, parse_event
from newsletter.events.store import record_events
from newsletter.sending.delivery.claim import claim_batches
from newsletter.sending.delivery.in_flight import mark_in_flight
from newsletter.sending.delivery.prepare_batch import PreparedBatch
from newsletter.sending.ledger import pause_cancel_retry
from newsletter.sending.ledger.recipient_status import (
    RECIPIENT_STATE_LABELS,
    UNCERTAIN_REASON,
    count_rejection_reasons,
    iter_recipients,
)
from newsletter.sending.ledger.reconcile import reconcile_send
from newsletter.sending.ledger.record import start_send
from newsletter.sending.ledger.resolve import find_unknown_batches, resolve_batches
from newsletter.sending.ledger.state_machine import Resolution
from newsletter.sending.ledger.status import get_send_status
from newsletter.sending.planning.frozen_content import load_frozen_email
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

ACCEPT = InjectedFault(accept=True)


class EditedSend(SendScenario):
    """A send, and what an editor and events do to it."""

    def run_with(self, *faults: InjectedFault) -> None:
        self.double.inject_faults(*faults)
        self.run()

    def resolve(self, resolution: Resolution, *numbers: int) -> str:
        send = self.send()
        batches = find_unknown_batches(self.ledger, send, numbers)
        return resolve_batches(self.ledger, send, batches, resolution)

    def event(self, number: int, attempt: int = 1, *, reader: int, late: float = 0.0) -> Event:
        """Return an event of one recipient of a batch."""
        with read_transaction(self.ledger.engine) as connection:
            batch_id = connection.scalar(sa.select(batch.c.id).where(batch.c.number == number))
        return parse_event(
            {
                "sg_event_id": f"{batch_id}-{attempt}-{reader}",
                "event": "processed",
                "timestamp": self.observer.now.timestamp() + late,
                "email": f"reader{reader}@example.com",
                "nl_send": str(self.send().id),
                "nl_batch": str(batch_id),
                "nl_attempt": str(attempt),
            }
        )

    def record(self, *events: Event) -> int:
        """Record events; return how many of them were new."""
        with self.ledger.engine.begin() as connection:
            return len(record_events(connection, events))

    def check(self, *, twice: int = 0) -> None:
        """Assert how many got the email twice, that nobody is lost, and that the plan is intact."""
        counts = Counter(email.address for email in self.double.accepted)
        assert sum(count - 1 for count in counts.values()) == twice
        status = get_send_status(self.ledger, self.send())
        assert (status.missing_recipients, sum(status.recipients_by_state.values())) == (0, TOTAL)
        load_frozen_email(self.ledger, self.send())


@pytest.fixture
def scenario(scenario: SendScenario) -> EditedSend:
    return EditedSend(**vars(scenario))


def test_paused_send_is_not_claimed_until_it_is_resumed(scenario: EditedSend) -> None:
    start_send(scenario.ledger, scenario.send())
    pause_cancel_retry.pause_send(scenario.ledger, scenario.send())
    assert claim_batches(scenario.ledger, scenario.send()) == []
    with pytest.raises(NothingToDoError, match="is paused"):
        pause_cancel_retry.pause_send(scenario.ledger, scenario.send())
    scenario.run()
    assert scenario.state() == ("done", {"accepted": TOTAL})
    scenario.check()


def test_command_on_a_send_that_changed_meanwhile_is_refused(scenario: EditedSend) -> None:
    start_send(scenario.ledger, scenario.send())
    before = scenario.send()
    pause_cancel_retry.pause_send(scenario.ledger, before)
    with pytest.raises(SendRefusedError, match="was changed by another command"):
        pause_cancel_retry.cancel_send(scenario.ledger, before)
    assert scenario.state() == ("paused", {"pending": TOTAL})


def test_cancelling_keeps_accepted_batches_and_drops_the_rest(scenario: EditedSend) -> None:
    scenario.run_with(ACCEPT, faults.error_response(403, "no"))
    assert pause_cancel_retry.cancel_send(scenario.ledger, scenario.send()) == 15
    assert scenario.state() == ("cancelled", {"accepted": 10, "dropped": 15})
    scenario.run()
    assert scenario.state() == ("cancelled", {"accepted": 10, "dropped": 15})
    scenario.check()


def test_batch_claimed_when_the_send_was_cancelled_is_never_sent(scenario: EditedSend) -> None:
    start_send(scenario.ledger, scenario.send())
    (claimed,) = claim_batches(scenario.ledger, scenario.send())
    assert pause_cancel_retry.cancel_send(scenario.ledger, scenario.send()) == TOTAL
    prepared = PreparedBatch(claimed, b"{}", (1,))
    assert mark_in_flight(scenario.ledger, [prepared]) is None
    assert scenario.state() == ("cancelled", {"dropped": TOTAL})
    scenario.check()


def test_batch_in_flight_is_recorded_even_if_the_send_was_cancelled(scenario: EditedSend) -> None:
    start_send(scenario.ledger, scenario.send())

    class Cancelling:
        """A transport during whose first request the editor cancels the send."""

        def post_mail(self, body: bytes) -> Response | NoResponse:
            if not scenario.double.accepted:
                pause_cancel_retry.cancel_send(scenario.ledger, scenario.send())
            return scenario.mailer.post_mail(body)

    scenario.run(Cancelling())
    assert scenario.state() == ("cancelled", {"accepted": 10, "dropped": 15})
    scenario.check()


def test_retry_sends_to_rejected_recipients_only_in_new_batches(scenario: EditedSend) -> None:
    rejections = [
        faults.error_response(
            400, "Does not contain a valid address.", f"personalizations.{n}.to.0.email"
        )
        for n in (2, 5)
    ]
    scenario.run_with(*rejections)
    assert scenario.state() == ("done", {"accepted": 23, "rejected": 2})
    assert pause_cancel_retry.retry_rejected(scenario.ledger, scenario.send(), 1) == 2
    assert scenario.state() == ("paused", {"accepted": 23, "pending": 2})
    scenario.run()
    assert scenario.state() == ("done", {"accepted": TOTAL})
    with pytest.raises(NothingToDoError, match="no reader"):
        pause_cancel_retry.retry_rejected(scenario.ledger, scenario.send(), 1)
    assert scenario.state()[0] == "done"
    scenario.check()


def test_rejection_reasons_are_counted_most_frequent_first(scenario: EditedSend) -> None:
    scenario.run_with(
        faults.error_response(400, "Unsubscribed.", "personalizations.2.to.0.email"),
        faults.error_response(400, "Bad address.", "personalizations.5.to.0.email"),
        faults.error_response(400, "Bad address.", "personalizations.0.to.0.email"),
    )
    with read_transaction(scenario.ledger.engine) as connection:
        reasons = count_rejection_reasons(connection, scenario.send())
    assert reasons == [("Bad address.", 2), ("Unsubscribed.", 1)]


def test_retry_skips_recipients_who_have_unsubscribed_since(scenario: EditedSend) -> None:
    scenario.run_with(faults.error_response(400, "no", "personalizations.0.to.0.email"))
    with scenario.ledger.engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 1).values(status="unsubscribed")
        )
    pause_cancel_retry.retry_rejected(scenario.ledger, scenario.send(), 10)
    scenario.run()
    assert scenario.state() == ("done", {"accepted": 24, "skipped_late": 1})
    scenario.check()


def test_only_unknown_batches_can_be_resolved(scenario: EditedSend) -> None:
    with pytest.raises(NothingToDoError, match="no batch of 2026-12-01-ice is unknown"):
        scenario.resolve("drop")
    scenario.run_with(ACCEPT, faults.lost_response())
    with pytest.raises(SendRefusedError, match="batch 1, 9 of"):
        scenario.resolve("drop", 1, 2, 9)
    shown = find_unknown_batches(scenario.ledger, scenario.send())
    assert [
        (unknown.number, unknown.recipient_count, unknown.sample_addresses[0]) for unknown in shown
    ] == [(2, 10, "reader11@example.com")]
    scenario.resolve("accepted")
    with pytest.raises(SendRefusedError, match="resolved by another command"):
        resolve_batches(scenario.ledger, scenario.send(), shown, "resend")
    assert scenario.state() == ("done", {"accepted": TOTAL})
    scenario.check()


def test_resolving_one_batch_leaves_the_other_unknown(scenario: EditedSend) -> None:
    scenario.run_with(faults.lost_response(), faults.lost_request())
    assert scenario.resolve("accepted", 1) == "needs_review"
    assert scenario.resolve("resend", 2) == "paused"
    scenario.run()
    assert scenario.state() == ("done", {"accepted": TOTAL})
    scenario.check()


def test_unknown_batch_of_a_cancelled_send_cannot_be_resent(scenario: EditedSend) -> None:
    scenario.run_with(faults.lost_request(), faults.error_response(403, "no"))
    pause_cancel_retry.cancel_send(scenario.ledger, scenario.send())
    with pytest.raises(SendRefusedError, match="was cancelled"):
        scenario.resolve("resend")
    assert scenario.resolve("drop") == "cancelled"
    assert scenario.state() == ("cancelled", {"dropped": TOTAL})


def test_one_event_proves_that_its_whole_batch_was_accepted(scenario: EditedSend) -> None:
    scenario.run_with(ACCEPT, faults.lost_response())
    event = scenario.event(2, reader=14)
    assert scenario.record(event, event) == 1
    assert scenario.record(event) == 0
    result = reconcile_send(scenario.ledger, scenario.send())
    assert (result.state, result.accepted_batches, result.accepted_recipients) == ("done", (2,), 10)
    assert scenario.state() == ("done", {"accepted": TOTAL})
    again = reconcile_send(scenario.ledger, scenario.send())
    assert (again.state, again.accepted_batches, again.accepted_recipients) == ("done", (), 0)
    scenario.check()


@pytest.mark.parametrize(
    ("number", "attempt", "reader", "late"),
    [
        (2, 2, 14, 0.0),  # an attempt that was never made
        (2, 1, 4, 0.0),  # a recipient of another batch: another newsletter's event
        (2, 1, 99, 0.0),
        (2, 1, 14, -7200.0),  # older than the attempt
        (1, 1, 4, 0.0),
    ],
)
def test_event_that_does_not_match_the_attempt_proves_nothing(
    scenario: EditedSend, number: int, attempt: int, reader: int, late: float
) -> None:
    scenario.run_with(ACCEPT, faults.lost_response())
    scenario.record(scenario.event(number, attempt, reader=reader, late=late))
    assert reconcile_send(scenario.ledger, scenario.send()).accepted_batches == ()
    assert scenario.state() == ("needs_review", {"accepted": 15, "unknown": 10})


def test_event_keeps_a_batch_from_being_resent(scenario: EditedSend) -> None:
    scenario.run_with(ACCEPT, faults.lost_response())
    scenario.resolve("resend")
    scenario.record(scenario.event(2, reader=14))
    assert reconcile_send(scenario.ledger, scenario.send()).state == "done"
    scenario.run()
    assert len(scenario.double.accepted) == TOTAL
    scenario.check()


def test_event_after_the_batch_was_resent_is_reported_as_duplicate(scenario: EditedSend) -> None:
    scenario.run_with(ACCEPT, faults.lost_response())
    scenario.resolve("resend")
    scenario.run()
    scenario.record(scenario.event(2, reader=14))
    assert reconcile_send(scenario.ledger, scenario.send()).duplicated_batches == (2,)
    assert scenario.state() == ("done", {"accepted": TOTAL})
    scenario.check(twice=10)


def test_event_resolves_a_batch_that_a_dead_sender_left_in_flight(scenario: EditedSend) -> None:
    start_send(scenario.ledger, scenario.send())
    (claimed,) = claim_batches(scenario.ledger, scenario.send())
    mark_in_flight(scenario.ledger, [PreparedBatch(claimed, b"{}", tuple(range(1, 11)))])
    scenario.record(scenario.event(1, reader=3))
    assert reconcile_send(scenario.ledger, scenario.send()).in_progress_batches == (1,)
    scenario.observer.now += scenario.ledger.lease
    assert reconcile_send(scenario.ledger, scenario.send()).accepted_batches == (1,)
    scenario.run()
    assert scenario.state() == ("done", {"accepted": TOTAL})
    scenario.check()


def test_every_recipient_has_a_status_with_its_reason(scenario: EditedSend) -> None:
    with scenario.ledger.engine.begin() as connection:
        update = sa.update(subscriber).where(subscriber.c.id == 3).values(status="unsubscribed")
        connection.execute(update)
        connection.execute(sa.delete(subscriber).where(subscriber.c.id == 21))
    scenario.run_with(
        faults.error_response(400, "bad address", "personalizations.0.to.0.email"),
        ACCEPT,
        faults.lost_response(),
    )
    with read_transaction(scenario.ledger.engine) as connection:
        statuses = {
            status.address: status for status in iter_recipients(connection, scenario.send())
        }
        missed = list(iter_recipients(connection, scenario.send(), only_missed=True))
    assert len(statuses) == TOTAL
    assert statuses["reader1@example.com"][1:] == ("rejected", 1, "bad address", "", None)
    assert statuses["reader3@example.com"].state == "skipped_late"
    assert "unsubscribed" in statuses["reader3@example.com"].reason
    assert statuses["reader2@example.com"].reason == "accepted by SendGrid"
    assert statuses["reader21@example.com"].state == "skipped_late"
    assert statuses["reader15@example.com"].reason.startswith("may or may not have it: ")
    assert {status.state for status in missed} == {"rejected", "skipped_late", "unknown"}
    assert len(missed) == 13


def test_last_event_of_each_recipient(scenario: EditedSend) -> None:
    scenario.run()
    send_id, now = scenario.send().id, scenario.observer.now
    events = [
        ("processed", 1, 0, False), ("delivered", 1, 0, False), ("open", 1, 9, True),
        ("processed", 2, 0, False), ("open", 2, 5, False), ("delivered", 2, 4, False),
        ("processed", 3, 0, False), ("deferred", 3, 1, False), ("bounce", 3, 1, False),
        ("delivered", 4, 0, False), ("no such event", 4, 1, False),
    ]  # fmt: skip
    rows = [
        {
            "sg_event_id": f"{type_}-{number}", "type": type_, "send_id": send_id, "raw": {},
            "at": now + datetime.timedelta(seconds=seconds), "is_bot": is_bot,
            "address_key": f"reader{number}@example.com",
        }
        for type_, number, seconds, is_bot in events
    ]  # fmt: skip
    other_send = {**rows[0], "sg_event_id": "other", "send_id": send_id + 1, "type": "click"}
    with scenario.ledger.engine.begin() as connection:
        connection.execute(sa.insert(event), [*rows, other_send])
    with read_transaction(scenario.ledger.engine) as connection:
        statuses = list(iter_recipients(connection, scenario.send()))
        missed = list(iter_recipients(connection, scenario.send(), only_missed=True))
    assert len(statuses) == TOTAL
    assert [status.address for status in missed] == ["reader3@example.com"]  # it bounced
    found = {status.address: (status.last_event, status.last_event_at) for status in statuses}
    seconds = [
        (type_, at and (at - now).total_seconds())
        for type_, at in (found[f"reader{number}@example.com"] for number in range(1, 6))
    ]
    assert seconds == [("delivered", 0), ("open", 5), ("bounce", 1), ("delivered", 0), ("", None)]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_last_events_are_joined_by_hashing(scenario: EditedSend) -> None:
    """PostgreSQL would read all events of a new send for each recipient."""
    engine, found = scenario.ledger.engine, []

    def show_setting(_: object, cursor: Any, statement: str, *__: object) -> None:
        if "row_number" in statement:
            found.append(cursor.connection.execute("SHOW enable_nestloop").fetchone()[0])

    sa.event.listen(engine, "before_cursor_execute", show_setting)
    with read_transaction(engine) as connection:
        assert len(list(iter_recipients(connection, scenario.send()))) == TOTAL
        after = connection.exec_driver_sql("SHOW enable_nestloop").scalar()
    assert (found, after) == (["off"], "on")


def set_recalled(scenario: EditedSend, *, before: datetime.timedelta) -> None:
    """Let SendGrid have confirmed the cancellation so long before the send's time."""
    now = scenario.observer.now
    values = {"state": "cancelled", "provider_batch_id": "b", "scheduled_at": now + before}
    with scenario.ledger.engine.begin() as connection:
        connection.execute(sa.update(send_table).values({**values, "recalled_at": now}))


def test_recipients_of_a_recalled_send_count_as_missed(scenario: EditedSend) -> None:
    scenario.run()
    set_recalled(scenario, before=datetime.timedelta(minutes=10))
    with read_transaction(scenario.ledger.engine) as connection:
        missed = list(iter_recipients(connection, scenario.send(), only_missed=True))
    reason = RECIPIENT_STATE_LABELS["recalled"].reason.format(provider="SendGrid")
    assert {status.reason for status in missed} == {reason}
    assert len(missed) == TOTAL


def test_recipients_of_a_send_recalled_too_late_may_have_it(scenario: EditedSend) -> None:
    scenario.run()
    set_recalled(scenario, before=datetime.timedelta(minutes=9, seconds=59))
    with read_transaction(scenario.ledger.engine) as connection:
        missed = list(iter_recipients(connection, scenario.send(), only_missed=True))
    assert {status.reason for status in missed} == {UNCERTAIN_REASON.format(provider="SendGrid")}
    assert len(missed) == TOTAL


def test_status_counts_add_up_to_the_total(scenario: EditedSend) -> None:
    scenario.run_with(ACCEPT, faults.lost_response(), faults.error_response(403, "unverified"))
    status = get_send_status(scenario.ledger, scenario.send())
    assert status.as_data() | {"frozen_at": None, "unknown": None} == {
        "issue": "2026-12-01-ice", "state": "blocked", "phase": "blocked",
        "total": TOTAL, "reason": "unverified", "topic": "",
        "readers": {"accepted": 10, "unknown": 10, "pending": 5},
        "batches": {"accepted": 1, "unknown": 1, "ready": 1},
        "left_out": {}, "allowed": {}, "lost": 0, "in_flight": 0, "unknown": None,
        "frozen_at": None, "scheduled_at": None, "held_by_sendgrid": False, "recalled_at": None,
        "finished_at": None, "waits_until": None, "catch_ups": [],
    }  # fmt: skip
    assert [(unknown.number, unknown.recipient_count) for unknown in status.unknown_batches] == [
        (2, 10)
    ]


def test_status_shows_when_the_next_batch_can_be_claimed(scenario: EditedSend) -> None:
    until = scenario.observer.now + datetime.timedelta(seconds=90)
    start_send(scenario.ledger, scenario.send())
    with scenario.ledger.engine.begin() as connection:
        connection.execute(sa.update(batch).values(retry_at=until))
    assert get_send_status(scenario.ledger, scenario.send()).next_claim_time == until
    assert (
        get_send_status(scenario.ledger, scenario.send()).as_data()["waits_until"]
        == "2026-12-01T09:01:30+00:00"
    )
