"""The sender against the double, over real sockets, on both databases, with faults."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import pytest
import sqlalchemy as sa
from sending_fixtures import MakeReaders, Subscribe, World

from newsletter.db.schema import attempt, batch, send_recipient, subscriber, suppression
from newsletter.errors import DatabaseError
from newsletter.sending.delivery import claim
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.ledger.record import (
    Ledger,
    Send,
    count_recipients_by_state,
    get_send,
    list_unknown_batches,
)
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.provider import NoResponse, Outcome, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.payload import PreparedEmail
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

TOTAL = 25


@dataclass
class Desk:
    """A frozen send of 25 readers in batches of ten, and what is needed to send it."""

    ledger: Ledger
    letter: PreparedEmail
    mailer: SendGridClient
    world: World
    double: FakeSendGrid
    concurrency: int = 1  # what comes after what is then known

    def send(self) -> Send:
        found = get_send(self.ledger, self.letter.email.issue)
        assert found is not None
        return found

    def run(self) -> Outcome | None:
        sender = BatchSender(
            self.ledger, self.send(), self.letter, self.mailer, self.world, lambda: 1.0,
            self.concurrency,
        )  # fmt: skip
        return sender.run()

    def readers(self) -> dict[str, int]:
        return count_recipients_by_state(self.ledger, self.send())

    def check(self) -> None:
        """Nobody twice, nobody lost, and nobody has mail whom the ledger doesn't know of."""
        times = Counter(one.address for one in self.double.accepted)
        assert set(times.values()) <= {1}
        counts = self.readers()
        assert sum(counts.values()) == self.send().total == TOTAL
        with self.ledger.engine.connect() as connection:
            states = sa.select(send_recipient.c.address_key, send_recipient.c.state)
            state = dict(connection.execute(states).all())
        assert {state[address] for address in times} <= {"accepted", "unknown"}
        assert {address for address, now in state.items() if now == "accepted"} <= times.keys()


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


def test_a_calm_send_reaches_everybody_once(desk: Desk) -> None:
    assert desk.run() is None
    assert desk.send().state == "done"
    assert desk.readers() == {"accepted": TOTAL}
    assert [one.address for one in desk.double.accepted] == [
        f"reader{number}@example.com" for number in range(1, TOTAL + 1)
    ]
    assert desk.world.done == TOTAL
    assert desk.double.unfilled_tokens == set()
    desk.check()


def test_the_attempt_is_on_record_with_the_vendors_id(desk: Desk) -> None:
    desk.run()
    with desk.ledger.engine.connect() as connection:
        rows = connection.execute(sa.select(attempt).order_by(attempt.c.batch_id)).all()
    assert [(row.number, row.http_status, row.outcome) for row in rows] == [
        (1, 202, "accepted")
    ] * 3
    assert [row.message_id for row in rows] == list(
        dict.fromkeys(one.message_id for one in desk.double.accepted)
    )


UNKNOWN = [
    faults.lost_response(),
    faults.lost_request(),
    faults.slow_response(0.8),
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
def test_what_may_have_arrived_is_unknown_and_never_sent_again(
    desk: Desk, fault: InjectedFault
) -> None:
    desk.double.inject_faults(InjectedFault(accept=True), fault)
    desk.run()
    assert desk.send().state == "needs_review"
    assert desk.readers() == {"accepted": 15, "unknown": 10}
    assert [row[:2] for row in list_unknown_batches(desk.ledger, desk.send())] == [(2, 10)]
    requests = len(desk.double.requests)
    desk.run()
    assert len(desk.double.requests) == requests == 3
    desk.check()


def test_a_request_that_never_left_is_tried_again_after_growing_pauses(desk: Desk) -> None:
    desk.mailer = _Stumbling(desk.mailer, 3)
    desk.run()
    assert desk.readers() == {"accepted": TOTAL}
    assert desk.world.waits == [1.0, 2.0, 4.0]
    desk.check()


def test_after_eight_tries_the_send_pauses_and_a_new_run_goes_on(desk: Desk) -> None:
    vendor = desk.mailer
    desk.mailer = _Stumbling(vendor, 100)
    outcome = desk.run()
    assert outcome is not None
    assert outcome.message == "connection refused"
    assert desk.send().state == "paused"
    assert desk.readers() == {"pending": TOTAL}
    assert len(desk.world.waits) == 7
    desk.mailer = vendor
    desk.run()
    assert desk.readers() == {"accepted": TOTAL}
    desk.check()


def test_429_waits_until_the_vendor_says(desk: Desk) -> None:
    desk.double.inject_faults(faults.rate_limit_response(desk.world.now.timestamp() + 42))
    desk.run()
    assert desk.world.waits == [42.0]
    assert "pause" in desk.world.remarks[0]
    assert desk.readers() == {"accepted": TOTAL}
    desk.check()


@pytest.mark.parametrize(("status", "remedy"), [(401, "KEY"), (403, "Verify"), (451, "region")])
def test_a_refused_account_stops_the_send_and_is_not_charged(
    desk: Desk, status: int, remedy: str
) -> None:
    desk.double.inject_faults(
        InjectedFault(accept=True), faults.error_response(status, "so says the vendor")
    )
    outcome = desk.run()
    assert outcome is not None
    assert (outcome.message, remedy in outcome.remedy) == ("so says the vendor", True)
    assert (desk.send().state, desk.send().reason) == ("blocked", "so says the vendor")
    assert desk.readers() == {"accepted": 10, "pending": 15}
    with desk.ledger.engine.connect() as connection:
        assert set(connection.scalars(sa.select(batch.c.attempts))) == {0}
    desk.run()
    assert desk.send().state == "done"
    desk.check()


def test_readers_whom_a_400_names_are_set_aside_and_the_rest_sent(desk: Desk) -> None:
    complaint = faults.error_response(
        400, "Does not contain a valid address.", "personalizations.3.to.0"
    )
    desk.double.inject_faults(complaint)
    desk.run()
    assert desk.readers() == {"accepted": 24, "rejected": 1}
    with desk.ledger.engine.connect() as connection:
        bad = connection.execute(
            sa.select(send_recipient).where(send_recipient.c.state == "rejected")
        ).one()
    assert bad.address_key == "reader4@example.com"
    assert bad.error == "Does not contain a valid address."
    desk.check()


@pytest.mark.parametrize("status", [400, 413])
def test_a_nameless_refusal_is_split_until_the_culprit_is_alone(desk: Desk, status: int) -> None:
    desk.mailer = _Picky(desk.mailer, b"reader7@", status)
    desk.run()
    assert desk.readers() == {"accepted": 24, "rejected": 1}
    with desk.ledger.engine.connect() as connection:
        parents = connection.scalars(
            sa.select(batch.c.parent_id).where(batch.c.state == "rejected")
        )
        assert parents.one() is not None
    desk.check()


def test_a_refusal_of_the_whole_message_stops_the_send(desk: Desk) -> None:
    desk.double.inject_faults(faults.error_response(400, "The content is odd.", "content.0.value"))
    outcome = desk.run()
    assert outcome is not None
    assert desk.send().state == "blocked"
    assert desk.readers() == {"pending": TOTAL}
    assert len(desk.double.requests) == 1


def test_whoever_leaves_before_their_batch_is_claimed_gets_nothing(desk: Desk) -> None:
    with desk.ledger.engine.begin() as connection:
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
                since=desk.world.now,
                source="x",
            )
        )
    desk.run()
    assert desk.readers() == {"accepted": 21, "skipped_late": 4}
    assert desk.double.accepted[0].address == "reader5@example.com"
    desk.check()


def test_a_batch_that_all_have_left_needs_no_request(desk: Desk) -> None:
    with desk.ledger.engine.begin() as connection:
        connection.execute(sa.update(subscriber).values(status="unsubscribed"))
    desk.run()
    assert desk.send().state == "done"
    assert desk.readers() == {"skipped_late": TOTAL}
    assert desk.double.requests == []


def test_a_reader_whom_no_request_can_hold_is_rejected_alone(desk: Desk) -> None:
    with desk.ledger.engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 1).values(name="x" * 20_000)
        )
    desk.run()
    assert desk.readers() == {"accepted": 24, "rejected": 1}
    desk.check()


def test_a_dead_senders_request_becomes_unknown_and_its_claim_ready(desk: Desk) -> None:
    first, second = desk.letter, desk.ledger
    desk.world.shortest_wait = 0
    claim_and_die(desk, departs=True)
    claim_and_die(desk, departs=False)
    desk.run()
    assert desk.readers() == {"accepted": 15, "unknown": 10}
    assert desk.send().state == "needs_review"
    assert sum(desk.world.waits) == second.lease.total_seconds()
    assert first.email.issue == desk.send().issue
    desk.check()


def claim_and_die(desk: Desk, *, departs: bool) -> None:
    from newsletter.sending.ledger.record import start_send

    start_send(desk.ledger, desk.send())
    (held,) = claim.claim_batches(desk.ledger, desk.send())
    if departs:
        claim.mark_in_flight(desk.ledger, [claim.PreparedBatch(held, b"{}")])


def test_ctrl_c_finishes_the_request_in_flight_and_leaves_the_rest(desk: Desk) -> None:
    desk.mailer = _Interrupting(desk.mailer, desk.world)
    desk.run()
    assert desk.send().state == "paused"
    assert desk.readers() == {"accepted": 10, "pending": 15}
    desk.world.stop_requested = False
    desk.mailer = desk.mailer.mailer
    desk.run()
    assert desk.send().state == "done"
    desk.check()


def test_two_senders_share_the_batches_and_double_nobody(desk: Desk) -> None:
    other = replace(desk, world=_Impatient())
    desk.mailer = _Between(desk.mailer, other.run)
    desk.run()
    assert desk.send().state == "done"
    assert desk.readers() == {"accepted": TOTAL}
    assert (desk.world.done, other.world.done) == (10, 15)
    desk.check()


@pytest.mark.parametrize("statement", ["UPDATE batch", "INSERT INTO attempt"])
def test_a_full_disk_before_the_request_sends_nothing(desk: Desk, statement: str) -> None:
    with full_disk(desk, statement), pytest.raises(DatabaseError, match="disk is full"):
        desk.run()
    assert desk.double.requests == []
    desk.run()
    assert desk.readers() == {"accepted": TOTAL}
    desk.check()


def test_a_full_disk_after_the_request_makes_it_unknown_and_says_so(desk: Desk) -> None:
    with full_disk(desk, "UPDATE attempt SET ended_at"), pytest.raises(DatabaseError) as failed:
        desk.run()
    assert [str(problem).split(".")[0] for problem in failed.value.problems] == [
        "batch 1 had left when its outcome could not be written",
        "the disk is full",
    ]
    assert len(desk.double.accepted) == 10
    desk.run()
    assert desk.readers() == {"accepted": 15, "unknown": 10}
    desk.check()


@contextmanager
def full_disk(desk: Desk, statement: str) -> Iterator[None]:
    """The database refuses whatever begins with ``statement``, as on a full disk."""

    def refuse(*arguments: object) -> None:
        if str(arguments[2]).startswith(statement):
            raise DatabaseError("the disk is full")

    sa.event.listen(desk.ledger.engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        sa.event.remove(desk.ledger.engine, "before_cursor_execute", refuse)


class _Impatient(World):
    """Would rather not wait for the other sender."""

    def wait(self, seconds: float) -> None:
        raise InterruptedError(seconds)


class _Wrapped(SendGridClient):
    """A mailer around a mailer."""

    def __init__(self, mailer: SendGridClient) -> None:
        self.mailer = mailer


class _Stumbling(_Wrapped):
    """Can't connect the first few times."""

    def __init__(self, mailer: SendGridClient, times: int) -> None:
        super().__init__(mailer)
        self.times = times

    def post_mail(self, body: bytes) -> Response | NoResponse:
        if self.times:
            self.times -= 1
            return NoResponse(request_sent=False, reason="connection refused")
        return self.mailer.post_mail(body)


class _Picky(_Wrapped):
    """Refuses every request that holds a certain reader, and doesn't say why."""

    def __init__(self, mailer: SendGridClient, culprit: bytes, status: int) -> None:
        super().__init__(mailer)
        self.culprit = culprit
        self.status = status

    def post_mail(self, body: bytes) -> Response | NoResponse:
        if self.culprit in body:
            return Response(self.status, {}, b"<html>no</html>")
        return self.mailer.post_mail(body)


class _Interrupting(_Wrapped):
    """Somebody presses Ctrl-C while the first request is in flight."""

    def __init__(self, mailer: SendGridClient, world: World) -> None:
        super().__init__(mailer)
        self.world = world

    def post_mail(self, body: bytes) -> Response | NoResponse:
        self.world.stop_requested = True
        return self.mailer.post_mail(body)


class _Between(_Wrapped):
    """Another sender runs while the first request is in flight."""

    def __init__(self, mailer: SendGridClient, other: Callable[[], object]) -> None:
        super().__init__(mailer)
        self.other = other
        self.called = False

    def post_mail(self, body: bytes) -> Response | NoResponse:
        answer = self.mailer.post_mail(body)
        if not self.called:
            self.called = True
            with suppress(InterruptedError):
                self.other()
        return answer
