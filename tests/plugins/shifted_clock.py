"""A clock that is wrong, for the whole process."""

import datetime
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

Number = TypeVar("Number", int, float)
REAL = datetime.datetime


def shift_clock(seconds: float) -> None:
    """Shift ``time.time`` and ``datetime.now`` of this process; not its monotonic clock."""
    shift = datetime.timedelta(seconds=seconds)

    class ShiftedMeta(type):
        # What is made before and after is of one kind.
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, REAL)

    class ShiftedDatetime(datetime.datetime, metaclass=ShiftedMeta):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
            return REAL.now(tz) + shift

    time.time = partial(_add, time.time, seconds)
    time.time_ns = partial(_add, time.time_ns, int(seconds * 1e9))
    datetime.datetime = ShiftedDatetime  # type: ignore[misc]


def _add(clock: Callable[[], Number], shift: Number) -> Number:
    return clock() + shift
