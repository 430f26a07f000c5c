"""The sender against the fake SendGrid, over real sockets, on both databases, with faults."""

import datetime
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
import sqlalchemy as sa
from send_scenario import TOTAL, SendScenario
from sending_fixtures import FakeObserver

from newsletter.db.schema import attempt, batch, send_recipient, subscriber, suppression
from newsletter.errors import DatabaseError
from newsletter.sending.delivery.claim import claim_batches
from newsletter.sending.delivery.in_flight import mark_in_flight
from newsletter.sending.delivery.prepare_batch import PreparedBatch
from newsletter.sending.delivery.worker_pool import MailTransport
from newsletter.sending.ledger.leases import MAX_LEASE
from newsletter.sending.ledger.pause_cancel_retry import retry_rejected
from newsletter.sending.ledger.record import start_send
from newsletter.sending.ledger.resolve import list_unknown_batches
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault


def test_send_without_faults_reaches_everybody_once(scenario: SendScenario) -> None:
    assert scenario.run() is None
    assert scenario.send().state == "done"
    assert scenario.recipients_by_state() == {"accepted": TOTAL}
    assert [email.address for email in scenario.double.accepted] == [
        f"reader{number}@example.com" for number in range(1, TOTAL + 1)
    ]
    assert scenario.observer.done == TOTAL
    assert scenario.double.unfilled_tokens == set()
    scenario.check()


def test_attempt_is_recorded_with_the_providers_message_id(scenario: SendScenario) -> None:
    scenario.run()
    with scenario.ledger.engine.connect() as connection:
        rows = connection.execute(sa.select(attempt).order_by(attempt.c.batch_id)).all()
    assert [(row.number, row.http_status, row.outcome) for row in rows] == [
        (1, 202, "accepted")
    ] * 3
    assert [row.message_id for row in rows] == list(
        dict.fromkeys(email.message_id for email in scenario.double.accepted)
    )


UNKNOWN = [
    faults.lost_response(),
    faults.lost_request(),
    faults.slow_response(60.0),
    faults.reset_mid_response(),
    faults.invalid_http_response(),
    faults.error_response(500),
    faults.error_response(503, accept=True),
    faults.error_response(504),
    faults.error_response(408),
    faults.endless_response(502),
]


@pytest.mark.parametrize(
    "fault", UNKNOWN, ids=lambda fault: f"{fault.behavior.name}-{fault.status}"
)
def test_batch_that_may_have_been_accepted_is_unknown_and_never_sent_again(
    scenario: SendScenario, fault: InjectedFault, impatient_mailer: SendGridClient
) -> None:
    scenario.double.inject_faults(InjectedFault(accept=True), fault)
    scenario.run(_ImpatientOnce(scenario.mailer, impatient_mailer))
    scenario.double.wait_for_requests(3)
    assert scenario.send().state == "needs_review"
    assert scenario.recipients_by_state() == {"accepted": 15, "unknown": 10}
    assert [row[:2] for row in list_unknown_batches(scenario.ledger, scenario.send())] == [(2, 10)]
    requests = len(scenario.double.requests)
    scenario.run()
    assert len(scenario.double.requests) == requests == 3
    scenario.check()


def test_request_that_was_not_sent_is_retried_with_backoff(scenario: SendScenario) -> None:
    scenario.run(_FailingToConnect(scenario.mailer, 3))
    assert scenario.recipients_by_state() == {"accepted": TOTAL}
    assert scenario.observer.waits == [1.0, 2.0, 4.0]
    scenario.check()


def test_send_pauses_after_eight_attempts_and_can_be_resumed(scenario: SendScenario) -> None:
    outcome = scenario.run(_FailingToConnect(scenario.mailer, 100))
    assert outcome is not None
    assert outcome.message == "connection refused"
    assert scenario.send().state == "paused"
    assert scenario.recipients_by_state() == {"pending": TOTAL}
    assert len(scenario.observer.waits) == 7
    scenario.run()
    assert scenario.recipients_by_state() == {"accepted": TOTAL}
    scenario.check()


def test_429_waits_until_the_time_of_the_response(scenario: SendScenario) -> None:
    scenario.double.inject_faults(
        faults.rate_limit_response(scenario.observer.now.timestamp() + 42)
    )
    scenario.run()
    assert scenario.observer.waits == [42.0]
    assert "pause" in scenario.observer.remarks[0]
    assert scenario.recipients_by_state() == {"accepted": TOTAL}
    scenario.check()


@pytest.mark.parametrize(("status", "remedy"), [(401, "KEY"), (403, "Verify"), (451, "region")])
def test_refused_account_stops_the_send_without_counting_an_attempt(
    scenario: SendScenario, status: int, remedy: str
) -> None:
    scenario.double.inject_faults(
        InjectedFault(accept=True), faults.error_response(status, "the provider's reason")
    )
    outcome = scenario.run()
    assert outcome is not None
    assert (outcome.message, remedy in outcome.remedy) == ("the provider's reason", True)
    assert (scenario.send().state, scenario.send().reason) == ("blocked", "the provider's reason")
    assert scenario.recipients_by_state() == {"accepted": 10, "pending": 15}
    with scenario.ledger.engine.connect() as connection:
        assert set(connection.scalars(sa.select(batch.c.attempts))) == {0}
    scenario.run()
    assert scenario.send().state == "done"
    scenario.check()


def test_recipients_named_by_a_400_are_rejected_and_the_rest_is_sent(
    scenario: SendScenario,
) -> None:
    rejection = faults.error_response(
        400, "Does not contain a valid address.", "personalizations.3.to.0"
    )
    scenario.double.inject_faults(rejection)
    scenario.run()
    assert scenario.recipients_by_state() == {"accepted": 24, "rejected": 1}
    with scenario.ledger.engine.connect() as connection:
        rejected = connection.execute(
            sa.select(send_recipient).where(send_recipient.c.state == "rejected")
        ).one()
    assert rejected.address_key == "reader4@example.com"
    assert rejected.error == "Does not contain a valid address."
    scenario.check()


@pytest.mark.parametrize("status", [400, 413])
def test_rejection_without_an_index_splits_until_the_culprit_is_alone(
    scenario: SendScenario, status: int
) -> None:
    scenario.run(_RejectingRecipient(scenario.mailer, b"reader7@", status))
    assert scenario.recipients_by_state() == {"accepted": 24, "rejected": 1}
    with scenario.ledger.engine.connect() as connection:
        parents = connection.scalars(
            sa.select(batch.c.parent_id).where(batch.c.state == "rejected")
        )
        assert parents.one() is not None
    scenario.check()


def test_refusal_of_every_recipient_stops_after_a_few(scenario: SendScenario) -> None:
    rejecting = _RejectingRecipient(scenario.mailer, b"@example.com", 400)
    outcome = scenario.run(rejecting)
    assert outcome is not None
    assert "so the others were not tried" in outcome.remedy
    assert (scenario.send().state, scenario.send().reason) == ("blocked", "HTTP 400")
    assert scenario.recipients_by_state() == {"rejected": 5, "pending": 20}
    # 10 -> 5 and 5 -> 3 and 2 -> ...: the smallest are tried first.
    assert rejecting.request_count <= 1 + 4 + 5
    retry_rejected(scenario.ledger, scenario.send(), 10)
    assert scenario.run() is None
    assert scenario.recipients_by_state() == {"accepted": TOTAL}
    scenario.check()


def test_few_refused_recipients_do_not_stop_the_send(scenario: SendScenario) -> None:
    scenario.mailer = _RejectingRecipient(scenario.mailer, b"reader1", 400)  # and 10 to 19
    assert scenario.run() is not None
    while scenario.send().state == "blocked":
        before = scenario.recipients_by_state()
        scenario.run()
        assert scenario.recipients_by_state() != before
    assert scenario.recipients_by_state() == {"accepted": 14, "rejected": 11}
    scenario.check()


def test_rejection_of_the_content_stops_the_send(scenario: SendScenario) -> None:
    scenario.double.inject_faults(
        faults.error_response(400, "The content is odd.", "content.0.value")
    )
    outcome = scenario.run()
    assert outcome is not None
    assert scenario.send().state == "blocked"
    assert scenario.recipients_by_state() == {"pending": TOTAL}
    assert len(scenario.double.requests) == 1


def test_recipients_who_unsubscribe_before_the_claim_are_skipped(scenario: SendScenario) -> None:
    with scenario.ledger.engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 1).values(status="unsubscribed")
        )
        connection.execute(sa.delete(subscriber).where(subscriber.c.id == 2))
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 3).values(address_key="new@example.com")
        )
        connection.execute(
            sa.insert(suppression).values(
                address_key="reader4@example.com",
                reason="complained",
                since=scenario.observer.now,
                source="x",
            )
        )
    scenario.run()
    assert scenario.recipients_by_state() == {"accepted": 21, "skipped_late": 4}
    assert scenario.double.accepted[0].address == "reader5@example.com"
    scenario.check()


def test_batch_without_remaining_recipients_needs_no_request(scenario: SendScenario) -> None:
    with scenario.ledger.engine.begin() as connection:
        connection.execute(sa.update(subscriber).values(status="unsubscribed"))
    scenario.run()
    assert scenario.send().state == "done"
    assert scenario.recipients_by_state() == {"skipped_late": TOTAL}
    assert scenario.double.requests == []


def test_recipient_too_large_for_any_request_is_rejected_alone(scenario: SendScenario) -> None:
    with scenario.ledger.engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 1).values(name="x" * 20_000)
        )
    scenario.run()
    assert scenario.recipients_by_state() == {"accepted": 24, "rejected": 1}
    scenario.check()


def test_batch_of_a_dead_sender_becomes_unknown_if_in_flight_else_ready(
    scenario: SendScenario,
) -> None:
    scenario.observer.shortest_wait = 0
    claim_and_die(scenario, in_flight=True)
    claim_and_die(scenario, in_flight=False)
    scenario.run()
    assert scenario.recipients_by_state() == {"accepted": 15, "unknown": 10}
    assert scenario.send().state == "needs_review"
    assert sum(scenario.observer.waits) == scenario.ledger.lease.total_seconds()
    scenario.check()


def claim_and_die(scenario: SendScenario, *, in_flight: bool) -> None:
    start_send(scenario.ledger, scenario.send())
    (claimed,) = claim_batches(scenario.ledger, scenario.send())
    if in_flight:
        mark_in_flight(scenario.ledger, [PreparedBatch(claimed, b"{}")])


@pytest.mark.parametrize("ahead", [datetime.timedelta(minutes=4), datetime.timedelta(hours=9)])
def test_sender_states_for_whom_it_waits_and_until_when(
    scenario: SendScenario, ahead: datetime.timedelta
) -> None:
    """A lease of nine hours was taken before the clock was set back."""
    claim_and_die(scenario, in_flight=True)
    begin = scenario.observer.now
    with scenario.ledger.engine.begin() as connection:
        connection.execute(
            sa.update(batch).where(batch.c.number == 1).values(lease_until=begin + ahead)
        )
    scenario.run()
    until = begin + min(ahead, MAX_LEASE)
    (remark, *_) = scenario.observer.remarks
    assert remark.startswith("another sender, or one that was killed, holds 10 of the readers")
    assert remark.endswith(f"waiting until {until:%H:%M:%S} at the latest")
    assert len(scenario.observer.remarks) == 1
    assert until <= scenario.observer.now <= until + datetime.timedelta(minutes=1)
    assert scenario.recipients_by_state() == {"accepted": 15, "unknown": 10}
    scenario.check()


def test_stop_request_completes_the_request_in_flight_and_pauses(scenario: SendScenario) -> None:
    scenario.run(_StopRequesting(scenario.mailer, scenario.observer))
    assert scenario.send().state == "paused"
    assert scenario.recipients_by_state() == {"accepted": 10, "pending": 15}
    scenario.observer.stop_requested = False
    scenario.run()
    assert scenario.send().state == "done"
    scenario.check()


def test_two_senders_share_the_batches_and_nobody_gets_it_twice(scenario: SendScenario) -> None:
    other = replace(scenario, observer=_NonWaitingObserver())
    scenario.run(_RunningAnotherSender(scenario.mailer, other.run))
    assert scenario.send().state == "done"
    assert scenario.recipients_by_state() == {"accepted": TOTAL}
    assert (scenario.observer.done, other.observer.done) == (10, 15)
    scenario.check()


@pytest.mark.parametrize("statement", ["UPDATE batch", "INSERT INTO attempt"])
def test_full_disk_before_the_request_sends_nothing(scenario: SendScenario, statement: str) -> None:
    with full_disk(scenario, statement), pytest.raises(DatabaseError, match="disk is full"):
        scenario.run()
    assert scenario.double.requests == []
    scenario.run()
    assert scenario.recipients_by_state() == {"accepted": TOTAL}
    scenario.check()


def test_full_disk_after_the_request_makes_the_batch_unknown_and_is_reported(
    scenario: SendScenario,
) -> None:
    with full_disk(scenario, "UPDATE attempt SET ended_at"), pytest.raises(DatabaseError) as failed:
        scenario.run()
    assert [str(problem).split(".")[0] for problem in failed.value.problems] == [
        "batch 1 was sent, but its outcome could not be recorded",
        "the disk is full",
    ]
    assert len(scenario.double.accepted) == 10
    scenario.run()
    assert scenario.recipients_by_state() == {"accepted": 15, "unknown": 10}
    scenario.check()


@contextmanager
def full_disk(scenario: SendScenario, statement: str) -> Iterator[None]:
    """Make the database refuse statements that begin with ``statement``, as on a full disk."""

    def refuse(*arguments: object) -> None:
        if str(arguments[2]).startswith(statement):
            raise DatabaseError("the disk is full")

    sa.event.listen(scenario.ledger.engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        sa.event.remove(scenario.ledger.engine, "before_cursor_execute", refuse)


class _NonWaitingObserver(FakeObserver):
    """An observer that raises instead of waiting for the other sender."""

    def wait(self, seconds: float) -> None:
        raise InterruptedError(seconds)


class _WrappedMailer:
    """A mailer that wraps a mailer."""

    def __init__(self, mailer: MailTransport) -> None:
        self.mailer = mailer


class _ImpatientOnce(_WrappedMailer):
    """A mailer that makes its second request through an impatient one."""

    def __init__(self, mailer: MailTransport, impatient: MailTransport) -> None:
        super().__init__(mailer)
        self.impatient = impatient
        self.request_count = 0

    def post_mail(self, body: bytes) -> Response | NoResponse:
        self.request_count += 1
        return (self.impatient if self.request_count == 2 else self.mailer).post_mail(body)


class _FailingToConnect(_WrappedMailer):
    """A mailer that fails to connect the first few times."""

    def __init__(self, mailer: MailTransport, times: int) -> None:
        super().__init__(mailer)
        self.times = times

    def post_mail(self, body: bytes) -> Response | NoResponse:
        if self.times:
            self.times -= 1
            return NoResponse(request_sent=False, reason="connection refused")
        return self.mailer.post_mail(body)


class _RejectingRecipient(_WrappedMailer):
    """A mailer that rejects any request with a certain recipient, without naming the recipient."""

    def __init__(self, mailer: MailTransport, culprit: bytes, status: int) -> None:
        super().__init__(mailer)
        self.culprit = culprit
        self.status = status
        self.request_count = 0

    def post_mail(self, body: bytes) -> Response | NoResponse:
        self.request_count += 1
        if self.culprit in body:
            return Response(self.status, {}, b"<html>no</html>")
        return self.mailer.post_mail(body)


class _StopRequesting(_WrappedMailer):
    """A mailer that requests a stop while the first request is in flight."""

    def __init__(self, mailer: MailTransport, observer: FakeObserver) -> None:
        super().__init__(mailer)
        self.observer = observer

    def post_mail(self, body: bytes) -> Response | NoResponse:
        self.observer.stop_requested = True
        return self.mailer.post_mail(body)


class _RunningAnotherSender(_WrappedMailer):
    """A mailer that runs another sender while the first request is in flight."""

    def __init__(self, mailer: MailTransport, other: Callable[[], object]) -> None:
        super().__init__(mailer)
        self.other = other
        self.called = False

    def post_mail(self, body: bytes) -> Response | NoResponse:
        response = self.mailer.post_mail(body)
        if not self.called:
            self.called = True
            with suppress(InterruptedError):
                self.other()
        return response
