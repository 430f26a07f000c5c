"""Threads that only POST; the send loop feeds them.

The thread that feeds them owns the ledger.

Threads that each build and POST would fight for Python's lock, and SQLite has one writer anyway.
"""

import gc
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from newsletter.sending.providers.provider import NoResponse, Response

# Seconds. Python's own 5 ms would hold an answer up while the next body is being built.
SWITCH_INTERVAL = 0.0005
# New objects before Python looks for garbage among them.
GC_THRESHOLD = 100_000

T = TypeVar("T")
TransportResult = Response | NoResponse


class MailTransport(Protocol):
    """Whatever can POST a body to the vendor, from several threads at once."""

    def post_mail(self, body: bytes) -> TransportResult:
        """POST once; never retry."""


@contextmanager
def tune_interpreter() -> Iterator[None]:
    """Python's own settings as suits a thread that is busy beside many that wait."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(SWITCH_INTERVAL)
    # What is there already needn't be searched for garbage with every few thousand readers, and
    # what comes leaves no cycles.
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        sys.setswitchinterval(interval)


class WorkerPool(Generic[T]):
    """So many threads; use them as a context manager.

    Leaving in good order waits for the threads. Leaving by an exception doesn't: they end with
    the process, whatever they were doing.

    Args:
        transport: the vendor.
        thread_count: how many requests may be in the air at once.

    Attributes:
        in_flight: the parcels that were handed over and not yet taken back.
    """

    def __init__(self, transport: MailTransport, thread_count: int) -> None:
        self.in_flight: list[T] = []
        self._transport = transport
        self._jobs: queue.SimpleQueue[tuple[T, bytes] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[T, TransportResult | BaseException]] = (
            queue.SimpleQueue()
        )
        self._threads = [
            threading.Thread(target=self._run_worker, daemon=True) for _ in range(thread_count)
        ]

    @property
    def idle_count(self) -> int:
        """How many threads have nothing to do."""
        return len(self._threads) - len(self.in_flight)

    def submit(self, item: T, body: bytes) -> None:
        """Have ``body`` POSTed at once; there must be a free thread."""
        self.in_flight.append(item)
        self._jobs.put((item, body))

    def get_completed(self, timeout: float) -> list[tuple[T, TransportResult]]:
        """Return the completed items, each with its response.

        Args:
            timeout: seconds to wait if none is completed.
        """
        back: list[tuple[T, TransportResult]] = []
        while self.in_flight:
            try:
                item, answer = self._results.get(timeout=0 if back else timeout)
            except queue.Empty:
                break
            if isinstance(answer, BaseException):
                if not back:
                    raise answer
                self._results.put((item, answer))  # once those that are back are dealt with
                break
            self.in_flight.remove(item)
            back.append((item, answer))
        return back

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _ in self._threads:
            self._jobs.put(None)
        if kind is None:
            for thread in self._threads:
                thread.join()

    def _run_worker(self) -> None:
        while job := self._jobs.get():
            item, body = job
            answer: TransportResult | BaseException
            try:
                answer = self._transport.post_mail(body)
            except BaseException as error:  # noqa: BLE001 - the feeding thread raises it
                answer = error
            self._results.put((item, answer))
