"""Run a lane: this worker's part in one send."""

import datetime
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from newsletter.config.notify import NOTIFICATION_KINDS
from newsletter.db import read_transaction
from newsletter.db.schema import send
from newsletter.errors import DatabaseChangedError, DatabaseUnavailableError, NewsletterError
from newsletter.sending.delivery.observer import SendObserver
from newsletter.sending.ledger.copied_database import find_copy
from newsletter.sending.ledger.record import Ledger, Send, get_ledger_time, load_sends
from newsletter.sending.notifications.notification import clean_line
from newsletter.sending.notifications.notifier import Notifier
from newsletter.sending.planning.frozen_content import load_frozen_email
from newsletter.sending.planning.preflight import require_resumable
from newsletter.sending.service import SendContext, deliver
from newsletter.worker.worker_context import MeasuredTransport, WorkerContext

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LaneObserver:
    """A send observer that counts, logs, and stops when the worker is to stop.

    Attributes:
        worker: the worker.
        issue: the issue that is sent.
    """

    worker: WorkerContext
    issue: str

    @property
    def stop_requested(self) -> bool:
        """Whether the worker is to stop."""
        return self.worker.stopping.is_set()

    def wait(self, seconds: float) -> None:
        """Wait for a number of seconds, or until the worker is to stop."""
        self.worker.stopping.wait(seconds)

    def advance(self, recipient_count: int) -> None:
        """Count completed recipients."""
        self.worker.counter.add(recipients=recipient_count)

    def notify(self, text: str) -> None:
        """Log a message; the provider's own words in it may name a reader."""
        _log.warning("%s: %s", self.issue, clean_line(text))


def run_lane(worker: WorkerContext, send_id: int) -> None:
    """Send what is pending of a send until no batch can be claimed; it is never resumed here.

    The editor is notified once, however many lanes it has: of its start if it was scheduled, of its
    end, and if it can't be sent. Of other failures the sends of other workers go on, or the next
    lane does. A database that was upgraded or retired stops the worker.

    Raises:
        SendRefusedError: a setting or the API key is missing, or the plan's checksum is wrong.
        DatabaseError: the ledger can't be written.
    """
    try:
        _run_lane(worker, send_id)
    except DatabaseChangedError as error:
        worker.stopping.give_up(error)
    except NewsletterError as error:
        for problem in error.problems:  # a line is cut, and each names another batch
            _log.warning("send %d: %s", send_id, clean_line(str(problem)))
        raise
    except Exception:
        _log.exception("send %d: the lane has failed", send_id)
        raise


def _run_lane(worker: WorkerContext, send_id: int) -> None:
    project, ledger = worker.site.project, worker.ledger
    send_record = _load_send(ledger, send_id)
    if send_record is None or not may_run(send_record, get_ledger_time(ledger)):
        return
    notifier = Notifier(project, ledger, lambda text: _log.warning("%s", text))
    try:
        email = load_frozen_email(ledger, send_record)
        require_resumable(send_record, email, project.config, os.environ)
    except (DatabaseUnavailableError, DatabaseChangedError):
        raise
    except NewsletterError as error:
        notifier.notify_end(send_record, NOTIFICATION_KINDS, error=str(error))
        raise

    @contextmanager
    def open_observer(_pending: int) -> Iterator[SendObserver]:
        if send_record.state == "frozen":
            notifier.notify_start(send_record)
        yield LaneObserver(worker, send_record.issue)

    context = SendContext(project, ledger, send_record)
    transport = MeasuredTransport(worker.client, worker.counter)
    with _failover_notified(notifier, send_record), worker.counter.count_lane():
        outcome = deliver(context, transport, open_observer, worker.concurrency, is_lane=True)
    if outcome:
        # Each worker has a key of its own environment: the log tells which one was refused.
        reason = clean_line(f"{outcome.message}. {outcome.remedy}")
        _log.warning("%s was stopped: %s", send_record.issue, reason)
    current = _load_send(ledger, send_id)
    if current and current.state != "running":  # otherwise other lanes have not ended
        notifier.notify_end(send_record, NOTIFICATION_KINDS, outcome=outcome)


@contextmanager
def _failover_notified(notifier: Notifier, send_record: Send) -> Iterator[None]:
    """Wait for the notification of the start; notify the editor if the database has failed over."""
    try:
        yield
    except DatabaseUnavailableError:
        raise
    except NewsletterError as error:
        if find_copy(notifier.ledger.engine):
            notifier.notify_end(send_record, NOTIFICATION_KINDS, error=str(error))
        raise
    finally:
        notifier.wait()


def _load_send(ledger: Ledger, send_id: int) -> Send | None:
    with read_transaction(ledger.engine) as connection:
        return next(iter(load_sends(connection, send.c.id == send_id)), None)


def may_run(send_record: Send, now: datetime.datetime) -> bool:
    """Return whether it was started, or is scheduled and due: it may have been moved since."""
    if send_record.is_scheduled_locally and send_record.scheduled_at:
        return send_record.scheduled_at <= now
    return send_record.state == "running"
