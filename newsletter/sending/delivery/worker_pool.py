"""Threads that POST and do nothing else; the thread that feeds them owns the ledger.

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

from newsletter.sending.providers.provider import Reply, Silence

# Seconds. Python's own 5 ms would hold an answer up while the next body is being built.
SWITCH_INTERVAL = 0.0005
# New objects before Python looks for garbage among them.
GARBAGE = 100_000

Parcel = TypeVar("Parcel")
Answer = Reply | Silence


class Post(Protocol):
    """Whatever can POST a body to the vendor, from several threads at once."""

    def post_mail(self, body: bytes) -> Answer:
        """POST once; never retry."""


@contextmanager
def full_speed() -> Iterator[None]:
    """Python's own settings as suits a thread that is busy beside many that wait."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(SWITCH_INTERVAL)
    # What is there already needn't be searched for garbage with every few thousand readers, and
    # what comes leaves no cycles.
    gc.freeze()
    gc.set_threshold(GARBAGE, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        sys.setswitchinterval(interval)


class Posters(Generic[Parcel]):
    """So many threads; use them as a context manager.

    Leaving in good order waits for the threads. Leaving by an exception doesn't: they end with
    the process, whatever they were doing.

    Args:
        post: the vendor.
        count: how many requests may be in the air at once.

    Attributes:
        away: the parcels that were handed over and not yet taken back.
    """

    def __init__(self, post: Post, count: int) -> None:
        self.away: list[Parcel] = []
        self._post = post
        self._to_do: queue.SimpleQueue[tuple[Parcel, bytes] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Parcel, Answer | BaseException]] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]

    @property
    def free(self) -> int:
        """How many threads have nothing to do."""
        return len(self._threads) - len(self.away)

    def hand(self, parcel: Parcel, body: bytes) -> None:
        """Have ``body`` POSTed at once; there must be a free thread."""
        self.away.append(parcel)
        self._to_do.put((parcel, body))

    def take(self, seconds: float) -> list[tuple[Parcel, Answer]]:
        """The parcels that are back, each with its answer.

        Args:
            seconds: how long to wait for one if there is none.
        """
        back: list[tuple[Parcel, Answer]] = []
        while self.away:
            try:
                parcel, answer = self._done.get(timeout=0 if back else seconds)
            except queue.Empty:
                break
            if isinstance(answer, BaseException):
                if not back:
                    raise answer
                self._done.put((parcel, answer))  # once those that are back are dealt with
                break
            self.away.remove(parcel)
            back.append((parcel, answer))
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
            self._to_do.put(None)
        if kind is None:
            for thread in self._threads:
                thread.join()

    def _work(self) -> None:
        while job := self._to_do.get():
            parcel, body = job
            answer: Answer | BaseException
            try:
                answer = self._post.post_mail(body)
            except BaseException as error:  # noqa: BLE001 - the feeding thread raises it
                answer = error
            self._done.put((parcel, answer))
