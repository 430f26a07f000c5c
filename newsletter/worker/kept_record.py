"""Keep a worker on record while it runs, so that sends are handed to it."""

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from newsletter.db import read_transaction
from newsletter.db.migrate import require_current_schema
from newsletter.errors import DatabaseChangedError, DatabaseError
from newsletter.sending.lanes.worker_records import (
    RENEWAL_INTERVAL,
    add_worker,
    lacks_worker,
    remove_worker,
    renew_worker,
)
from newsletter.sending.ledger.heartbeat import record_heartbeat
from newsletter.sending.notifications.notification import clean_line
from newsletter.web.database_clock import DatabaseClock
from newsletter.worker.worker_context import WorkerContext

_log = logging.getLogger(__name__)


def get_worker_name() -> str:
    """Return the name of this machine and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


@contextmanager
def recorded(worker: WorkerContext, concurrency: int, *, does_periodic_jobs: bool) -> Iterator[int]:
    """Record the worker within the context, and renew its record in a thread; yield its id.

    Args:
        worker: the worker.
        concurrency: requests in flight at once for each send; 0 if it takes no sends.
        does_periodic_jobs: whether it sweeps, and starts the sends that are due.

    Raises:
        DatabaseError: it can't be recorded.
    """
    record = _KeptRecord(worker, concurrency, does_periodic_jobs)
    worker_id = record.add()
    thread = threading.Thread(
        target=record.renew_until_over, args=[worker_id], name="worker record", daemon=True
    )
    thread.start()
    try:
        yield worker_id
    finally:
        record.over.set()
        worker.stopping.set()
        thread.join()
        with suppress(DatabaseError):  # it is forgotten after a while
            remove_worker(worker.ledger, worker_id)


@dataclass(frozen=True, slots=True)
class _KeptRecord:
    worker: WorkerContext
    concurrency: int
    does_periodic_jobs: bool
    over: threading.Event = field(default_factory=threading.Event)

    def add(self, worker_id: int | None = None) -> int:
        """Record the worker, perhaps again, and return its id."""
        ledger = self.worker.ledger
        new_id = add_worker(
            ledger,
            get_worker_name(),
            self.concurrency,
            does_periodic_jobs=self.does_periodic_jobs,
            worker_id=worker_id,
        )
        self._leave_heartbeat()
        return new_id

    def renew_until_over(self, worker_id: int) -> None:
        """Renew the record every few seconds, and at once when the worker is to stop.

        It stops itself if the database is not one for this version any more: whatever else the
        worker does, this is done.
        """
        failures = set[str]()  # since the last success: an outage may alternate between a few
        while not self.over.is_set():
            stopping = self.worker.stopping
            awaited = self.over if stopping.is_set() else stopping
            awaited.wait(RENEWAL_INTERVAL.total_seconds())
            try:
                self._renew(worker_id, is_stopping=stopping.is_set())
            except DatabaseChangedError as error:
                stopping.give_up(error)
                with suppress(DatabaseError):  # retired
                    self._renew(worker_id, is_stopping=True)
            except DatabaseError as error:
                failure = clean_line(str(error))
                if failure not in failures:
                    _log.warning("the worker's record could not be renewed: %s", failure)
                failures.add(failure)
            else:
                failures.clear()

    def _renew(self, worker_id: int, *, is_stopping: bool) -> None:
        ledger, total = self.worker.ledger, self.worker.counter.get_total()
        if not is_stopping:
            with read_transaction(ledger.engine) as connection:
                require_current_schema(connection)
        renewed = renew_worker(ledger, worker_id, total, is_stopping=is_stopping)
        if not is_stopping:
            if not renewed:
                # Forgotten while it could not reach the database: nothing is handed to it.
                self.add(worker_id)
            else:
                self._leave_heartbeat()
        if isinstance(self.worker.site.clock, DatabaseClock):
            self.worker.site.clock.sync()

    def _leave_heartbeat(self) -> None:
        """Record that what is scheduled is started: it wakes those that take sends, if any."""
        if self.does_periodic_jobs and not lacks_worker(self.worker.ledger):
            record_heartbeat(self.worker.ledger, "worker")
