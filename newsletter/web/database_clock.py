"""Clock of the database's server: the same on all hosts."""

import datetime
import time
from collections.abc import Callable
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.sending.ledger.record import get_database_time


class _ClockReading(NamedTuple):
    """The database's time, and that of the monotonic clock at the same moment, in seconds."""

    time: datetime.datetime
    at: float


class DatabaseClock:
    """Callable that returns the database's time, without a query each time.

    The clock of a host may be wrong, and several hosts share sign-ups, emails and limits. It is
    compared with the database's now and then; in between, only the monotonic clock counts.

    Args:
        engine: the database.
        monotonic: a clock in seconds that is never set.
    """

    def __init__(self, engine: sa.Engine, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._monotonic = engine, monotonic
        self._reading = self._read()

    def __call__(self) -> datetime.datetime:
        """Return the time, aware."""
        reading = self._reading
        return reading.time + datetime.timedelta(seconds=self._monotonic() - reading.at)

    def sync(self) -> None:
        """Compare it with the database's clock.

        Raises:
            DatabaseError: the database can't be read.
        """
        self._reading = self._read()

    def _read(self) -> _ClockReading:
        with read_transaction(self._engine) as connection:
            before = self._monotonic()
            now = get_database_time(connection)
            return _ClockReading(now, (before + self._monotonic()) / 2)
