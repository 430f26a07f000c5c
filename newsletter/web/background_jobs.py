"""What the server does beside answering: starts sends that are due, posts letters, tidies up."""

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from newsletter.sending.ledger.find_sends import has_due_sends, open_ledger
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.web.site_context import Site
from newsletter.web.subscriber.transactional_emails import purge_stale_data, send_due_emails

_log = logging.getLogger(__name__)


class BackgroundJob(NamedTuple):
    """Something to do again and again.

    Attributes:
        name: for the log.
        interval_seconds: from one end to the next start.
        run: does it; whatever goes wrong is logged and tried again.
    """

    name: str
    interval_seconds: float
    run: Callable[[], object]


def make_background_jobs(site: Site, mailer: SendGridClient | None) -> list[BackgroundJob]:
    """The site's; without ``mailer`` nothing can be posted or sent."""
    found = [BackgroundJob("tidy", 3600.0, lambda: purge_stale_data(site))]
    if mailer:
        found.append(BackgroundJob("letters", 1.0, lambda: send_due_emails(site, mailer)))
        found.append(BackgroundJob("schedule", 15.0, lambda: start_due_sends(site)))
    return found


def start_due_sends(site: Site) -> int | None:
    """Start the sends whose time has come, in a process of their own: each survives the other.

    Returns:
        The process's exit code; ``None`` if nothing was due.
    """
    if not has_due_sends(open_ledger(site.engine, site.config)):
        return None
    command = [sys.executable, "-m", "newsletter", "send", "--due", "--json"]
    done = subprocess.run(  # noqa: S603 - our own program
        command,
        cwd=site.project.root,
        stdin=subprocess.DEVNULL,
        # Pipes would break under the send's hands when the server ends before it.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Ctrl-C at the server's terminal is not meant for the send.
        start_new_session=True,
        check=False,
    )
    level = logging.WARNING if done.returncode else logging.INFO
    _log.log(level, "sends that were due: exit code %d; see newsletter status", done.returncode)
    return done.returncode


class JobRunner:
    """Runs jobs, each in its own thread, until it is left; use it as a context manager.

    Args:
        jobs: what to do.
    """

    def __init__(self, jobs: Sequence[BackgroundJob]) -> None:
        self._stop_event = threading.Event()
        self._threads = [
            threading.Thread(target=self._run_repeatedly, args=(job,), name=job.name, daemon=True)
            for job in jobs
        ]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop_event.set()
        for thread in self._threads:
            thread.join(timeout=10.0)

    def _run_repeatedly(self, job: BackgroundJob) -> None:
        while not self._stop_event.is_set():
            try:
                job.run()
            except Exception:  # noqa: BLE001 - one failure must not end the others
                _log.exception("%s: it is tried again", job.name)
            self._stop_event.wait(job.interval_seconds)
