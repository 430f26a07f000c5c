"""Small writes of many requests in one transaction: a commit that reaches the disk costs the most.

Whoever finds nobody writing takes along all who wait, and they get their results when all of it
is committed.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa

T = TypeVar("T")
Write = Callable[[sa.Connection], Any]


class _Waiting(NamedTuple):
    write: Write
    result: Future[Any]


class Together:
    """Threads share it.

    Args:
        engine: the database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._waiting: SimpleQueue[_Waiting] = SimpleQueue()
        self._turn = threading.Lock()

    def write(self, write: Callable[[sa.Connection], T]) -> T:
        """Call ``write`` within a transaction, perhaps twice; what it returns, once committed."""
        mine = _Waiting(write, Future())
        self._waiting.put(mine)
        with self._turn:
            if not mine.result.done():
                self._write([self._waiting.get() for _ in range(self._waiting.qsize())])
        result: T = mine.result.result()
        return result

    def _write(self, taken: list[_Waiting]) -> None:
        try:
            with self._engine.begin() as connection:
                results = [one.write(connection) for one in taken]
        except Exception:  # noqa: BLE001 - whose it is shows when each is alone
            for one in taken:
                self._write_alone(one)
        else:
            for one, result in zip(taken, results, strict=True):
                one.result.set_result(result)

    def _write_alone(self, one: _Waiting) -> None:
        try:
            with self._engine.begin() as connection:
                result = one.write(connection)
        except Exception as error:  # noqa: BLE001 - goes to the thread that asked
            one.result.set_exception(error)
        else:
            one.result.set_result(result)
