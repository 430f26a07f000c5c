"""The server's background jobs: due sends, emails, notifications, cleanup."""

import logging
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import BinaryIO, NamedTuple, cast

import sqlalchemy as sa

from newsletter.backup.erasure_record import renew_erasures
from newsletter.backup.retired_database import read_moved_to
from newsletter.db import read_transaction
from newsletter.db.errors import RETIRED_MESSAGE, RETIRED_REMEDY, redact_database_url
from newsletter.db.migrate import require_current_schema
from newsletter.db.postgresql.privileges import may_insert
from newsletter.db.postgresql.recipient_partitions import drop_leftover_partitions
from newsletter.db.schema import attempt
from newsletter.errors import DatabaseChangedError, Location, NewsletterError
from newsletter.events.unreadable_store import purge_unreadable
from newsletter.project.editor_command import read_last_line
from newsletter.sending.ledger.find_sends import has_due_sends, open_ledger
from newsletter.sending.ledger.heartbeat import record_heartbeat
from newsletter.sending.notifications.notification import clean_line
from newsletter.sending.notifications.notifier import Notifier
from newsletter.sending.notifications.periodic_check import notify_overdue
from newsletter.sending.providers.provider import ProviderClient
from newsletter.sending.transactional_queue import has_due_emails
from newsletter.web.archive.latest_issues import make_latest_finder
from newsletter.web.database_clock import DatabaseClock
from newsletter.web.site_context import Site
from newsletter.web.stop_signal import StopSignal
from newsletter.web.subscriber.transactional_emails import purge_stale_data, send_due_emails

_log = logging.getLogger(__name__)


class BackgroundJob(NamedTuple):
    """A function to run at intervals.

    Attributes:
        name: the job's name in the log.
        interval_seconds: the pause from the end of one run to the start of the next.
        run: the function; any error is logged, and it is run again, unless the database is not one
            for this program any more.
    """

    name: str
    interval_seconds: float
    run: Callable[[], object]


def make_background_jobs(site: Site, mailer: ProviderClient | None) -> list[BackgroundJob]:
    """Return the site's jobs; without ``mailer``, only those that send nothing."""
    jobs = [
        BackgroundJob("cleanup", 3600.0, lambda: clean_up(site)),
        BackgroundJob("refused sign-ups", 60.0, lambda: site.refused_signups.save(site.engine)),
        BackgroundJob("erasures", 60.0, lambda: renew_erasures(site.engine, site.project.root)),
        BackgroundJob("database check", 2.0, lambda: require_same_database(site.engine)),
    ]
    if isinstance(site.clock, DatabaseClock):
        jobs.append(BackgroundJob("clock", 30.0, site.clock.sync))
    if mailer:
        jobs.append(
            BackgroundJob("transactional emails", 1.0, lambda: send_queued_emails(site, mailer))
        )
    if mailer and _may_send(site):
        jobs.append(BackgroundJob("due sends", 15.0, lambda: start_due_sends(site)))
        # A job of its own: a due send can take hours.
        jobs.append(BackgroundJob("heartbeat", 60.0, lambda: leave_heartbeat(site)))
    if site.config.notify.is_set:
        jobs.append(BackgroundJob("notifications", 60.0, lambda: notify_overdue_sends(site)))
    return jobs


def _may_send(site: Site) -> bool:
    """Return whether the database's role may send; PostgreSQL's role for the site may not."""
    with read_transaction(site.engine) as connection:
        may_send = may_insert(connection, attempt)
    if not may_send:
        _log.info("due sends are left to another host: the database's role may not send")
    return may_send


def require_same_database(engine: sa.Engine) -> None:
    """Refuse a database that was upgraded or retired since it was opened; nothing is written.

    Raises:
        DatabaseChangedError: it was.
    """
    with read_transaction(engine) as connection:
        require_current_schema(connection)
        is_retired = read_moved_to(connection) is not None
    if is_retired:
        where = Location(redact_database_url(engine.url))
        raise DatabaseChangedError(RETIRED_MESSAGE, where=where, remedy=RETIRED_REMEDY)


def notify_overdue_sends(site: Site) -> None:
    """Notify the editor about sends that have stopped, or have no events."""
    ledger = open_ledger(site.engine, site.config)
    notify_overdue(Notifier(site.project, ledger, lambda text: _log.warning("%s", text)))


def clean_up(site: Site) -> None:
    """Delete what has expired, and what nothing refers to any more."""
    purge_stale_data(site)
    with site.engine.begin() as connection:
        purge_unreadable(connection, site.clock())
    drop_leftover_partitions(site.engine)


def send_queued_emails(site: Site, mailer: ProviderClient) -> int:
    """Send the transactional emails that are due; return how many requests were made."""
    if not has_due_emails(site.engine, site.clock()):
        return 0
    # If the database turns out to be a copy, the original may have sent what is queued in it.
    open_ledger(site.engine, site.config)
    find_latest = make_latest_finder(site.project, site.engine, site.clock())
    return send_due_emails(site, mailer, find_latest)


def leave_heartbeat(site: Site) -> None:
    """Record that the server runs, so that a send may wait here for its time."""
    record_heartbeat(open_ledger(site.engine, site.config), "serve")


def start_due_sends(site: Site) -> int | None:
    """Run the sends that are due in a separate process, which outlives a restart of the server.

    Returns:
        The process's exit code; ``None`` if nothing was due.
    """
    if not has_due_sends(open_ledger(site.engine, site.config)):
        return None
    command = [sys.executable, "-m", "newsletter", "send", "--due", "--by-server", "--json"]
    with ExitStack() as stack:
        stderr = _open_output(stack)
        completed = subprocess.run(  # noqa: S603 - a fixed command, no shell
            command,
            cwd=site.project.root,
            stdin=subprocess.DEVNULL,
            # Pipes would break, and with them the send, when the server exits first.
            stdout=subprocess.DEVNULL,
            stderr=stderr or subprocess.DEVNULL,
            # Ctrl-C in the server's terminal must not stop the send.
            start_new_session=True,
            check=False,
        )
        code = completed.returncode
        message = clean_line(read_last_line(stderr)) if stderr and code else ""
    if code:
        _log.warning("due sends: exit code %d; see newsletter status. %s", code, message)
    else:
        _log.info("due sends: exit code 0")
    return code


def _open_output(stack: ExitStack) -> BinaryIO | None:
    """Open a temporary file; ``None`` if there is no place for one, which must stop no send."""
    try:
        return cast("BinaryIO", stack.enter_context(tempfile.TemporaryFile()))
    except OSError:
        return None


class JobRunner:
    """Context manager that runs jobs, each in its own thread, until it is exited.

    Args:
        jobs: the jobs to run.
        stopping: is set once one finds that the database is not one for this program any more, and
            when it is exited.
    """

    def __init__(self, jobs: Sequence[BackgroundJob], stopping: StopSignal) -> None:
        self._stopping = stopping
        self._threads = [
            threading.Thread(target=self._run_repeatedly, args=(job,), name=job.name, daemon=True)
            for job in jobs
        ]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=10.0)

    def _run_repeatedly(self, job: BackgroundJob) -> None:
        while not self._stopping.is_set():
            try:
                job.run()
            except DatabaseChangedError as error:
                self._stopping.give_up(error)
            except NewsletterError as error:
                _log.error(
                    "background job failed and will be retried: %s: %s",
                    job.name,
                    clean_line(str(error)),
                )
            except Exception:  # noqa: BLE001 - one failure must not end the others
                _log.exception("background job failed and will be retried: %s", job.name)
            self._stopping.wait(job.interval_seconds)
