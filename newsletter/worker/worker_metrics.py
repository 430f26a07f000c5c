"""Prometheus metrics of a worker, and of what all workers share.

No address, issue or name is in a label.
"""

from collections.abc import Iterator
from contextlib import suppress
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from newsletter.errors import DatabaseError
from newsletter.sending.lanes.backlog import Backlog, load_backlog
from newsletter.sending.ledger.record import Ledger
from newsletter.worker.worker_context import ActivityCounter

# Each is the same on all workers: it is read from the database.
BACKLOG_METRICS = {
    "unknown_batches": ("newsletter_unknown_batches", "Batches that may have been sent."),
    "in_flight_batches": ("newsletter_in_flight_batches", "Batches that a live sender holds."),
    "expired_leases": ("newsletter_expired_leases", "Batches that a dead sender holds."),
    "lag_seconds": ("newsletter_lag_seconds", "How long the oldest batch that is due has waited."),
    "live_workers": ("newsletter_live_workers", "Workers that take sends."),
    "sweepers": ("newsletter_sweepers", "Workers that do the periodic jobs."),
}


class WorkerMetrics:
    """A worker's Prometheus metrics: counters of its own, gauges of database rows.

    Args:
        ledger: the ledger.
        counter: counts what the worker does.

    Attributes:
        registry: the registry that Prometheus scrapes.
    """

    def __init__(self, ledger: Ledger, counter: ActivityCounter) -> None:
        self._ledger, self._counter = ledger, counter
        self._lock = Lock()  # one connection at most, however many scrapes there are at once
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def describe(self) -> Iterator[Metric]:
        """Yield what it collects, without asking the database."""
        yield from self._collect_own()
        yield from _collect_shared(Backlog(0, 0, 0, 0.0, 0, 0))

    def collect(self) -> Iterator[Metric]:
        """Yield what the worker has done, and what is in the database if it can be reached."""
        yield from self._collect_own()
        with suppress(DatabaseError):
            with self._lock:
                backlog = load_backlog(self._ledger)
            yield from _collect_shared(backlog)

    def _collect_own(self) -> Iterator[Metric]:
        done = self._counter.get_total()
        for name, description, value in (
            ("newsletter_worker_requests", "Requests to the provider.", done.requests),
            ("newsletter_worker_readers", "Readers completed.", done.recipients),
            (
                "newsletter_worker_request_seconds",
                "How long its requests took together.",
                done.request_seconds,
            ),
        ):
            yield CounterMetricFamily(name, description, value=value)
        yield GaugeMetricFamily(
            "newsletter_worker_sends",
            "Sends that it takes part in now.",
            value=self._counter.get_lane_count(),
        )


def _collect_shared(backlog: Backlog) -> Iterator[Metric]:
    for field, (name, description) in BACKLOG_METRICS.items():
        yield GaugeMetricFamily(name, description, value=getattr(backlog, field))
