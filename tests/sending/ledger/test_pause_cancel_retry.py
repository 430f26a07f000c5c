"""Pause, cancel, retry and settle on both databases, against the double; nobody twice or lost."""

import datetime
from collections import Counter
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from sending_fixtures import MakeReaders, Subscribe, World

from newsletter.db import read_transaction
from newsletter.db.schema import batch, subscriber
from newsletter.errors import SendRefusedError
from newsletter.events.parse import Event, parse_event
from newsletter.events.store import record_events
from newsletter.sending.delivery import claim
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.ledger import pause_cancel_retry
from newsletter.sending.ledger.recipient_status import RECALLED_REASON, iter_recipients
from newsletter.sending.ledger.reconcile import reconcile_send
from newsletter.sending.ledger.record import (
    Ledger,
    Send,
    count_recipients_by_state,
    get_send,
    start_send,
)
from newsletter.sending.ledger.resolve import find_unknown_batches, resolve_batches
from newsletter.sending.ledger.state_machine import Resolution
from newsletter.sending.ledger.status import get_send_status
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.planning.frozen_content import load_frozen_email
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.payload import PreparedEmail
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

TOTAL = 25
TAKEN = InjectedFault(accept=True)


@dataclass
class Desk:
    """A frozen send of 25 readers in batches of ten."""

    ledger: Ledger
    letter: PreparedEmail
    mailer: SendGridClient
    world: World
    double: FakeSendGrid

    def send(self) -> Send:
        found = get_send(self.ledger, self.letter.email.issue)
        assert found is not None
        return found

    def run(self, *faults: InjectedFault) -> None:
        self.double.inject_faults(*faults)
        BatchSender(
            self.ledger, self.send(), self.letter, self.mailer, self.world,
            jitter=lambda: 1.0, concurrency=1,
        ).run()  # fmt: skip

    def state(self) -> tuple[str, dict[str, int]]:
        return self.send().state, count_recipients_by_state(self.ledger, self.send())

    def settle(self, how: Resolution, *numbers: int) -> str:
        of = self.send()
        return resolve_batches(self.ledger, of, find_unknown_batches(self.ledger, of, numbers), how)

    def event(self, number: int, attempt: int = 1, *, reader: int, late: float = 0.0) -> Event:
        """What the vendor says of one reader of a batch."""
        with read_transaction(self.ledger.engine) as connection:
            id_ = connection.scalar(sa.select(batch.c.id).where(batch.c.number == number))
        return parse_event(
            {
                "sg_event_id": f"{id_}-{attempt}-{reader}",
                "event": "processed",
                "timestamp": self.world.now.timestamp() + late,
                "email": f"reader{reader}@example.com",
                "nl_send": str(self.send().id),
                "nl_batch": str(id_),
                "nl_attempt": str(attempt),
            }
        )

    def record(self, *events: Event) -> int:
        """How many of them were new."""
        with self.ledger.engine.begin() as connection:
            return len(record_events(connection, events))

    def check(self, *, twice: int = 0) -> None:
        """Nobody twice but whom the editor said, nobody lost; the plan still holds."""
        times = Counter(one.address for one in self.double.accepted)
        assert sum(count - 1 for count in times.values()) == twice
        status = get_send_status(self.ledger, self.send())
        assert (status.missing_recipients, sum(status.recipients_by_state.values())) == (0, TOTAL)
        load_frozen_email(self.ledger, self.send())


@pytest.fixture
def desk(  # noqa: PLR0917 - fixtures
    ledger: Ledger,
    letter: PreparedEmail,
    mailer: SendGridClient,
    world: World,
    double: FakeSendGrid,
    subscribe: Subscribe,
    make_readers: MakeReaders,
) -> Desk:
    subscribe(make_readers(TOTAL))
    freeze_send(ledger, letter)
    return Desk(ledger, letter, mailer, world, double)


def test_a_paused_send_is_claimed_by_nobody_until_it_goes_on(desk: Desk) -> None:
    start_send(desk.ledger, desk.send())
    pause_cancel_retry.pause_send(desk.ledger, desk.send())
    assert claim.claim_batches(desk.ledger, desk.send()) == []
    with pytest.raises(SendRefusedError, match="is paused"):
        pause_cancel_retry.pause_send(desk.ledger, desk.send())
    desk.run()
    assert desk.state() == ("done", {"accepted": TOTAL})
    desk.check()


def test_a_command_on_a_send_that_has_moved_meanwhile_changes_nothing(desk: Desk) -> None:
    start_send(desk.ledger, desk.send())
    before = desk.send()
    pause_cancel_retry.pause_send(desk.ledger, before)
    with pytest.raises(SendRefusedError, match="no longer what it was"):
        pause_cancel_retry.cancel_send(desk.ledger, before)
    assert desk.state() == ("paused", {"pending": TOTAL})


def test_a_cancelled_send_keeps_what_has_left_and_gives_up_the_rest(desk: Desk) -> None:
    desk.run(TAKEN, faults.error_response(403, "no"))
    assert pause_cancel_retry.cancel_send(desk.ledger, desk.send()) == 15
    assert desk.state() == ("cancelled", {"accepted": 10, "dropped": 15})
    desk.run()
    assert desk.state() == ("cancelled", {"accepted": 10, "dropped": 15})
    desk.check()


def test_a_batch_that_was_claimed_when_the_send_was_cancelled_never_leaves(desk: Desk) -> None:
    start_send(desk.ledger, desk.send())
    (held,) = claim.claim_batches(desk.ledger, desk.send())
    assert pause_cancel_retry.cancel_send(desk.ledger, desk.send()) == TOTAL
    parcel = claim.PreparedBatch(held, b"{}", (1,))
    assert claim.mark_in_flight(desk.ledger, [parcel]) is None
    assert desk.state() == ("cancelled", {"dropped": TOTAL})
    desk.check()


def test_a_batch_in_flight_counts_even_if_the_send_was_cancelled(desk: Desk) -> None:
    start_send(desk.ledger, desk.send())

    class Cancelling:
        """The editor cancels while the first request is on its way."""

        def post_mail(self, body: bytes) -> object:
            if not desk.double.accepted:
                pause_cancel_retry.cancel_send(desk.ledger, desk.send())
            return desk.mailer.post_mail(body)

    BatchSender(
        desk.ledger, desk.send(), desk.letter, Cancelling(), desk.world,  # type: ignore[arg-type]
        jitter=lambda: 1.0, concurrency=1,
    ).run()  # fmt: skip
    assert desk.state() == ("cancelled", {"accepted": 10, "dropped": 15})
    desk.check()


def test_the_rejected_are_sent_to_again_in_new_batches_and_nobody_else(desk: Desk) -> None:
    named = [
        faults.error_response(
            400, "Does not contain a valid address.", f"personalizations.{n}.to.0.email"
        )
        for n in (2, 5)
    ]
    desk.run(*named)
    assert desk.state() == ("done", {"accepted": 23, "rejected": 2})
    assert pause_cancel_retry.retry_rejected(desk.ledger, desk.send(), 1) == 2
    assert desk.state() == ("paused", {"accepted": 23, "pending": 2})
    desk.run()
    assert desk.state() == ("done", {"accepted": TOTAL})
    with pytest.raises(SendRefusedError, match="no reader"):
        pause_cancel_retry.retry_rejected(desk.ledger, desk.send(), 1)
    assert desk.state()[0] == "done"
    desk.check()


def test_whoever_left_since_is_not_tried_again(desk: Desk) -> None:
    desk.run(faults.error_response(400, "no", "personalizations.0.to.0.email"))
    with desk.ledger.engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 1).values(status="unsubscribed")
        )
    pause_cancel_retry.retry_rejected(desk.ledger, desk.send(), 10)
    desk.run()
    assert desk.state() == ("done", {"accepted": 24, "skipped_late": 1})
    desk.check()


def test_only_what_is_unknown_can_be_settled(desk: Desk) -> None:
    with pytest.raises(SendRefusedError, match="no batch of 2026-12-01-ice is unknown"):
        desk.settle("drop")
    desk.run(TAKEN, faults.lost_response())
    with pytest.raises(SendRefusedError, match="batch 1, 9 of"):
        desk.settle("drop", 1, 2, 9)
    shown = find_unknown_batches(desk.ledger, desk.send())
    assert [(one.number, one.recipient_count, one.sample_addresses[0]) for one in shown] == [
        (2, 10, "reader11@example.com")
    ]
    desk.settle("accepted")
    with pytest.raises(SendRefusedError, match="settled by another command"):
        resolve_batches(desk.ledger, desk.send(), shown, "resend")
    assert desk.state() == ("done", {"accepted": TOTAL})
    desk.check()


def test_one_batch_is_settled_and_the_other_stays_unknown(desk: Desk) -> None:
    desk.run(faults.lost_response(), faults.lost_request())
    assert desk.settle("accepted", 1) == "needs_review"
    assert desk.settle("resend", 2) == "paused"
    desk.run()
    assert desk.state() == ("done", {"accepted": TOTAL})
    desk.check()


def test_nothing_of_a_cancelled_send_is_sent_again(desk: Desk) -> None:
    desk.run(faults.lost_request(), faults.error_response(403, "no"))
    pause_cancel_retry.cancel_send(desk.ledger, desk.send())
    with pytest.raises(SendRefusedError, match="was cancelled"):
        desk.settle("resend")
    assert desk.settle("drop") == "cancelled"
    assert desk.state() == ("cancelled", {"dropped": TOTAL})


def test_one_event_proves_that_all_of_its_batch_was_taken(desk: Desk) -> None:
    desk.run(TAKEN, faults.lost_response())
    event = desk.event(2, reader=14)
    assert desk.record(event, event) == 1
    assert desk.record(event) == 0
    done = reconcile_send(desk.ledger, desk.send())
    assert (done.state, done.accepted_batches, done.accepted_recipients) == ("done", (2,), 10)
    assert desk.state() == ("done", {"accepted": TOTAL})
    again = reconcile_send(desk.ledger, desk.send())
    assert (again.state, again.accepted_batches, again.accepted_recipients) == ("done", (), 0)
    desk.check()


@pytest.mark.parametrize(
    ("number", "attempt", "reader", "late"),
    [
        (2, 2, 14, 0.0),  # an attempt that was never made
        (2, 1, 4, 0.0),  # a reader of another batch: another newsletter's event
        (2, 1, 99, 0.0),
        (2, 1, 14, -7200.0),  # older than the attempt
        (1, 1, 4, 0.0),
    ],
)
def test_an_event_of_something_else_proves_nothing(
    desk: Desk, number: int, attempt: int, reader: int, late: float
) -> None:
    desk.run(TAKEN, faults.lost_response())
    desk.record(desk.event(number, attempt, reader=reader, late=late))
    assert reconcile_send(desk.ledger, desk.send()).accepted_batches == ()
    assert desk.state() == ("needs_review", {"accepted": 15, "unknown": 10})


def test_an_event_keeps_a_batch_from_being_sent_again_by_mistake(desk: Desk) -> None:
    desk.run(TAKEN, faults.lost_response())
    desk.settle("resend")
    desk.record(desk.event(2, reader=14))
    assert reconcile_send(desk.ledger, desk.send()).state == "done"
    desk.run()
    assert len(desk.double.accepted) == TOTAL
    desk.check()


def test_an_event_that_comes_too_late_is_told_of(desk: Desk) -> None:
    desk.run(TAKEN, faults.lost_response())
    desk.settle("resend")
    desk.run()
    desk.record(desk.event(2, reader=14))
    assert reconcile_send(desk.ledger, desk.send()).duplicated_batches == (2,)
    assert desk.state() == ("done", {"accepted": TOTAL})
    desk.check(twice=10)


def test_evidence_settles_what_a_dead_sender_left_in_flight(desk: Desk) -> None:
    start_send(desk.ledger, desk.send())
    (held,) = claim.claim_batches(desk.ledger, desk.send())
    claim.mark_in_flight(desk.ledger, [claim.PreparedBatch(held, b"{}", tuple(range(1, 11)))])
    desk.record(desk.event(1, reader=3))
    assert reconcile_send(desk.ledger, desk.send()).in_progress_batches == (1,)
    desk.world.now += desk.ledger.lease
    assert reconcile_send(desk.ledger, desk.send()).accepted_batches == (1,)
    desk.run()
    assert desk.state() == ("done", {"accepted": TOTAL})
    desk.check()


def test_every_readers_fate_is_told_with_its_reason(desk: Desk) -> None:
    with desk.ledger.engine.begin() as connection:
        gone = sa.update(subscriber).where(subscriber.c.id == 3).values(status="unsubscribed")
        connection.execute(gone)
        connection.execute(sa.delete(subscriber).where(subscriber.c.id == 21))
    desk.run(
        faults.error_response(400, "bad address", "personalizations.0.to.0.email"), TAKEN,
        faults.lost_response(),
    )  # fmt: skip
    with read_transaction(desk.ledger.engine) as connection:
        told = {one.address: one for one in iter_recipients(connection, desk.send())}
        missed = list(iter_recipients(connection, desk.send(), only_missed=True))
    assert len(told) == TOTAL
    assert told["reader1@example.com"][1:] == ("rejected", 1, "bad address")
    assert told["reader3@example.com"].state == "skipped_late"
    assert "left the list" in told["reader3@example.com"].reason
    assert told["reader2@example.com"].reason == "SendGrid has taken it"
    assert told["reader21@example.com"].state == "skipped_late"
    assert told["reader15@example.com"].reason.startswith("may or may not have it: ")
    assert {one.state for one in missed} == {"rejected", "skipped_late", "unknown"}
    assert len(missed) == 13


def test_what_was_taken_back_counts_as_missed(desk: Desk) -> None:
    desk.run()
    pause_cancel_retry.mark_recalled(desk.ledger, desk.send())
    with read_transaction(desk.ledger.engine) as connection:
        missed = list(iter_recipients(connection, desk.send(), only_missed=True))
    assert {one.reason for one in missed} == {RECALLED_REASON}
    assert len(missed) == TOTAL


def test_a_status_adds_up(desk: Desk) -> None:
    desk.run(TAKEN, faults.lost_response(), faults.error_response(403, "unverified"))
    status = get_send_status(desk.ledger, desk.send())
    assert status.as_data() | {"frozen_at": None, "unknown": None} == {
        "issue": "2026-12-01-ice", "state": "blocked", "total": TOTAL, "reason": "unverified",
        "readers": {"accepted": 10, "unknown": 10, "pending": 5},
        "batches": {"accepted": 1, "unknown": 1, "ready": 1},
        "left_out": {}, "allowed": {}, "lost": 0, "in_flight": 0, "unknown": None,
        "frozen_at": None, "scheduled_at": None, "held_by_sendgrid": False, "recalled_at": None,
        "finished_at": None, "waits_until": None,
    }  # fmt: skip
    assert [(one.number, one.recipient_count) for one in status.unknown_batches] == [(2, 10)]


def test_a_status_tells_what_it_waits_for(desk: Desk) -> None:
    until = desk.world.now + datetime.timedelta(seconds=90)
    start_send(desk.ledger, desk.send())
    with desk.ledger.engine.begin() as connection:
        connection.execute(sa.update(batch).values(retry_at=until))
    assert get_send_status(desk.ledger, desk.send()).next_claim_time == until
    assert (
        get_send_status(desk.ledger, desk.send()).as_data()["waits_until"]
        == "2026-12-01T09:01:30+00:00"
    )
