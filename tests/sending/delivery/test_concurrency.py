"""Several requests in flight at once, and several senders, over one ledger."""

import datetime
import hashlib
import threading
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
import sqlalchemy as sa
from sending_fixtures import FakeObserver, MakeReaders, Subscribe, configured

from newsletter.db.schema import attempt, batch, provider_pause, send_recipient
from newsletter.errors import DatabaseError, SendRefusedError
from newsletter.sending.delivery import response_recorder
from newsletter.sending.delivery.claim import claim_batches
from newsletter.sending.delivery.in_flight import mark_in_flight
from newsletter.sending.delivery.prepare_batch import PreparedBatch
from newsletter.sending.delivery.record_results import BatchResult, record_batch_results
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.delivery.worker_pool import WorkerPool
from newsletter.sending.ledger.leases import expire_leases, get_next_claim_time
from newsletter.sending.ledger.record import (
    Ledger,
    Send,
    count_recipients_by_state,
    get_send,
    start_send,
    stop_send,
)
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.payload import prepare_email
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults

TOTAL = 95
ACCEPTED = Response(202, {}, b"")


class FakeTransport:
    """A transport that accepts everything, and counts how many requests are in flight at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.in_flight = self.peak = self.post_count = 0

    def post_mail(self, body: bytes) -> Response | NoResponse:
        with self.lock:
            self.post_count += 1
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
        try:
            return self.respond(body)
        finally:
            with self.lock:
                self.in_flight -= 1

    def respond(self, body: bytes) -> Response | NoResponse:  # noqa: ARG002 - for subclasses
        return ACCEPTED


@dataclass
class BarrierTransport(FakeTransport):
    """A transport that responds only once ``concurrency`` requests are in flight."""

    concurrency: int
    barrier: threading.Barrier = field(init=False)

    def __post_init__(self) -> None:
        super().__init__()
        self.barrier = threading.Barrier(self.concurrency)

    def respond(self, body: bytes) -> Response | NoResponse:  # noqa: ARG002
        self.barrier.wait(timeout=60)
        return ACCEPTED


@pytest.fixture
def frozen(
    ledger: Ledger, prepared: PreparedEmail, subscribe: Subscribe, make_readers: MakeReaders
) -> Send:
    """Ten batches: nine of ten recipients and one of five."""
    subscribe(make_readers(TOTAL))
    return freeze_send(ledger, prepared)


def states(ledger: Ledger) -> Counter[str]:
    with ledger.engine.connect() as connection:
        return Counter(connection.scalars(sa.select(batch.c.state)))


def load_state(ledger: Ledger, frozen: Send) -> str:
    send = get_send(ledger, frozen.issue)
    assert send is not None
    return send.state


@pytest.mark.parametrize("concurrency", [2, 5])
def test_concurrency_is_used_and_not_exceeded(
    ledger: Ledger, prepared: PreparedEmail, frozen: Send, observer: FakeObserver, concurrency: int
) -> None:
    transport = BarrierTransport(concurrency)
    BatchSender(ledger, frozen, prepared, transport, observer, concurrency=concurrency).run()
    assert (transport.peak, transport.post_count) == (concurrency, 10)
    assert count_recipients_by_state(ledger, frozen) == {"accepted": TOTAL}
    assert load_state(ledger, frozen) == "done"
    assert observer.done == TOTAL


def test_every_thread_reuses_its_connection(
    ledger: Ledger,
    prepared: PreparedEmail,
    frozen: Send,
    observer: FakeObserver,
    double: FakeSendGrid,
    mailer: SendGridClient,
) -> None:
    BatchSender(ledger, frozen, prepared, mailer, observer, concurrency=3).run()
    assert Counter(Counter(email.address for email in double.accepted).values()) == {1: TOTAL}
    assert double.connection_count <= 3


def test_in_flight_is_committed_before_the_request_arrives(
    ledger: Ledger, prepared: PreparedEmail, frozen: Send, observer: FakeObserver
) -> None:
    class CheckingTransport(FakeTransport):
        def respond(self, body: bytes) -> Response | NoResponse:
            with ledger.engine.connect() as connection:
                recorded = connection.execute(
                    sa.select(batch.c.state, attempt.c.ended_at)
                    .join(attempt, attempt.c.batch_id == batch.c.id)
                    .where(attempt.c.body_sha == hashlib.sha256(body).hexdigest())
                ).one()
            return ACCEPTED if recorded == ("in_flight", None) else Response(500, {}, b"")

    BatchSender(ledger, frozen, prepared, CheckingTransport(), observer, concurrency=4).run()
    assert count_recipients_by_state(ledger, frozen) == {"accepted": TOTAL}


@pytest.mark.parametrize("status", [401, 403, 451])
def test_refused_account_stops_the_send_and_requests_in_flight_are_recorded(
    ledger: Ledger, prepared: PreparedEmail, frozen: Send, observer: FakeObserver, status: int
) -> None:
    class RevokedAccount(BarrierTransport):
        def respond(self, body: bytes) -> Response | NoResponse:  # noqa: ARG002
            if self.barrier.wait(timeout=60) == 0:
                return Response(status, {}, b"")
            while load_state(ledger, frozen) == "running":
                threading.Event().wait(0.01)
            return ACCEPTED

    transport = RevokedAccount(4)
    outcome = BatchSender(ledger, frozen, prepared, transport, observer, concurrency=4).run()
    assert outcome is not None
    assert outcome.status == status
    assert transport.post_count == 4
    assert load_state(ledger, frozen) == "blocked"
    assert states(ledger) == {"accepted": 3, "ready": 7}


def test_all_senders_wait_for_the_pause_that_one_was_asked_for(
    ledger: Ledger,
    prepared: PreparedEmail,
    frozen: Send,
    observer: FakeObserver,
    double: FakeSendGrid,
    mailer: SendGridClient,
) -> None:
    until = observer.now + datetime.timedelta(seconds=42)
    double.inject_faults(faults.rate_limit_response(until.timestamp()))
    with pytest.raises(InterruptedError):
        BatchSender(ledger, frozen, prepared, mailer, NonWaitingObserver(), concurrency=1).run()
    with ledger.engine.connect() as connection:
        assert connection.scalars(sa.select(provider_pause.c.paused_until)).all() == [until]
    assert claim_batches(ledger, frozen, 10) == []
    assert get_next_claim_time(ledger, frozen) == until
    other = FakeObserver(observer.now)
    BatchSender(replace(ledger, clock=lambda _: other.now), frozen, prepared, mailer, other).run()
    assert other.waits == [42.0]
    assert count_recipients_by_state(ledger, frozen) == {"accepted": TOTAL}


class NonWaitingObserver(FakeObserver):
    """An observer that raises instead of waiting."""

    def wait(self, seconds: float) -> None:
        raise InterruptedError(seconds)


@pytest.mark.parametrize("reason", ["paused", "throttled"])
def test_claimed_batches_are_released_if_they_may_not_be_sent(
    ledger: Ledger, frozen: Send, observer: FakeObserver, reason: str
) -> None:
    start_send(ledger, frozen)
    claimed = claim_batches(ledger, frozen, 3)
    if reason == "paused":
        stop_send(ledger, frozen, "paused", "by hand")
    else:
        later = observer.now + datetime.timedelta(seconds=9)
        with ledger.engine.begin() as connection:
            connection.execute(sa.insert(provider_pause).values(id=1, paused_until=later))
    prepared = [PreparedBatch(claimed_batch, b"{}") for claimed_batch in claimed]
    assert mark_in_flight(ledger, prepared) is None
    assert states(ledger) == {"ready": 10}


def test_batch_taken_over_by_another_sender_keeps_its_whole_group_from_being_sent(
    ledger: Ledger, frozen: Send
) -> None:
    start_send(ledger, frozen)
    claimed = claim_batches(ledger, frozen, 3)
    with ledger.engine.begin() as connection:
        taken_over = sa.update(batch).where(batch.c.id == claimed[1].id)
        connection.execute(taken_over.values(fence=batch.c.fence + 1))
    prepared = [PreparedBatch(claimed_batch, b"{}") for claimed_batch in claimed]
    with pytest.raises(SendRefusedError, match="taken over by another sender"):
        mark_in_flight(ledger, prepared)
    assert states(ledger) == {"ready": 7, "claimed": 3}


def test_lease_of_a_slow_request_is_renewed(
    ledger: Ledger, prepared: PreparedEmail, frozen: Send, observer: FakeObserver
) -> None:
    """Another sender expires leases all the time, for three times the length of the lease."""
    lease = datetime.timedelta(seconds=0.3)
    expired: list[int] = []

    class SlowTransport(FakeTransport):
        def respond(self, body: bytes) -> Response | NoResponse:  # noqa: ARG002
            for _ in range(3_000):
                if self.post_count > 1 or len(expired) == 9:
                    break
                if load_lease_end(ledger) == observer.now + lease:
                    observer.now += lease / 3
                    expired.append(expire_leases(ledger, frozen))
                threading.Event().wait(0.01)
            return ACCEPTED

    BatchSender(
        replace(ledger, lease=lease), frozen, prepared, SlowTransport(), observer, concurrency=1
    ).run()
    assert expired == [0] * 9
    assert count_recipients_by_state(ledger, frozen) == {"accepted": TOTAL}


def load_lease_end(ledger: Ledger) -> datetime.datetime | None:
    with ledger.engine.connect() as connection:
        return connection.scalar(sa.select(batch.c.lease_until).where(batch.c.state == "in_flight"))


def test_second_ctrl_c_stops_immediately_and_loses_nothing(
    ledger: Ledger, prepared: PreparedEmail, frozen: Send, observer: FakeObserver
) -> None:
    release = threading.Event()

    class HangingTransport(FakeTransport):
        def respond(self, body: bytes) -> Response | NoResponse:  # noqa: ARG002
            if self.post_count <= 2:
                return ACCEPTED
            release.wait(timeout=60)
            return ACCEPTED

    class InterruptingObserver(FakeObserver):
        def advance(self, recipient_count: int) -> None:
            if recipient_count:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        BatchSender(
            ledger, frozen, prepared, HangingTransport(), InterruptingObserver(), concurrency=4
        ).run()
    interrupted = states(ledger)
    assert interrupted["accepted"] >= 1
    assert interrupted["in_flight"] >= 2
    release.set()
    transport = FakeTransport()
    BatchSender(ledger, frozen, prepared, transport, observer, concurrency=4).run()
    assert transport.post_count == interrupted["ready"] + interrupted["claimed"]
    assert states(ledger) == {
        "accepted": interrupted["accepted"] + transport.post_count,
        "unknown": interrupted["in_flight"],
    }
    assert load_state(ledger, frozen) == "needs_review"


def test_outcome_that_cannot_be_recorded_does_not_affect_others(
    ledger: Ledger,
    prepared: PreparedEmail,
    frozen: Send,
    observer: FakeObserver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(ledger: Ledger, results: list[BatchResult]) -> None:
        if any(result.batch.number == 2 for result in results):
            raise DatabaseError("the disk is full")
        record_batch_results(ledger, results)

    monkeypatch.setattr(response_recorder, "record_batch_results", failing)
    transport = FakeTransport()
    with pytest.raises(DatabaseError, match="batch 2 was sent, but") as failed:
        BatchSender(ledger, frozen, prepared, transport, observer, concurrency=4).run()
    assert [problem.message for problem in failed.value.problems][1:] == ["the disk is full"]
    assert states(ledger)["in_flight"] == 1
    assert states(ledger)["accepted"] == transport.post_count - 1


def test_exception_in_a_worker_is_raised_after_completed_items_are_returned() -> None:
    class FailingTransport(FakeTransport):
        def respond(self, body: bytes) -> Response | NoResponse:
            if body == b"bad":
                raise ZeroDivisionError
            return ACCEPTED

    with WorkerPool[str](FailingTransport(), 1) as pool:
        pool.submit("one", b"good")
        assert pool.get_completed(30) == [("one", ACCEPTED)]
        pool.submit("two", b"bad")
        with pytest.raises(ZeroDivisionError):
            pool.get_completed(30)


def test_pool_waits_no_longer_than_the_timeout() -> None:
    transport = BarrierTransport(2)
    with WorkerPool[str](transport, 2) as pool:
        pool.submit("one", b"")
        assert pool.get_completed(0.01) == []
        assert pool.idle_count == 1
        pool.submit("two", b"")
        completed = pool.get_completed(30)
        while pool.in_flight:
            completed += pool.get_completed(30)
        assert sorted(completed) == [("one", ACCEPTED), ("two", ACCEPTED)]


def batch_members(ledger: Ledger) -> list[list[int]]:
    """Return the subscriber ids of each batch."""
    query = sa.select(send_recipient.c.batch_id, send_recipient.c.subscriber_id)
    batches: dict[int, list[int]] = {}
    with ledger.engine.connect() as connection:
        for batch_id, subscriber_id in connection.execute(query.order_by(*query.selected_columns)):
            batches.setdefault(batch_id, []).append(subscriber_id)
        sizes = connection.scalars(sa.select(batch.c.size).order_by(batch.c.id)).all()
    assert sizes == [len(ids) for ids in batches.values()]
    return list(batches.values())


def test_batches_are_split_by_count(ledger: Ledger, frozen: Send) -> None:
    ids = list(range(1, TOTAL + 1))
    assert batch_members(ledger) == [ids[start : start + 10] for start in range(0, TOTAL, 10)]
    assert frozen.total == TOTAL


def test_batches_are_split_by_bytes_if_the_count_would_exceed_them(
    ledger: Ledger,
    prepared: PreparedEmail,
    subscribe: Subscribe,
    make_readers: MakeReaders,
    observer: FakeObserver,
) -> None:
    subscribe(make_readers(TOTAL))
    limited = prepare_email(prepared.email, configured(limits={"request_bytes": 30_000}))
    assert prepared.always_fits
    assert not limited.always_fits
    frozen = freeze_send(ledger, limited)
    assert [id_ for ids in batch_members(ledger) for id_ in ids] == list(range(1, TOTAL + 1))

    class MeasuringTransport(FakeTransport):
        largest = 0

        def respond(self, body: bytes) -> Response | NoResponse:
            self.largest = max(self.largest, len(body))
            return ACCEPTED

    transport = MeasuringTransport()
    BatchSender(ledger, frozen, limited, transport, observer, concurrency=2).run()
    assert 25_000 < transport.largest <= 30_000
    assert count_recipients_by_state(ledger, frozen) == {"accepted": TOTAL}


def test_send_with_one_recipient_per_request_is_frozen_and_sent(
    ledger: Ledger,
    prepared: PreparedEmail,
    subscribe: Subscribe,
    make_readers: MakeReaders,
    observer: FakeObserver,
) -> None:
    subscribe(make_readers(7))
    single = prepare_email(prepared.email, configured(sendgrid={"personalize": "per_request"}))
    frozen = freeze_send(ledger, single)
    transport = FakeTransport()
    BatchSender(ledger, frozen, single, transport, observer).run()
    assert transport.post_count == 7
    assert count_recipients_by_state(ledger, frozen) == {"accepted": 7}
