"""Commit small writes of many requests in one transaction.

A commit that reaches the disk costs the most.

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
WriteFunction = Callable[[sa.Connection], Any]


class _QueuedWrite(NamedTuple):
    write: WriteFunction
    result: Future[Any]


class WriteBatcher:
    """Threads share it.

    Args:
        engine: the database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._queue: SimpleQueue[_QueuedWrite] = SimpleQueue()
        self._lock = threading.Lock()

    def run(self, function: Callable[[sa.Connection], T]) -> T:
        """Call ``write`` within a transaction, perhaps twice; what it returns, once committed."""
        mine = _QueuedWrite(function, Future())
        self._queue.put(mine)
        with self._lock:
            if not mine.result.done():
                self._write_batch([self._queue.get() for _ in range(self._queue.qsize())])
        result: T = mine.result.result()
        return result

    def _write_batch(self, batch: list[_QueuedWrite]) -> None:
        try:
            with self._engine.begin() as connection:
                results = [one.write(connection) for one in batch]
        except Exception:  # noqa: BLE001 - whose it is shows when each is alone
            for one in batch:
                self._write_alone(one)
        else:
            for one, result in zip(batch, results, strict=True):
                one.result.set_result(result)

    def _write_alone(self, queued: _QueuedWrite) -> None:
        try:
            with self._engine.begin() as connection:
                result = queued.write(connection)
        except Exception as error:  # noqa: BLE001 - goes to the thread that asked
            queued.result.set_exception(error)
        else:
            queued.result.set_result(result)
