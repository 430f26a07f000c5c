"""Property test: copies of a database are made at any point, and all of them go on."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace

import pytest
import sqlalchemy as sa
from database_copies import CopiedPlace, Home
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sending_fixtures import FakeObserver, MakeReaders, Subscribe, configured

from newsletter.db import open_database
from newsletter.db.schema import event, metadata, send_recipient
from newsletter.errors import NewsletterError
from newsletter.sending.delivery.worker_pool import MailTransport
from newsletter.sending.ledger import pause_cancel_retry
from newsletter.sending.ledger import status as status_module
from newsletter.sending.ledger.copied_database import adopt, find_copy
from newsletter.sending.ledger.find_sends import open_ledger
from newsletter.sending.ledger.reconcile import reconcile_send
from newsletter.sending.ledger.record import count_recipients_by_state, get_send
from newsletter.sending.ledger.resolve import find_unknown_batches, resolve_batches
from newsletter.sending.ledger.status import get_send_status
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

TOTAL = 23
ISSUES = ("2026-12-01-ice", "2026-12-08-thaw")
MAX_COPIES = 2
FAULTS = (
    faults.lost_response(),
    faults.lost_request(),
    faults.error_response(400, "bad", "personalizations.1.to.0.email"),
    faults.error_response(503, accept=True),
)
issues = st.sampled_from(ISSUES)
places = st.integers(0, MAX_COPIES)


class FaultyTransport:
    """Injects a fault into each of the next requests."""

    def __init__(
        self, mailer: MailTransport, double: FakeSendGrid, plan: Sequence[InjectedFault]
    ) -> None:
        self.mailer = mailer
        self.double = double
        self.plan = list(plan)

    def post_mail(self, body: bytes) -> Response | NoResponse:
        if self.plan:
            self.double.inject_faults(self.plan.pop())
        return self.mailer.post_mail(body)


class CopyMachine(RuleBasedStateMachine):
    """A database, copies of it and of one another, and an editor who uses all of them.

    Attributes:
        homes: the original first. None knows what the others do.
        adopted: whether a copy has taken the original's place; it is the only home then.
        received: issue and address -> how many copies of the email SendGrid has accepted.
        events: of everything that SendGrid has accepted.
    """

    original: Home
    copy_database: Callable[[sa.Engine], CopiedPlace]
    double: FakeSendGrid
    make_list: Callable[[], None]

    def __init__(self) -> None:
        super().__init__()
        self.cleanup = ExitStack()
        self.homes = [self.original]
        self.adopted = False
        self.received = Counter[tuple[str, str]]()
        self.events: dict[str, list[dict[str, object]]] = {issue: [] for issue in ISSUES}
        self.double.clear_faults()
        self.make_list()

    def teardown(self) -> None:
        self.cleanup.close()

    def choose(self, place: int, issue: str) -> Home:
        return self.homes[place % len(self.homes)].of_issue(issue)

    def is_sent_elsewhere(self, home: Home) -> bool:
        """Whether an issue was sent by the original after the adopted copy was made."""
        issue = home.prepared.email.issue
        return any(name == issue for name, _ in self.received) and not get_send(home.ledger, issue)

    @rule(place=places, issue=issues)
    def plan(self, place: int, issue: str) -> None:
        home = self.choose(place, issue)
        if self.adopted and self.is_sent_elsewhere(home):
            return  # the editor was told
        with suppress(NewsletterError):
            home.plan()

    @rule(
        place=places,
        issue=issues,
        requests=st.integers(1, 4),
        plan=st.lists(st.sampled_from(FAULTS), max_size=2),
    )
    def send(self, place: int, issue: str, requests: int, plan: Sequence[InjectedFault]) -> None:
        """Send an issue, as ``newsletter send`` does: it is planned first if it was not."""
        home = self.choose(place, issue)
        is_copy = find_copy(home.engine) is not None
        self.plan(place, issue)
        before = len(self.double.accepted)
        transport = FaultyTransport(home.mailer, self.double, plan)
        with suppress(NewsletterError):
            replace(home, mailer=transport).deliver(requests)
        new = self.double.accepted[before:]
        assert not (is_copy and new)
        self.received.update((issue, email.address) for email in new)
        self.events[issue] += [
            {
                "sg_event_id": f"{issue} {email.address} {email.message_id}",
                "type": "processed",
                "at": home.observer.now,
                "address_key": email.address,
                "send_id": int(email.custom_args["nl_send"]),
                "batch_id": int(email.custom_args["nl_batch"]),
                "attempt_number": int(email.custom_args["nl_attempt"]),
                "raw": {},
            }
            for email in new
        ]

    @precondition(lambda self: self.received)
    @rule(place=places, issue=issues)
    def retry(self, place: int, issue: str) -> None:
        home = self.choose(place, issue)
        with suppress(NewsletterError):
            pause_cancel_retry.retry_rejected(home.ledger, home.send, 10)

    @precondition(lambda self: self.received)
    @rule(place=places, issue=issues)
    def receive_events(self, place: int, issue: str) -> None:
        home = self.choose(place, issue)
        with home.engine.begin() as connection:
            ids = [row["sg_event_id"] for row in self.events[issue]]
            connection.execute(sa.delete(event).where(event.c.sg_event_id.in_(ids)))
            if ids:
                connection.execute(sa.insert(event), self.events[issue])
        with suppress(NewsletterError):
            reconcile_send(home.ledger, home.send)

    @precondition(lambda self: not self.adopted and len(self.homes) <= MAX_COPIES)
    @rule(place=places)
    def copy(self, place: int) -> None:
        source = self.choose(place, ISSUES[0])
        engine = open_database(*self.copy_database(source.engine))
        self.cleanup.callback(engine.dispose)
        self.homes.append(self.original.at(engine))

    @precondition(lambda self: len(self.homes) > 1)
    @rule(place=places)
    def adopt(self, place: int) -> None:
        """Retire all others, take in all events, and send from a copy what nobody has received."""
        home = self.choose(place, ISSUES[0])
        if find_copy(home.engine) is None:
            return
        open_ledger(home.engine, configured())  # it is recognized by now
        adopt(home.engine)
        self.homes, self.adopted = [home], True
        for issue in ISSUES:
            self.receive_events(0, issue)
            self._resolve(home.of_issue(issue))

    def _resolve(self, home: Home) -> None:
        """Look the readers of each unknown batch up at SendGrid: some batches have no event."""
        with suppress(NewsletterError):
            for unknown in find_unknown_batches(home.ledger, home.send):
                query = sa.select(send_recipient.c.address_key).where(
                    send_recipient.c.batch_id == unknown.id, send_recipient.c.state == "unknown"
                )
                with home.engine.connect() as connection:
                    keys = {(home.send.issue, key) for key in connection.scalars(query)}
                is_received = bool(keys & self.received.keys())
                resolve_batches(
                    home.ledger, home.send, [unknown], "accepted" if is_received else "resend"
                )

    @invariant()
    def nobody_gets_an_issue_twice(self) -> None:
        assert [key for key, count in self.received.items() if count > 1] == []

    @invariant()
    def every_reader_has_a_state(self) -> None:
        for home in self.homes:
            ledger = home.ledger
            for issue in ISSUES:
                if planned := get_send(ledger, issue):
                    counts = count_recipients_by_state(ledger, planned)
                    assert sum(counts.values()) == TOTAL
                    with pytest.MonkeyPatch.context() as patch:  # as of a large send
                        patch.setattr(status_module, "LARGE_SEND_RECIPIENTS", 0)
                        assert get_send_status(ledger, planned).recipients_by_state == counts


@pytest.mark.property
@pytest.mark.parametrize(
    ("database_url", "examples"),
    [("sqlite", 25), ("postgresql", 5)],
    indirect=["database_url"],
    ids=["sqlite", "postgresql"],
)
def test_nobody_gets_an_issue_from_two_databases(
    engine: sa.Engine,
    prepared: PreparedEmail,
    mailer: SendGridClient,
    observer: FakeObserver,
    double: FakeSendGrid,
    subscribe: Subscribe,
    make_readers: MakeReaders,
    copy_database: Callable[[sa.Engine], CopiedPlace],
    examples: int,
) -> None:
    def make_list() -> None:
        with engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(sa.delete(table))
        subscribe(make_readers(TOTAL))
        open_ledger(engine, configured())  # which gives it an identity

    home = Home(engine, prepared, mailer, observer)
    attributes = {
        "original": home,
        "copy_database": staticmethod(copy_database),
        "double": double,
        "make_list": staticmethod(make_list),
    }
    run_state_machine_as_test(
        type("Machine", (CopyMachine,), attributes),
        settings=settings(max_examples=examples, stateful_step_count=20, deadline=None),
    )
