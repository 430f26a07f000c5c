"""The hourly limit: no hour exceeds it, with any number of senders; and every send completes."""

import datetime
from dataclasses import replace

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sending_fixtures import FakeObserver, MakeReaders, Subscribe

from newsletter.db import read_transaction
from newsletter.db.schema import rate_bucket
from newsletter.errors import SendRefusedError
from newsletter.sending.delivery.claim import claim_batches
from newsletter.sending.delivery.hourly_limit import HOUR, RateBucket, add_to_bucket
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.ledger.record import Ledger, count_recipients_by_state, get_send, start_send
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.planning.send_schedule import SendSchedule, save_schedule
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.rehearsal import FakeSendGrid

START = datetime.datetime(2026, 12, 1, 9, 0, tzinfo=datetime.UTC)


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 5000)), max_size=60),
)
def test_no_hour_sees_more_than_the_limit(limit: int, requests: list[tuple[int, int]]) -> None:
    bucket, now = RateBucket(0, START), START
    sent: list[tuple[datetime.datetime, int]] = []
    for recipient_count, seconds in requests:
        now += datetime.timedelta(seconds=seconds)
        result = add_to_bucket(bucket, min(recipient_count, limit), limit, now)
        if isinstance(result, RateBucket):
            bucket = result
            sent.append((now, min(recipient_count, limit)))
        else:
            assert now < result <= now + HOUR
    for begin, _ in sent:
        assert sum(size for at, size in sent if begin <= at < begin + HOUR) <= limit


@given(st.integers(1, 50), st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_request_succeeds_after_the_returned_wait(limit: int, sizes: list[int]) -> None:
    bucket, now, waits = RateBucket(0, START), START, 0
    for size in sizes:
        result = add_to_bucket(bucket, min(size, limit), limit, now)
        if not isinstance(result, RateBucket):
            now, waits = result, waits + 1
            result = add_to_bucket(bucket, min(size, limit), limit, now)
        assert isinstance(result, RateBucket)
        bucket = result
    assert waits < len(sizes)


def test_clock_that_goes_back_does_not_raise_the_limit() -> None:
    early = START - datetime.timedelta(minutes=50)
    assert add_to_bucket(RateBucket(10, START), 1, 10, early) == START + HOUR
    assert add_to_bucket(RateBucket(9, START), 1, 10, early) == RateBucket(10, START)


def test_limited_send_waits_and_reaches_everybody(
    ledger: Ledger,
    prepared: PreparedEmail,
    mailer: SendGridClient,
    observer: FakeObserver,
    double: FakeSendGrid,
    subscribe: Subscribe,
    make_readers: MakeReaders,
) -> None:
    subscribe(make_readers(45))
    frozen = save_schedule(ledger, freeze_send(ledger, prepared), SendSchedule(limit_per_hour=20))
    BatchSender(ledger, frozen, prepared, mailer, observer, jitter=lambda: 1.0, concurrency=1).run()
    assert count_recipients_by_state(ledger, frozen) == {"accepted": 45}
    assert len(double.requests) == 5
    assert sum(observer.waits) == 2 * HOUR.total_seconds()


def test_senders_share_one_count(
    ledger: Ledger, prepared: PreparedEmail, subscribe: Subscribe, make_readers: MakeReaders
) -> None:
    subscribe(make_readers(45))
    frozen = save_schedule(ledger, freeze_send(ledger, prepared), SendSchedule(limit_per_hour=20))
    start_send(ledger, frozen)
    assert [len(claim_batches(ledger, frozen, limit)) for limit in (1, 3, 1)] == [1, 1, 0]
    with read_transaction(ledger.engine) as connection:
        assert connection.execute(sa.select(rate_bucket.c.used)).scalars().all() == [20]


def test_limit_below_the_size_of_a_planned_batch_is_refused(
    ledger: Ledger, prepared: PreparedEmail, subscribe: Subscribe, make_readers: MakeReaders
) -> None:
    subscribe(make_readers(12))
    frozen = freeze_send(ledger, prepared)
    with pytest.raises(SendRefusedError, match="batches of more than 9") as refused:
        save_schedule(ledger, frozen, SendSchedule(limit_per_hour=9))
    assert "--again --batch-size 9" in str(refused.value)
    assert get_send(ledger, frozen.issue) == replace(frozen, limit_per_hour=0)
