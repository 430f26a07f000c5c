"""Property test: scheduled, recalled and rescheduled sends, under any history of faults.

SendGrid is taken at its worst: it discards only what it had when it was asked to cancel (or asked
again), and only if that was 10 minutes before the time; all else it delivers.
"""

import datetime
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sending_fixtures import FakeObserver, MakeReaders, Subscribe, configured, start_over

from newsletter.errors import NewsletterError
from newsletter.project import Project
from newsletter.render.email import Email
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.ledger.find_sends import list_sends
from newsletter.sending.ledger.record import Ledger, Send, get_send, may_have_been_sent
from newsletter.sending.ledger.send_phase import get_send_phase, was_recalled
from newsletter.sending.planning.freeze_recipients import discard_send, freeze_send
from newsletter.sending.planning.frozen_content import load_prepared_email
from newsletter.sending.planning.schedule import ScheduledTime
from newsletter.sending.planning.send_schedule import request_schedule, save_schedule
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.payload import prepare_email
from newsletter.sending.recall import cancel_locally, recall_send
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault
from newsletter.sending.reschedule import perform_reschedule, propose_reschedule
from newsletter.sending.service import SendContext
from newsletter.subscribers.recalled_sends import PROVIDER_CANCEL_MARGIN

TOTAL = 9
CONFIG = configured(limits={"batch_size": 4})
MINUTE = datetime.timedelta(minutes=1)
ANSWERS = (
    None, None, None, faults.error_response(500), faults.lost_response(), faults.lost_request(),
    faults.error_response(200, "queued"),
)  # fmt: skip
request_events = st.sampled_from(
    ["ok", "ok", "killed after POST", "cancelled meanwhile", faults.lost_response(),
     faults.error_response(500), faults.error_response(401)]
)  # fmt: skip
ahead = st.sampled_from([5, 11, 12, 60, 600])


class KilledSenderError(BaseException):
    """A simulated kill of the sender's process."""


class ScheduleMachine(RuleBasedStateMachine):
    """One issue, sent to nine recipients perhaps several times, and a model of who gets it.

    Attributes:
        accepted_at: when SendGrid accepted its emails, in their order.
        cancelled: batch id -> when SendGrid was asked, and how many emails it had each time.
        send_at: batch id -> when SendGrid is to deliver it.
        plan: what happens to the next requests, in order.
    """

    ledger: Ledger
    email: Email
    observer: FakeObserver
    double: FakeSendGrid
    mailer: SendGridClient
    make_readers: MakeReaders
    subscribe: Subscribe
    root: Path

    def __init__(self) -> None:
        super().__init__()
        self.accepted_at: list[datetime.datetime] = []
        self.cancelled: dict[str, list[tuple[datetime.datetime, int]]] = {}
        self.send_at: dict[str, datetime.datetime] = {}
        self.plan: list[str | InjectedFault] = []
        start_over(self.ledger.engine, self.double)
        self.double.scheduled.statuses.clear()
        self.subscribe(self.make_readers(TOTAL))
        self.prepared = prepare_email(self.email, CONFIG)
        freeze_send(self.ledger, self.prepared)

    @property
    def send(self) -> Send:
        current = get_send(self.ledger, self.email.issue)
        assert current is not None
        return current

    def post_mail(self, body: bytes) -> Response | NoResponse:
        event = self.plan.pop(0) if self.plan else "ok"
        if event == "cancelled meanwhile":
            with suppress(NewsletterError):
                self._cancel()
        if isinstance(event, InjectedFault):
            self.double.inject_faults(event)
        response = self.mailer.post_mail(body)
        added = len(self.double.accepted) - len(self.accepted_at)
        self.accepted_at += [self.observer.now] * added
        if event == "killed after POST":
            raise KilledSenderError
        return response

    @rule(plan=st.lists(request_events, max_size=4))
    def run(self, plan: list[str | InjectedFault]) -> None:
        """Deliver, as ``send`` and ``resume`` do; a send that waits here only when it is due."""
        current = self.send
        is_early = current.scheduled_at and current.scheduled_at > self.observer.now
        if current.is_scheduled_locally and is_early:
            return
        self.plan = list(plan)
        with suppress(KilledSenderError, NewsletterError):
            prepared = load_prepared_email(self.ledger, current, CONFIG)
            BatchSender(self.ledger, current, prepared, self, self.observer, concurrency=1).run()

    @rule(minutes=st.sampled_from([-45, 1, 6, 30, 700]))
    def move_clock(self, minutes: int) -> None:
        self.observer.now += minutes * MINUTE

    @rule(answer=st.sampled_from(ANSWERS))
    def cancel(self, answer: InjectedFault | None) -> None:
        with self._answering(answer), suppress(NewsletterError):
            self._cancel()

    def _cancel(self) -> None:
        try:
            cancellation = cancel_locally(self.ledger, self.send, CONFIG)
            if cancellation.is_recallable:
                recall_send(self.ledger, cancellation.send, self.mailer)
        finally:
            self._note_cancellations()

    @rule(minutes=ahead, held=st.booleans(), now=st.booleans(), answer=st.sampled_from(ANSWERS))
    def reschedule(
        self, minutes: int, answer: InjectedFault | None, *, held: bool, now: bool
    ) -> None:
        time = ScheduledTime(self.observer.now + minutes * MINUTE, held_by_provider=held)
        context = SendContext(Project(self.root, CONFIG), self.ledger, self.send)
        with suppress(NewsletterError):
            proposal = propose_reschedule(context)
            # The first request is for a new batch id, the next two are about the recall.
            asks_first = held and not now
            with self._answering(answer, after=InjectedFault(accept=True) if asks_first else None):
                try:
                    moved = perform_reschedule(proposal, self.mailer, None if now else time)
                finally:
                    self._note_cancellations()
            self._note_schedule(moved.send)

    @rule(minutes=ahead, held=st.booleans())
    def send_again(self, minutes: int, *, held: bool) -> None:
        """Plan and schedule the issue once more, if the ledger says that nobody has it."""
        earlier = self.send
        with suppress(NewsletterError):
            if was_recalled(earlier):
                freeze_send(self.ledger, self.prepared, recalled=[earlier])
            elif earlier.state == "cancelled" and not may_have_been_sent(self.ledger, earlier):
                discard_send(self.ledger, earlier)
                freeze_send(self.ledger, self.prepared)
            time = ScheduledTime(self.observer.now + minutes * MINUTE, held_by_provider=held)
            schedule = request_schedule(self.mailer, time, None, self.observer.now)
            self._note_schedule(save_schedule(self.ledger, self.send, schedule))

    def _answering(
        self, answer: InjectedFault | None, *, after: InjectedFault | None = None
    ) -> "_Answers":
        return _Answers(self.double, [fault for fault in (after, answer, answer) if fault])

    def _note_cancellations(self) -> None:
        for batch_id in self.double.scheduled.statuses:
            moment = (self.observer.now, len(self.double.accepted))
            self.cancelled.setdefault(batch_id, []).append(moment)

    def _note_schedule(self, send: Send) -> None:
        if send.provider_batch_id and send.scheduled_at:
            self.send_at[send.provider_batch_id] = send.scheduled_at

    def _is_discarded(self, index: int) -> bool:
        batch_id = self.double.accepted[index].batch_id
        return any(
            self.send_at[batch_id] - asked_at >= PROVIDER_CANCEL_MARGIN
            and index < count
            and self.accepted_at[index] < self.send_at[batch_id]
            for asked_at, count in self.cancelled.get(batch_id, ())
        )

    @invariant()
    def nobody_gets_it_twice(self) -> None:
        counts = Counter(
            email.address
            for index, email in enumerate(self.double.accepted)
            if not self._is_discarded(index)
        )
        assert not [address for address, count in counts.items() if count > 1]

    @invariant()
    def nobody_gets_a_recalled_send(self) -> None:
        recalled = {
            str(send.id)
            for send in list_sends(self.ledger, with_set_aside=True)
            if was_recalled(send)
        }
        assert all(
            self._is_discarded(index)
            for index, email in enumerate(self.double.accepted)
            if email.custom_args["nl_send"] in recalled
        )

    @invariant()
    def whoever_gets_a_cancelled_send_is_not_denied(self) -> None:
        """A send is not called cancelled while SendGrid may still deliver what it holds."""
        send = self.send
        if send.provider_batch_id and get_send_phase(send, self.observer.now) == "cancelled":
            raise AssertionError


class _Answers:
    """Faults of the next requests; those that met none are taken back."""

    def __init__(self, double: FakeSendGrid, answers: list[InjectedFault]) -> None:
        self._double = double
        self._answers = answers

    def __enter__(self) -> None:
        self._double.inject_faults(*self._answers)

    def __exit__(self, *_: object) -> None:
        self._double.clear_faults()


@pytest.mark.property
@pytest.mark.parametrize(
    ("database_url", "examples"),
    [("sqlite", 40), ("postgresql", 15)],
    indirect=["database_url"],
    ids=["sqlite", "postgresql"],
)
def test_nobody_gets_it_twice_however_it_is_scheduled(
    machine_attributes: dict[str, Any],
    double: FakeSendGrid,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    examples: int,
) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", double.key)
    run_state_machine_as_test(
        type("Machine", (ScheduleMachine,), machine_attributes | {"root": tmp_path}),
        settings=settings(max_examples=examples, stateful_step_count=15, deadline=None),
    )
