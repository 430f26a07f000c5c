"""Property test: the ledger against a model, under any history of faults and commands."""

import datetime
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sending_fixtures import FakeObserver, MakeReaders, Subscribe, configured, start_over
from simulated_process import SimulatedProcess, post_with_fault

from newsletter.db.schema import attempt, batch, event, send_recipient, subscriber
from newsletter.errors import NewsletterError
from newsletter.render.email import Email
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.lanes.lane_jobs import has_workers
from newsletter.sending.lanes.sweep import sweep
from newsletter.sending.ledger import pause_cancel_retry
from newsletter.sending.ledger import status as status_module
from newsletter.sending.ledger.reconcile import reconcile_send
from newsletter.sending.ledger.record import Ledger, Send, count_recipients_by_state, get_send
from newsletter.sending.ledger.resolve import find_unknown_batches, resolve_batches
from newsletter.sending.ledger.state_machine import Resolution
from newsletter.sending.ledger.status import get_send_status
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.payload import prepare_email
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

TOTAL = 17
BATCH_SIZE = 4
WORKERS = 3
FAULTS = (
    faults.lost_response(),
    faults.lost_request(),
    faults.reset_mid_response(),
    faults.invalid_http_response(),
    faults.rate_limit_response(0),
    faults.error_response(500),
    faults.error_response(503, accept=True),
    faults.error_response(401),
    faults.error_response(400),
    faults.error_response(400, "bad", "personalizations.1.to.0.email"),
)
request_events = st.sampled_from(
    [
        "ok",
        "ok",
        "no connection",
        "killed before POST",
        "killed after POST",
        "lease expires",
        *FAULTS,
    ]
)

# Of a worker: others begin while its request is in flight.
worker_events = request_events | st.sampled_from(["another worker", "swept"])


class SendMachine(RuleBasedStateMachine):
    """One send to seventeen recipients, its catch-ups, and a model of what may have happened.

    Attributes:
        may_be_duplicated: addresses in unknown batches that the editor resolved to be sent again:
            they may get the email twice, by the editor's decision.
        declared_accepted: addresses in unknown batches that the editor resolved as accepted; the
            fake SendGrid may not have accepted them.
        declared_dropped: addresses in unknown batches that the editor dropped; the fake SendGrid
            may have accepted them.
        unsubscribed: addresses that unsubscribed before their email was accepted.
        plan: what happens to the next requests, in order.
        running: how many senders run, each during a request of the one before.
        catch_up: the latest catch-up, to readers who joined later.
        joined: how many readers are in the list or were.
    """

    ledger: Ledger
    email: Email
    observer: FakeObserver
    double: FakeSendGrid
    mailer: SendGridClient
    make_readers: MakeReaders
    subscribe: Subscribe

    def __init__(self) -> None:
        super().__init__()
        self.may_be_duplicated: set[str] = set()
        self.declared_accepted: set[str] = set()
        self.declared_dropped: set[str] = set()
        self.unsubscribed: set[str] = set()
        self.plan: list[str | InjectedFault] = []
        self.running = 0
        self.catch_up: Send | None = None
        self.joined = TOTAL
        start_over(self.ledger.engine, self.double)
        self.subscribe(self.make_readers(TOTAL))
        self.prepared = prepare_email(self.email, configured(limits={"batch_size": BATCH_SIZE}))
        self.frozen_send = freeze_send(self.ledger, self.prepared)

    @property
    def send(self) -> Send:
        current = get_send(self.ledger, self.frozen_send.issue)
        assert current is not None
        return current

    def run_sender(self, send: Send, concurrency: int = 1, *, is_lane: bool = False) -> None:
        self.running += 1
        with suppress(NewsletterError), SimulatedProcess.running(self.post) as process:
            BatchSender(
                self.ledger, send, self.prepared, process, self.observer, concurrency=concurrency,
                is_lane=is_lane,
            ).run()  # fmt: skip
        self.running -= 1

    def post(self, body: bytes) -> Response | NoResponse:
        """POST with what is planned for this request."""
        event = self.plan.pop(0) if self.plan else "ok"
        if event == "lease expires":  # so slow that another sender takes over
            self.observer.now += 2 * self.ledger.lease
            self.run_sender(self.frozen_send)
        if event == "another worker" and self.running < WORKERS:
            self.run_sender(self.frozen_send, is_lane=True)
        if event == "swept":
            self.sweep()
        return post_with_fault(self.mailer, self.double, event, body)

    @rule(plan=st.lists(request_events, max_size=6), concurrency=st.integers(1, 3))
    def run(self, plan: list[str | InjectedFault], concurrency: int) -> None:
        self.plan = list(plan)
        self.run_sender(self.frozen_send, concurrency)

    @rule(plan=st.lists(worker_events, max_size=8), concurrency=st.integers(1, 3))
    def run_workers(self, plan: list[str | InjectedFault], concurrency: int) -> None:
        self.plan = list(plan)
        self.run_sender(self.frozen_send, concurrency, is_lane=True)

    @rule()
    def sweep(self) -> None:
        """Take over from dead senders, as workers do all the time; there are none on SQLite."""
        if has_workers(self.ledger.engine):
            sweep(self.ledger)

    @rule(count=st.integers(1, 6), moved=st.none() | st.integers(1, TOTAL))
    def join(self, count: int, moved: int | None) -> None:
        """Let readers join; perhaps one who has the old address of another, who has moved."""
        readers = self.make_readers(self.joined + count)[self.joined :]
        if moved is not None:
            key = {"address": f"moved{moved}@example.com"}
            with self.ledger.engine.begin() as connection:
                update = sa.update(subscriber).where(subscriber.c.id == moved)
                connection.execute(update.values(key | {"address_key": key["address"]}))
        self.subscribe(readers)
        self.joined += count

    @rule()
    def plan_catch_up(self) -> None:
        """Plan one, as the command does: while no other one is unfinished."""
        if self.catch_up:
            current = get_send(self.ledger, self.catch_up.issue)
            assert current is not None
            if current.state in {"frozen", "running", "paused", "blocked"}:
                return
        with suppress(NewsletterError):
            self.catch_up = freeze_send(self.ledger, self.prepared, parent=self.frozen_send)

    @rule(plan=st.lists(request_events, max_size=6), concurrency=st.integers(1, 3))
    def run_catch_up(self, plan: list[str | InjectedFault], concurrency: int) -> None:
        self.plan = list(plan)
        if self.catch_up:
            self.run_sender(self.catch_up, concurrency)

    @rule(minutes=st.sampled_from([-300, -3, 1, 10, 4000]))
    def move_clock(self, minutes: int) -> None:
        self.observer.now += datetime.timedelta(minutes=minutes)

    @rule(number=st.integers(1, TOTAL))
    def unsubscribe(self, number: int) -> None:
        with self.ledger.engine.begin() as connection:
            update = sa.update(subscriber).where(subscriber.c.id == number)
            connection.execute(update.values(status="unsubscribed"))
        address = f"reader{number}@example.com"
        if address not in self.accepted_addresses():
            self.unsubscribed.add(address)

    @rule(command=st.sampled_from([pause_cancel_retry.pause_send, pause_cancel_retry.cancel_send]))
    def pause_or_cancel(self, command: type[object]) -> None:
        with suppress(NewsletterError):
            command(self.ledger, self.send)  # type: ignore[call-arg]

    @rule()
    def retry(self) -> None:
        with suppress(NewsletterError):
            pause_cancel_retry.retry_rejected(self.ledger, self.send, BATCH_SIZE)

    @rule(resolution=st.sampled_from(["accepted", "resend", "drop"]))
    def resolve(self, resolution: Resolution) -> None:
        try:
            unknown = find_unknown_batches(self.ledger, self.send)[:1]
        except NewsletterError:
            return
        addresses = self._addresses("unknown", unknown[0].id)
        with suppress(NewsletterError):
            resolve_batches(self.ledger, self.send, unknown, resolution)
            sets = {
                "accepted": self.declared_accepted,
                "resend": self.may_be_duplicated,
                "drop": self.declared_dropped,
            }
            sets[resolution].update(addresses)

    @rule(positions=st.sets(st.integers(0, TOTAL - 1), max_size=4))
    def receive_events(self, positions: set[int]) -> None:
        """Receive some of the provider's events, perhaps again."""
        emails = [
            email for position, email in enumerate(self.double.accepted) if position in positions
        ]
        rows = [
            {
                "sg_event_id": f"{email.address} {email.message_id}",
                "type": "processed",
                "at": self.observer.now,
                "address_key": email.address,
                "send_id": int(email.custom_args["nl_send"]),
                "batch_id": int(email.custom_args["nl_batch"]),
                "attempt_number": int(email.custom_args["nl_attempt"]),
                "raw": {},
            }
            for email in emails
        ]
        ids = [row["sg_event_id"] for row in rows]
        with self.ledger.engine.begin() as connection:
            connection.execute(sa.delete(event).where(event.c.sg_event_id.in_(ids)))
            if rows:
                connection.execute(sa.insert(event), rows)
        reconcile_send(self.ledger, self.send)

    def _addresses(self, state: str, batch_id: int) -> set[str]:
        query = sa.select(send_recipient.c.address_key).where(
            send_recipient.c.batch_id == batch_id, send_recipient.c.state == state
        )
        with self.ledger.engine.connect() as connection:
            return set(connection.scalars(query))

    def accepted_addresses(self) -> set[str]:
        return {email.address for email in self.double.accepted}

    @invariant()
    def every_recipient_has_a_state(self) -> None:
        assert sum(count_recipients_by_state(self.ledger, self.frozen_send).values()) == TOTAL

    @invariant()
    def status_counts_every_recipient_in_its_state(self) -> None:
        # As of a send that runs or is large: it follows from the batches.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(status_module, "LARGE_SEND_RECIPIENTS", 0)
            for part in filter(None, (self.send, self.catch_up)):
                counts = count_recipients_by_state(self.ledger, part)
                assert get_send_status(self.ledger, part).recipients_by_state == counts

    @invariant()
    def only_those_who_were_left_out_have_a_reason(self) -> None:
        query = sa.select(send_recipient.c.state, send_recipient.c.error != "").distinct()
        with self.ledger.engine.connect() as connection:
            for state, has_reason in connection.execute(query):
                assert has_reason == (state in status_module.LEFT_OUT_STATES)

    @invariant()
    def nobody_gets_it_twice_unless_the_editor_resent_it(self) -> None:
        # A reader who has moved is the same one.
        addresses = (email.address.replace("moved", "reader") for email in self.double.accepted)
        counts = Counter(addresses)
        assert {address for address, count in counts.items() if count > 1} <= self.may_be_duplicated

    @invariant()
    def nobody_is_a_recipient_twice(self) -> None:
        columns = send_recipient.c.subscriber_id, send_recipient.c.address_key
        with self.ledger.engine.connect() as connection:
            rows = connection.execute(sa.select(*columns)).all()
        assert len({id_ for id_, _ in rows}) == len({key for _, key in rows}) == len(rows)

    @invariant()
    def nobody_gets_it_after_unsubscribing(self) -> None:
        assert not self.unsubscribed & self.accepted_addresses()

    @invariant()
    def ledger_matches_what_sendgrid_accepted(self) -> None:
        really_accepted = self.accepted_addresses()
        states = sa.select(send_recipient.c.address_key, send_recipient.c.state, batch.c.state)
        query = states.join(batch, batch.c.id == send_recipient.c.batch_id)
        with self.ledger.engine.connect() as connection:
            rows = connection.execute(query).all()
            attempts = sa.select(attempt.c.ended_at.is_(None), attempt.c.outcome.is_(None))
            assert all(
                is_open == has_no_outcome
                for is_open, has_no_outcome in connection.execute(attempts)
            )
        accepted = {address for address, state, _ in rows if state == "accepted"}
        unknown = {
            address
            for address, state, batch_state in rows
            if state == "unknown" or batch_state == "in_flight"
        }
        assert accepted <= really_accepted | self.declared_accepted
        assert really_accepted <= (
            accepted | unknown | self.declared_dropped | self.may_be_duplicated
        )

    @invariant()
    def finished_send_has_no_pending_recipient(self) -> None:
        counts = count_recipients_by_state(self.ledger, self.frozen_send)
        if self.send.state in {"done", "needs_review"}:
            assert "pending" not in counts
            assert (self.send.state == "needs_review") == ("unknown" in counts)


@pytest.mark.property
@pytest.mark.parametrize(
    ("database_url", "examples"),
    [("sqlite", 30), ("postgresql", 12)],
    indirect=["database_url"],
    ids=["sqlite", "postgresql"],
)
def test_ledger_matches_the_model_under_any_history(
    machine_attributes: dict[str, Any], examples: int
) -> None:
    run_state_machine_as_test(
        type("Machine", (SendMachine,), machine_attributes),
        settings=settings(max_examples=examples, stateful_step_count=15, deadline=None),
    )
