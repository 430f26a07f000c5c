"""Pool of connections to PostgreSQL that never opens more than it says."""

import logging

import sqlalchemy as sa

from newsletter.errors import DatabaseUnavailableError

# SQLAlchemy logs what it does with a pool by the name of the pool's class, which makes it ours.
logging.getLogger(__name__).setLevel(logging.WARNING)


class LimitedPool(sa.QueuePool):
    """A pool that opens ``pool_size`` connections at most, however many threads want one.

    The others wait for theirs, in their order: the server keeps the connections that other programs
    need, and a burst of visitors is served one after another. SQLAlchemy's own would open ten more.
    """

    def connect(self) -> sa.PoolProxiedConnection:
        """Return a connection.

        Raises:
            DatabaseUnavailableError: none was returned to the pool for too long.
        """
        try:
            return super().connect()
        except sa.exc.TimeoutError as error:
            raise DatabaseUnavailableError(
                f"all {self.size()} connections of this program to PostgreSQL were in use for "
                f"{self.timeout():.0f} seconds",
                remedy="Find what takes so long in pg_stat_activity, then try again.",
            ) from error
