from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from limits import RateLimitItemPerHour
from limits.strategies import FixedWindowRateLimiter

from newsletter.db.rate_limit_storage import (
    RateLimitTableStorage,
    delete_expired_limits,
    refund_limit,
)
from newsletter.db.schema import rate_limit

HOUR = 3600
SECRET = b"s" * 32


def hit(engine: sa.Engine, key: str, now: float = 0.0, limit: int = 3) -> bool:
    with engine.begin() as connection:
        storage = RateLimitTableStorage(connection, SECRET, now)
        return FixedWindowRateLimiter(storage).hit(RateLimitItemPerHour(limit), key)


def test_limit_applies_per_key_and_window(engine: sa.Engine) -> None:
    assert [hit(engine, "ada") for _ in range(4)] == [True, True, True, False]
    assert hit(engine, "bob")
    assert not hit(engine, "ada", now=HOUR - 1)
    assert hit(engine, "ada", now=HOUR), "the window is over"


def test_concurrent_hits_are_counted_together(engine: sa.Engine) -> None:
    with ThreadPoolExecutor(8) as threads:
        within = list(threads.map(lambda _: hit(engine, "ada", limit=10), range(40)))
    assert sum(within) == 10


def refund(engine: sa.Engine, key: str, counted_at: float, now: float) -> None:
    with engine.begin() as connection:
        storage = RateLimitTableStorage(connection, SECRET, now)
        refund_limit(storage, RateLimitItemPerHour(3), key, counted_at=counted_at)


@pytest.mark.parametrize(
    ("counted_at", "now", "is_refunded"),
    [
        (10.0, 10.0, True),
        (20.0, HOUR + 9.0, True),
        (9.0, 20.0, False),  # counted in an earlier window
        (20.0, HOUR + 10.0, False),  # the window is over: the next one begins at 0 anyway
    ],
)
def test_only_hits_of_the_present_window_are_refunded(
    engine: sa.Engine, counted_at: float, now: float, *, is_refunded: bool
) -> None:
    for _ in range(3):
        hit(engine, "ada", now=10.0)
    refund(engine, "ada", counted_at, now)
    with engine.begin() as connection:
        assert connection.scalar(sa.select(rate_limit.c.hits)) == (2 if is_refunded else 3)


def test_window_begun_while_the_clock_was_ahead_starts_again(engine: sa.Engine) -> None:
    year = 365 * 24 * HOUR
    assert [hit(engine, "ada", now=year) for _ in range(4)] == [True, True, True, False]
    assert [hit(engine, "ada", now=0.0) for _ in range(4)] == [True, True, True, False]
    assert hit(engine, "ada", now=HOUR)


def test_keys_are_stored_hashed(engine: sa.Engine) -> None:
    hit(engine, "ada@example.org")
    with engine.begin() as connection:
        keys = list(connection.scalars(sa.select(rate_limit.c.key)))
    assert len(keys) == 1
    assert len(keys[0]) == 64
    assert "ada@" not in keys[0]


def test_storage_implements_the_interface_of_limits(engine: sa.Engine) -> None:
    limit = RateLimitItemPerHour(3)
    hit(engine, "ada", now=10.0)
    hit(engine, "bob", now=HOUR + 5.0)
    with engine.begin() as connection:
        storage = RateLimitTableStorage(connection, SECRET, HOUR + 9.0)
        limiter = FixedWindowRateLimiter(storage)
        assert storage.check()
        assert limiter.get_window_stats(limit, "ada") == (10.0 + HOUR, 2)
        delete_expired_limits(connection, HOUR + 10.0)
        assert limiter.get_window_stats(limit, "ada").remaining == 3
        limiter.clear(limit, "bob")
        assert limiter.test(limit, "bob")
        limiter.hit(limit, "eve")
        assert storage.reset() == 1
