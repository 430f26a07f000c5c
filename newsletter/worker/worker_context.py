"""What the jobs of a worker share, and a count of what it does."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from newsletter.sending.delivery.worker_pool import MailTransport, TransportResult
from newsletter.sending.lanes.worker_records import WorkerActivity
from newsletter.sending.ledger.record import Ledger
from newsletter.sending.providers.provider import ProviderClient
from newsletter.web.site_context import Site
from newsletter.web.stop_signal import StopSignal


class ActivityCounter:
    """Counts what a worker has done; used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._activity = WorkerActivity()
        self._lanes = 0

    def add(self, requests: int = 0, recipients: int = 0, request_seconds: float = 0.0) -> None:
        """Add to what was done."""
        with self._lock:
            before = self._activity
            self._activity = WorkerActivity(
                before.requests + requests,
                before.recipients + recipients,
                before.request_seconds + request_seconds,
            )

    @contextmanager
    def count_lane(self) -> Iterator[None]:
        """Count a send that the worker takes part in, within the context."""
        with self._lock:
            self._lanes += 1
        try:
            yield
        finally:
            with self._lock:
                self._lanes -= 1

    def get_lane_count(self) -> int:
        """Return how many sends the worker takes part in now."""
        with self._lock:
            return self._lanes

    def get_total(self) -> WorkerActivity:
        """Return what was done since the start."""
        with self._lock:
            return self._activity


@dataclass(frozen=True, slots=True)
class MeasuredTransport:
    """A transport that counts its requests and how long they take.

    Attributes:
        transport: POSTs.
        counter: counts.
        clock: in seconds.
    """

    transport: MailTransport
    counter: ActivityCounter
    clock: Callable[[], float] = time.monotonic

    def post_mail(self, body: bytes) -> TransportResult:
        """POST once; never retry."""
        start = self.clock()
        try:
            return self.transport.post_mail(body)
        finally:
            self.counter.add(requests=1, request_seconds=self.clock() - start)


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What the jobs of a worker share.

    Attributes:
        site: the newsletter's project, database and pages.
        ledger: the ledger.
        client: the provider's client.
        concurrency: requests in flight at once for each send.
        counter: counts what it does.
        stopping: is set once the worker is to stop.
    """

    site: Site
    ledger: Ledger
    client: ProviderClient
    concurrency: int
    counter: ActivityCounter = field(default_factory=ActivityCounter)
    stopping: StopSignal = field(default_factory=StopSignal)
