"""The ledger under everything that can happen to it, in any order, against a model of the truth."""

import datetime
from collections import Counter
from contextlib import suppress

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sending_fixtures import MakeReaders, World, configured

from newsletter.db.schema import attempt, batch, event, metadata, send_recipient, subscriber
from newsletter.errors import NewsletterError
from newsletter.render.email import Email
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.ledger import pause_cancel_retry
from newsletter.sending.ledger.reconcile import reconcile_send
from newsletter.sending.ledger.record import Ledger, Send, count_recipients_by_state, get_send
from newsletter.sending.ledger.resolve import find_unknown_batches, resolve_batches
from newsletter.sending.ledger.state_machine import Resolution
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.payload import prepare_email
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

TOTAL = 17
BATCH = 4
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
happenings = st.sampled_from(
    ["well", "well", "no connection", "killed before", "killed after", "overtaken", *FAULTS]
)


class Killed(BaseException):
    """The process is gone."""


class TheSend(RuleBasedStateMachine):
    """One send of seventeen readers.

    Attributes:
        resent: addresses of unknown batches that the editor said to send again: they may have
            the mail twice, by the editor's word.
        vouched: of those that the editor called accepted; the vendor may not have them.
        given_up: of those that the editor dropped; the vendor may have them.
        out: of those who left the list before their mail had left.
        jumps: how far the clock has been moved, all in all.
    """

    ledger: Ledger
    email: Email
    world: World
    double: FakeSendGrid
    mailer: SendGridClient
    make_readers: MakeReaders

    def __init__(self) -> None:
        super().__init__()
        self.resent: set[str] = set()
        self.vouched: set[str] = set()
        self.given_up: set[str] = set()
        self.out: set[str] = set()
        self.plan: list[str | InjectedFault] = []
        self.double.accepted.clear()
        self.letter = prepare_email(self.email, configured(limits={"batch_size": BATCH}))
        self._subscribe()
        self.frozen = freeze_send(self.ledger, self.letter)

    def _subscribe(self) -> None:
        now = self.world.now
        rows = [
            {
                "id": reader.id, "address": reader.address, "address_key": reader.address_key,
                "name": "", "status": "active", "attributes": {}, "token": reader.token,
                "joined_at": now, "updated_at": now,
            }
            for reader in self.make_readers(TOTAL)
        ]  # fmt: skip
        with self.ledger.engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(sa.delete(table))
            connection.execute(sa.insert(subscriber), rows)

    @property
    def send(self) -> Send:
        found = get_send(self.ledger, self.frozen.issue)
        assert found is not None
        return found

    def sender(self, concurrency: int = 1) -> BatchSender:
        return BatchSender(
            self.ledger, self.frozen, self.letter, self, self.world, concurrency=concurrency
        )

    def post_mail(self, body: bytes) -> Response | NoResponse:
        """What happens to the next request, from the thread that POSTs it."""
        happening = self.plan.pop(0) if self.plan else "well"
        if happening == "killed before":
            raise Killed
        if happening == "no connection":
            return NoResponse(request_sent=False, reason="connection refused")
        if isinstance(happening, InjectedFault):
            self.double.inject_faults(happening)
        if happening == "overtaken":  # it takes so long that others give this sender up
            self.world.now += 2 * self.ledger.lease
            with suppress(NewsletterError, Killed):
                self.sender().run()
        answer = self.mailer.post_mail(body)
        if happening == "killed after":
            raise Killed
        return answer

    @rule(plan=st.lists(happenings, max_size=6), concurrency=st.integers(1, 3))
    def run(self, plan: list[str | InjectedFault], concurrency: int) -> None:
        self.plan = list(plan)
        with suppress(Killed, NewsletterError):
            self.sender(concurrency).run()

    @rule(minutes=st.sampled_from([-300, -3, 1, 10, 4000]))
    def jump(self, minutes: int) -> None:
        self.world.now += datetime.timedelta(minutes=minutes)

    @rule(number=st.integers(1, TOTAL))
    def leave(self, number: int) -> None:
        with self.ledger.engine.begin() as connection:
            gone = sa.update(subscriber).where(subscriber.c.id == number)
            connection.execute(gone.values(status="unsubscribed"))
        address = f"reader{number}@example.com"
        if address not in {one.address for one in self.double.accepted}:
            self.out.add(address)

    @rule(command=st.sampled_from([pause_cancel_retry.pause_send, pause_cancel_retry.cancel_send]))
    def halt(self, command: type[object]) -> None:
        with suppress(NewsletterError):
            command(self.ledger, self.send)  # type: ignore[call-arg]

    @rule()
    def retry(self) -> None:
        with suppress(NewsletterError):
            pause_cancel_retry.retry_rejected(self.ledger, self.send, BATCH)

    @rule(how=st.sampled_from(["accepted", "resend", "drop"]))
    def settle(self, how: Resolution) -> None:
        try:
            shown = find_unknown_batches(self.ledger, self.send)[:1]
        except NewsletterError:
            return
        readers = self._readers("unknown", shown[0].id)
        with suppress(NewsletterError):
            resolve_batches(self.ledger, self.send, shown, how)
            told = {"accepted": self.vouched, "resend": self.resent, "drop": self.given_up}
            told[how].update(readers)

    @rule(which=st.sets(st.integers(0, TOTAL - 1), max_size=4))
    def hear_of_some(self, which: set[int]) -> None:
        """The vendor's events come, not all of them and perhaps again."""
        heard = [one for n, one in enumerate(self.double.accepted) if n in which]
        rows = [
            {
                "sg_event_id": f"{one.address} {one.message_id}", "type": "processed",
                "at": self.world.now, "address_key": one.address,
                "send_id": self.frozen.id, "batch_id": int(one.custom_args["nl_batch"]),
                "attempt_number": int(one.custom_args["nl_attempt"]), "raw": {},
            }
            for one in heard
        ]  # fmt: skip
        ids = [row["sg_event_id"] for row in rows]
        with self.ledger.engine.begin() as connection:
            connection.execute(sa.delete(event).where(event.c.sg_event_id.in_(ids)))
            if rows:
                connection.execute(sa.insert(event), rows)
        reconcile_send(self.ledger, self.send)

    def _readers(self, state: str, batch_id: int) -> set[str]:
        query = sa.select(send_recipient.c.address_key).where(
            send_recipient.c.batch_id == batch_id, send_recipient.c.state == state
        )
        with self.ledger.engine.connect() as connection:
            return set(connection.scalars(query))

    @invariant()
    def nobody_is_lost_from_the_books(self) -> None:
        assert sum(count_recipients_by_state(self.ledger, self.frozen).values()) == TOTAL

    @invariant()
    def nobody_gets_it_twice_but_by_the_editors_word(self) -> None:
        times = Counter(one.address for one in self.double.accepted)
        assert {address for address, count in times.items() if count > 1} <= self.resent

    @invariant()
    def nobody_gets_it_after_they_left(self) -> None:
        assert not self.out & {one.address for one in self.double.accepted}

    @invariant()
    def the_books_say_what_the_vendor_has(self) -> None:
        taken = {one.address for one in self.double.accepted}
        states = sa.select(send_recipient.c.address_key, send_recipient.c.state, batch.c.state)
        query = states.join(batch, batch.c.id == send_recipient.c.batch_id)
        with self.ledger.engine.connect() as connection:
            rows = connection.execute(query).all()
            judged = sa.select(attempt.c.ended_at.is_(None), attempt.c.outcome.is_(None))
            assert all(open_ == unjudged for open_, unjudged in connection.execute(judged))
        accepted = {address for address, state, _ in rows if state == "accepted"}
        doubtful = {
            address for address, state, of in rows if state == "unknown" or of == "in_flight"
        }
        assert accepted <= taken | self.vouched
        assert taken <= accepted | doubtful | self.given_up | self.resent

    @invariant()
    def an_ended_send_has_nothing_open(self) -> None:
        counts = count_recipients_by_state(self.ledger, self.frozen)
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
def test_the_ledger_keeps_its_word(  # noqa: PLR0917 - fixtures
    ledger: Ledger,
    email: Email,
    world: World,
    double: FakeSendGrid,
    mailer: SendGridClient,
    make_readers: MakeReaders,
    examples: int,
) -> None:
    parts = {
        "ledger": ledger, "email": email, "world": world, "double": double, "mailer": mailer,
        "make_readers": staticmethod(make_readers),
    }  # fmt: skip
    run_state_machine_as_test(
        type("Machine", (TheSend,), parts),
        settings=settings(max_examples=examples, stateful_step_count=15, deadline=None),
    )
