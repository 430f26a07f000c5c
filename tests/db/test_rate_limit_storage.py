from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa
from limits import RateLimitItemPerHour
from limits.strategies import FixedWindowRateLimiter

from newsletter.db.rate_limit_storage import RateLimitTableStorage, delete_expired_limits
from newsletter.db.schema import rate_limit

HOUR = 3600
SECRET = b"s" * 32


def hit(engine: sa.Engine, who: str, now: float = 0.0, most: int = 3) -> bool:
    with engine.begin() as connection:
        storage = RateLimitTableStorage(connection, SECRET, now)
        return FixedWindowRateLimiter(storage).hit(RateLimitItemPerHour(most), who)


def test_a_limit_holds_for_its_window_and_for_each_by_itself(engine: sa.Engine) -> None:
    assert [hit(engine, "ada") for _ in range(4)] == [True, True, True, False]
    assert hit(engine, "bob")
    assert not hit(engine, "ada", now=HOUR - 1)
    assert hit(engine, "ada", now=HOUR), "the window is over"


def test_processes_count_together(engine: sa.Engine) -> None:
    with ThreadPoolExecutor(8) as threads:
        within = list(threads.map(lambda _: hit(engine, "ada", most=10), range(40)))
    assert sum(within) == 10


def test_the_table_tells_nobody_who_it_was(engine: sa.Engine) -> None:
    hit(engine, "ada@example.org")
    with engine.begin() as connection:
        keys = list(connection.scalars(sa.select(rate_limit.c.key)))
    assert len(keys) == 1
    assert len(keys[0]) == 64
    assert "ada@" not in keys[0]


def test_what_the_library_may_ask_of_a_storage(engine: sa.Engine) -> None:
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
