"""Several requests in the air at once, several senders, and one ledger that knows of all."""

import datetime
import hashlib
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
import sqlalchemy as sa
from sending_fixtures import MakeReaders, Subscribe, World, configured

from newsletter.db.schema import attempt, batch, provider_pause, send_recipient
from newsletter.errors import DatabaseError, SendRefusedError
from newsletter.sending.delivery import claim
from newsletter.sending.delivery.record_results import BatchResult, record_batch_results
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.delivery.worker_pool import WorkerPool, tune_interpreter
from newsletter.sending.ledger.leases import expire_leases
from newsletter.sending.ledger.record import (
    Ledger,
    Send,
    count_recipients_by_state,
    get_next_claim_time,
    get_send,
    start_send,
    stop_send,
)
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.payload import PreparedEmail, prepare_email
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults

TOTAL = 95
ACCEPTED = Response(202, {}, b"")


class Vendor:
    """Takes everything, in as many threads as come; remembers how many came at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = self.most = self.posts = 0

    def post_mail(self, body: bytes) -> Response | NoResponse:
        with self.lock:
            self.posts += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
        try:
            return self.answer(body)
        finally:
            with self.lock:
                self.inside -= 1

    def answer(self, body: bytes) -> Response | NoResponse:  # noqa: ARG002 - for those that look
        return ACCEPTED


@dataclass
class Patient(Vendor):
    """Answers nobody before so many requests are in the air."""

    together: int
    barrier: threading.Barrier = field(init=False)

    def __post_init__(self) -> None:
        super().__init__()
        self.barrier = threading.Barrier(self.together)

    def answer(self, body: bytes) -> Response | NoResponse:  # noqa: ARG002
        self.barrier.wait(timeout=60)
        return ACCEPTED


@pytest.fixture
def frozen(
    ledger: Ledger, letter: PreparedEmail, subscribe: Subscribe, make_readers: MakeReaders
) -> Send:
    """Ten batches: nine of ten readers and one of five."""
    subscribe(make_readers(TOTAL))
    return freeze_send(ledger, letter)


def states(ledger: Ledger) -> Counter[str]:
    with ledger.engine.connect() as connection:
        return Counter(connection.scalars(sa.select(batch.c.state)))


def state_of(ledger: Ledger, of: Send) -> str:
    found = get_send(ledger, of.issue)
    assert found is not None
    return found.state


@pytest.mark.parametrize("together", [2, 5])
def test_so_many_requests_are_in_the_air_at_once_and_no_more(
    ledger: Ledger, letter: PreparedEmail, frozen: Send, world: World, together: int
) -> None:
    vendor = Patient(together)
    BatchSender(ledger, frozen, letter, vendor, world, concurrency=together).run()
    assert (vendor.most, vendor.posts) == (together, 10)
    assert count_recipients_by_state(ledger, frozen) == {"accepted": TOTAL}
    assert state_of(ledger, frozen) == "done"
    assert world.done == TOTAL


def test_every_thread_keeps_one_connection(  # noqa: PLR0917 - fixtures
    ledger: Ledger,
    letter: PreparedEmail,
    frozen: Send,
    world: World,
    double: FakeSendGrid,
    mailer: SendGridClient,
) -> None:
    BatchSender(ledger, frozen, letter, mailer, world, concurrency=3).run()
    assert Counter(Counter(one.address for one in double.accepted).values()) == {1: TOTAL}
    assert double.connection_count <= 3


def test_in_flight_is_on_record_before_any_request_comes(
    ledger: Ledger, letter: PreparedEmail, frozen: Send, world: World
) -> None:
    class Looking(Vendor):
        def answer(self, body: bytes) -> Response | NoResponse:
            with ledger.engine.connect() as connection:
                known = connection.execute(
                    sa.select(batch.c.state, attempt.c.ended_at)
                    .join(attempt, attempt.c.batch_id == batch.c.id)
                    .where(attempt.c.body_sha == hashlib.sha256(body).hexdigest())
                ).one()
            return ACCEPTED if known == ("in_flight", None) else Response(500, {}, b"")

    BatchSender(ledger, frozen, letter, Looking(), world, concurrency=4).run()
    assert count_recipients_by_state(ledger, frozen) == {"accepted": TOTAL}


@pytest.mark.parametrize("status", [401, 403, 451])
def test_a_refused_account_lets_nothing_more_leave_and_settles_what_is_in_the_air(
    ledger: Ledger, letter: PreparedEmail, frozen: Send, world: World, status: int
) -> None:
    class Withdrawn(Patient):
        def answer(self, body: bytes) -> Response | NoResponse:  # noqa: ARG002
            if self.barrier.wait(timeout=60) == 0:
                return Response(status, {}, b"")
            while state_of(ledger, frozen) == "running":
                threading.Event().wait(0.01)
            return ACCEPTED

    vendor = Withdrawn(4)
    outcome = BatchSender(ledger, frozen, letter, vendor, world, concurrency=4).run()
    assert outcome is not None
    assert outcome.status == status
    assert vendor.posts == 4
    assert state_of(ledger, frozen) == "blocked"
    assert states(ledger) == {"accepted": 3, "ready": 7}


def test_all_senders_keep_the_pause_that_one_was_asked_for(  # noqa: PLR0917
    ledger: Ledger,
    letter: PreparedEmail,
    frozen: Send,
    world: World,
    double: FakeSendGrid,
    mailer: SendGridClient,
) -> None:
    until = world.now + datetime.timedelta(seconds=42)
    double.inject_faults(faults.rate_limit_response(until.timestamp()))
    with pytest.raises(InterruptedError):
        BatchSender(ledger, frozen, letter, mailer, Busy(), concurrency=1).run()
    with ledger.engine.connect() as connection:
        assert connection.scalars(sa.select(provider_pause.c.paused_until)).all() == [until]
    assert claim.claim_batches(ledger, frozen, 10) == []
    assert get_next_claim_time(ledger, frozen) == until
    other = World(world.now)
    BatchSender(replace(ledger, clock=lambda _: other.now), frozen, letter, mailer, other).run()
    assert other.waits == [42.0]
    assert count_recipients_by_state(ledger, frozen) == {"accepted": TOTAL}


class Busy(World):
    """Won't wait."""

    def wait(self, seconds: float) -> None:
        raise InterruptedError(seconds)


@pytest.mark.parametrize("how", ["paused", "throttled"])
def test_what_was_claimed_is_put_back_if_nothing_may_leave_any_more(
    ledger: Ledger, frozen: Send, world: World, how: str
) -> None:
    start_send(ledger, frozen)
    held = claim.claim_batches(ledger, frozen, 3)
    if how == "paused":
        stop_send(ledger, frozen, "paused", "by hand")
    else:
        later = world.now + datetime.timedelta(seconds=9)
        with ledger.engine.begin() as connection:
            connection.execute(sa.insert(provider_pause).values(id=1, paused_until=later))
    assert claim.mark_in_flight(ledger, [claim.PreparedBatch(one, b"{}") for one in held]) is None
    assert states(ledger) == {"ready": 10}


def test_a_batch_that_is_anothers_by_now_keeps_its_whole_group_here(
    ledger: Ledger, frozen: Send
) -> None:
    start_send(ledger, frozen)
    held = claim.claim_batches(ledger, frozen, 3)
    with ledger.engine.begin() as connection:
        lost = sa.update(batch).where(batch.c.id == held[1].id)
        connection.execute(lost.values(fence=batch.c.fence + 1))
    with pytest.raises(SendRefusedError, match="no longer this sender's"):
        claim.mark_in_flight(ledger, [claim.PreparedBatch(one, b"{}") for one in held])
    assert states(ledger) == {"ready": 7, "claimed": 3}


def test_a_slow_request_is_not_taken_for_a_dead_senders(
    ledger: Ledger, letter: PreparedEmail, frozen: Send, world: World
) -> None:
    """Another sender sweeps all the time, for three times as long as the lease was at first."""
    lease = datetime.timedelta(seconds=0.3)
    swept: list[int] = []

    class Slow(Vendor):
        def answer(self, body: bytes) -> Response | NoResponse:  # noqa: ARG002
            for _ in range(3_000):
                if self.posts > 1 or len(swept) == 9:
                    break
                if leased_until(ledger) == world.now + lease:
                    world.now += lease / 3
                    swept.append(expire_leases(ledger, frozen))
                threading.Event().wait(0.01)
            return ACCEPTED

    BatchSender(replace(ledger, lease=lease), frozen, letter, Slow(), world, concurrency=1).run()
    assert swept == [0] * 9
    assert count_recipients_by_state(ledger, frozen) == {"accepted": TOTAL}


def leased_until(ledger: Ledger) -> datetime.datetime | None:
    with ledger.engine.connect() as connection:
        return connection.scalar(sa.select(batch.c.lease_until).where(batch.c.state == "in_flight"))


def test_a_second_ctrl_c_stops_at_once_and_loses_nothing(
    ledger: Ledger, letter: PreparedEmail, frozen: Send, world: World
) -> None:
    release = threading.Event()

    class Stuck(Vendor):
        def answer(self, body: bytes) -> Response | NoResponse:  # noqa: ARG002
            if self.posts <= 2:
                return ACCEPTED
            release.wait(timeout=60)
            return ACCEPTED

    class Impatient(World):
        def advance(self, recipient_count: int) -> None:
            if recipient_count:
                raise KeyboardInterrupt

    before = sys.getswitchinterval()
    with pytest.raises(KeyboardInterrupt):
        BatchSender(ledger, frozen, letter, Stuck(), Impatient(), concurrency=4).run()
    assert sys.getswitchinterval() == before
    left = states(ledger)
    assert left["accepted"] >= 1
    assert left["in_flight"] >= 2
    release.set()
    vendor = Vendor()
    BatchSender(ledger, frozen, letter, vendor, world, concurrency=4).run()
    assert vendor.posts == left["ready"] + left["claimed"]
    assert states(ledger) == {
        "accepted": left["accepted"] + vendor.posts,
        "unknown": left["in_flight"],
    }
    assert state_of(ledger, frozen) == "needs_review"


def test_an_outcome_that_cannot_be_written_does_not_take_others_with_it(
    ledger: Ledger,
    letter: PreparedEmail,
    frozen: Send,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(of: Ledger, back: list[BatchResult]) -> None:
        if any(one.batch.number == 2 for one in back):
            raise DatabaseError("the disk is full")
        record_batch_results(of, back)

    monkeypatch.setattr("newsletter.sending.delivery.sender.record_batch_results", failing)
    vendor = Vendor()
    with pytest.raises(DatabaseError, match="batch 2 had left") as failed:
        BatchSender(ledger, frozen, letter, vendor, world, concurrency=4).run()
    assert [problem.message for problem in failed.value.problems][1:] == ["the disk is full"]
    assert states(ledger)["in_flight"] == 1
    assert states(ledger)["accepted"] == vendor.posts - 1


def test_a_fault_of_the_program_in_a_thread_is_raised_once_the_others_are_back() -> None:
    class Broken(Vendor):
        def answer(self, body: bytes) -> Response | NoResponse:
            if body == b"bad":
                raise ZeroDivisionError
            return ACCEPTED

    with WorkerPool[str](Broken(), 1) as posters:
        posters.submit("one", b"good")
        assert posters.get_completed(30) == [("one", ACCEPTED)]
        posters.submit("two", b"bad")
        with pytest.raises(ZeroDivisionError):
            posters.get_completed(30)


def test_posters_wait_no_longer_than_they_are_told() -> None:
    vendor = Patient(2)
    with WorkerPool[str](vendor, 2) as posters:
        posters.submit("one", b"")
        assert posters.get_completed(0.01) == []
        assert posters.idle_count == 1
        posters.submit("two", b"")
        back = posters.get_completed(30)
        while posters.in_flight:
            back += posters.get_completed(30)
        assert sorted(back) == [("one", ACCEPTED), ("two", ACCEPTED)]


def test_python_is_left_as_it_was() -> None:
    before = sys.getswitchinterval()
    with tune_interpreter():
        assert sys.getswitchinterval() < before
    assert sys.getswitchinterval() == before


def cut(ledger: Ledger) -> list[list[int]]:
    """The readers of each batch."""
    query = sa.select(send_recipient.c.batch_id, send_recipient.c.subscriber_id)
    batches: dict[int, list[int]] = {}
    with ledger.engine.connect() as connection:
        for batch_id, reader in connection.execute(query.order_by(*query.selected_columns)):
            batches.setdefault(batch_id, []).append(reader)
        sizes = connection.scalars(sa.select(batch.c.size).order_by(batch.c.id)).all()
    assert sizes == [len(readers) for readers in batches.values()]
    return list(batches.values())


def test_batches_are_cut_by_count(ledger: Ledger, frozen: Send) -> None:
    everybody = list(range(1, TOTAL + 1))
    assert cut(ledger) == [everybody[start : start + 10] for start in range(0, TOTAL, 10)]
    assert frozen.total == TOTAL


def test_batches_are_cut_by_bytes_where_count_would_allow_too_many(
    ledger: Ledger,
    letter: PreparedEmail,
    subscribe: Subscribe,
    make_readers: MakeReaders,
    world: World,
) -> None:
    subscribe(make_readers(TOTAL))
    narrow = prepare_email(letter.email, configured(limits={"request_bytes": 30_000}))
    assert letter.always_fits
    assert not narrow.always_fits
    of = freeze_send(ledger, narrow)
    assert [reader for readers in cut(ledger) for reader in readers] == list(range(1, TOTAL + 1))

    class Measuring(Vendor):
        largest = 0

        def answer(self, body: bytes) -> Response | NoResponse:
            self.largest = max(self.largest, len(body))
            return ACCEPTED

    vendor = Measuring()
    BatchSender(ledger, of, narrow, vendor, world, concurrency=2).run()
    assert 25_000 < vendor.largest <= 30_000
    assert count_recipients_by_state(ledger, of) == {"accepted": TOTAL}


def test_a_send_of_one_reader_a_request_is_frozen_and_sent_too(
    ledger: Ledger,
    letter: PreparedEmail,
    subscribe: Subscribe,
    make_readers: MakeReaders,
    world: World,
) -> None:
    subscribe(make_readers(7))
    single = prepare_email(letter.email, configured(sendgrid={"personalize": "per_request"}))
    of = freeze_send(ledger, single)
    vendor = Vendor()
    BatchSender(ledger, of, single, vendor, world).run()
    assert vendor.posts == 7
    assert count_recipients_by_state(ledger, of) == {"accepted": 7}
