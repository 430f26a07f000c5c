"""Rate limit counters in a table shared by all processes.

A storage backend for the library ``limits``.
"""

import hmac

import sqlalchemy as sa
from limits import RateLimitItem
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from newsletter.db.bulk import insert_for_upsert
from newsletter.db.schema import rate_limit


class RateLimitTableStorage(Storage):
    """A storage that counts in ``rate_limit``, within the caller's transaction.

    Keys contain email or IP addresses, so only their HMAC-SHA256 is stored.

    Args:
        connection: a connection in a writing transaction.
        secret: the site's secret, the key of the HMAC.
        now: the current time in seconds since the epoch.
    """

    STORAGE_SCHEME = ["newsletter-table"]  # noqa: RUF012 - the library's own declaration

    def __init__(self, connection: sa.Connection, secret: bytes, now: float) -> None:
        super().__init__()
        self._connection = connection
        self._secret = secret
        self._now = now

    @property
    def base_exceptions(self) -> type[Exception]:
        """The base class of the database's errors."""
        return sa.exc.SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to the count atomically and return it; an expired window starts again.

        So does one that ends later than a new one would: the clock was wrong when it began.
        """
        statement = insert_for_upsert(self._connection, rate_limit).values(
            key=self._hash_key(key), hits=amount, expires=self._now + expiry
        )
        expires = rate_limit.c.expires
        expired = sa.or_(expires <= self._now, expires > self._now + expiry)
        upsert = statement.on_conflict_do_update(
            index_elements=[rate_limit.c.key],
            set_={
                "hits": sa.case((expired, amount), else_=rate_limit.c.hits + amount),
                "expires": sa.case((expired, self._now + expiry), else_=expires),
            },
        )
        hits: int = self._connection.execute(upsert.returning(rate_limit.c.hits)).scalar_one()
        return hits

    def decrease(self, key: str, amount: int, ends_by: float) -> None:
        """Subtract from the count in the current window, if there is one that ends by a time."""
        expires = rate_limit.c.expires
        current = (rate_limit.c.key == self._hash_key(key), expires > self._now, expires <= ends_by)
        decreased = sa.case((rate_limit.c.hits > amount, rate_limit.c.hits - amount), else_=0)
        self._connection.execute(sa.update(rate_limit).where(*current).values(hits=decreased))

    def get(self, key: str) -> int:
        """Return the count in the current window."""
        hits = self._select_current(sa.select(rate_limit.c.hits), key)
        return int(hits or 0)

    def get_expiry(self, key: str) -> float:
        """Return the end of the current window, in seconds since the epoch."""
        return float(self._select_current(sa.select(rate_limit.c.expires), key) or self._now)

    def check(self) -> bool:
        """Return ``True`` if the table can be read; raise otherwise."""
        self._connection.execute(sa.select(rate_limit.c.key).limit(1))
        return True

    def reset(self) -> int:
        """Delete all counts and return how many there were."""
        return self._connection.execute(sa.delete(rate_limit)).rowcount

    def clear(self, key: str) -> None:
        """Delete the count of one key."""
        matches_key = rate_limit.c.key == self._hash_key(key)
        self._connection.execute(sa.delete(rate_limit).where(matches_key))

    def _select_current(
        self, select: sa.Select[tuple[int]] | sa.Select[tuple[float]], key: str
    ) -> float | None:
        current = (rate_limit.c.key == self._hash_key(key), rate_limit.c.expires > self._now)
        return self._connection.execute(select.where(*current)).scalar_one_or_none()

    def _hash_key(self, key: str) -> str:
        return hmac.digest(self._secret, key.encode(), "sha256").hex()


def consume_limit(storage: RateLimitTableStorage, limit: RateLimitItem, *identifiers: str) -> bool:
    """Count one hit and return whether it is within the limit."""
    return FixedWindowRateLimiter(storage).hit(limit, *identifiers)


def refund_limit(
    storage: RateLimitTableStorage,
    limit: RateLimitItem,
    *identifiers: str,
    counted_at: float,
    hits: int = 1,
) -> None:
    """Take back hits that turned out not to count; with 0, the statement changes nothing.

    Nor is anything changed if they were counted in an earlier window, or the present one would
    allow too many.
    """
    storage.decrease(limit.key_for(*identifiers), hits, counted_at + limit.get_expiry())


def delete_expired_limits(connection: sa.Connection, now: float) -> None:
    """Delete the counts of expired windows."""
    connection.execute(sa.delete(rate_limit).where(rate_limit.c.expires <= now))
