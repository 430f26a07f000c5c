"""Storage of the rate limits (library ``limits``) in a table.

All processes count together.
"""

import hmac

import sqlalchemy as sa
from limits import RateLimitItem
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.db.schema import rate_limit


class RateLimitTableStorage(Storage):
    """Counts in ``rate_limit``, as a part of the caller's transaction.

    Keys hold addresses, so only their HMAC-SHA256 is stored.

    Args:
        connection: in a transaction that writes.
        secret: the site's.
        now: seconds since the epoch.
    """

    STORAGE_SCHEME = ["newsletter-table"]  # noqa: RUF012 - the library's own declaration

    def __init__(self, connection: sa.Connection, secret: bytes, now: float) -> None:
        super().__init__()
        self._connection = connection
        self._secret = secret
        self._now = now

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the database raises."""
        return sa.exc.SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, atomically; a window that is over begins anew."""
        on_postgresql = self._connection.dialect.name == "postgresql"
        insert = postgresql.insert if on_postgresql else sqlite.insert
        statement = insert(rate_limit).values(
            key=self._hash_key(key), hits=amount, expires=self._now + expiry
        )
        over = rate_limit.c.expires <= self._now
        counted = statement.on_conflict_do_update(
            index_elements=[rate_limit.c.key],
            set_={
                "hits": sa.case((over, amount), else_=rate_limit.c.hits + amount),
                "expires": sa.case((over, self._now + expiry), else_=rate_limit.c.expires),
            },
        )
        hits: int = self._connection.execute(counted.returning(rate_limit.c.hits)).scalar_one()
        return hits

    def get(self, key: str) -> int:
        """How often in this window."""
        found = self._select_current(sa.select(rate_limit.c.hits), key)
        return int(found or 0)

    def get_expiry(self, key: str) -> float:
        """When the window is over, in seconds since the epoch."""
        return float(self._select_current(sa.select(rate_limit.c.expires), key) or self._now)

    def check(self) -> bool:
        """Whether the table can be read."""
        self._connection.execute(sa.select(rate_limit.c.key).limit(1))
        return True

    def reset(self) -> int:
        """Forget all."""
        return self._connection.execute(sa.delete(rate_limit)).rowcount

    def clear(self, key: str) -> None:
        """Forget one."""
        mine = rate_limit.c.key == self._hash_key(key)
        self._connection.execute(sa.delete(rate_limit).where(mine))

    def _select_current(
        self, select: sa.Select[tuple[int]] | sa.Select[tuple[float]], key: str
    ) -> float | None:
        mine = (rate_limit.c.key == self._hash_key(key), rate_limit.c.expires > self._now)
        return self._connection.execute(select.where(*mine)).scalar_one_or_none()

    def _hash_key(self, key: str) -> str:
        return hmac.digest(self._secret, key.encode(), "sha256").hex()


def consume_limit(storage: RateLimitTableStorage, limit: RateLimitItem, *identifiers: str) -> bool:
    """Count one; whether it is within the limit."""
    return FixedWindowRateLimiter(storage).hit(limit, *identifiers)


def delete_expired_limits(connection: sa.Connection, now: float) -> None:
    """Drop the counts of windows that are over."""
    connection.execute(sa.delete(rate_limit).where(rate_limit.c.expires <= now))
