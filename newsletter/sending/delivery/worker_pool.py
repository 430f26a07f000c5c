"""Worker threads that POST, and nothing else.

The thread that submits to them owns the ledger and builds the bodies. Threads that each build and
POST would contend for the GIL, and SQLite has one writer anyway.
"""

import queue
import threading
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from newsletter.sending.providers.provider import NoResponse, Response

T = TypeVar("T")
TransportResult = Response | NoResponse


class MailTransport(Protocol):
    """A transport that POSTs bodies to the provider; called from several threads at once."""

    def post_mail(self, body: bytes) -> TransportResult:
        """POST once; never retry."""


class WorkerPool(Generic[T]):
    """A fixed number of worker threads, as a context manager.

    A normal exit waits for the threads. An exit by an exception doesn't: they end with the process,
    whatever they are doing. Python waits for those of ``concurrent.futures``, so a second Ctrl-C
    would have no effect until the provider responds or the request times out.

    Args:
        transport: the provider.
        thread_count: how many requests may be in flight at once.

    Attributes:
        in_flight: the items that were submitted and are not completed.
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
        """How many threads are idle."""
        return len(self._threads) - len(self.in_flight)

    def submit(self, item: T, body: bytes) -> None:
        """POST ``body`` in an idle thread; there must be one.

        Args:
            item: returned by ``get_completed`` with the response.
            body: the request body.
        """
        self.in_flight.append(item)
        self._jobs.put((item, body))

    def get_completed(self, timeout: float) -> list[tuple[T, TransportResult]]:
        """Return the completed items, each with its response.

        An exception that a thread has raised is raised here, once the items completed before it
        have been returned.

        Args:
            timeout: in seconds, how long to wait for one if there is none.
        """
        completed: list[tuple[T, TransportResult]] = []
        while self.in_flight:
            try:
                item, result = self._results.get(timeout=0 if completed else timeout)
            except queue.Empty:
                break
            if isinstance(result, BaseException):
                if not completed:
                    raise result
                self._results.put((item, result))  # raised by the next call
                break
            self.in_flight.remove(item)
            completed.append((item, result))
        return completed

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
            result: TransportResult | BaseException
            try:
                result = self._transport.post_mail(body)
            except BaseException as error:  # noqa: BLE001 - get_completed raises it
                result = error
            self._results.put((item, result))
