"""Run a rehearsal: the real sender against a fake SendGrid, with faults.

Everything happens in a temporary folder; the list is only read.
"""

import datetime
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from newsletter.config.urls import get_public_url
from newsletter.db import database_engine, read_transaction
from newsletter.db.schema import batch
from newsletter.errors import SendRefusedError
from newsletter.events.store import record_events
from newsletter.private_files import temporary_private_folder
from newsletter.project import Project
from newsletter.sending.ledger.reconcile import reconcile_send
from newsletter.sending.ledger.record import Ledger, Send, get_send
from newsletter.sending.ledger.resolve import (
    find_unknown_batches,
    list_unknown_batches,
    resolve_batches,
)
from newsletter.sending.planning.preflight import no_recipients_problem
from newsletter.sending.rehearsal.delivery_log import DeliveryLog
from newsletter.sending.rehearsal.fault_plan import (
    PlannedFault,
    build_fault_plan,
    choose_batch_size,
)
from newsletter.sending.rehearsal.link_scanner import scan_links
from newsletter.sending.rehearsal.result import LinkScanResult, RehearsalResult, ResolutionSummary
from newsletter.sending.rehearsal.scratch_database import (
    copy_subscribers,
    force_lease_expiry,
    insert_synthetic_subscribers,
)
from newsletter.sending.rehearsal.scripted_server import ScriptedFakeSendGrid
from newsletter.subscribers import count_subscribers

SENDER_MODULE = "newsletter.sending.rehearsal.sender_process"
POLL_SECONDS = 0.1
# Each fault takes one round at most; more rounds than these mean an endless loop.
MAX_ROUNDS = 40
DISCONNECT_TIMEOUT = 60.0

ProgressCallback = Callable[[int], None]
# Context manager that serves the newsletter's public site over a database; yields its URL.
SiteRunner = Callable[[Project, sa.Engine], AbstractContextManager[str]]


@dataclass(frozen=True, slots=True)
class RehearsalOptions:
    """Options of a rehearsal.

    Attributes:
        project: the editor's folder.
        issue: the issue's name.
        list_engine: the database of the real list; only read.
        synthetic_count: number of synthetic subscribers to use instead of the list; 0 for the list.
        faults: names in ``fault_plan.FAULT_KINDS``.
        run_site: serves the site on which the email's links are opened.
    """

    project: Project
    issue: str
    list_engine: sa.Engine
    synthetic_count: int
    faults: Sequence[str]
    run_site: SiteRunner


def run_rehearsal(options: RehearsalOptions, on_progress: ProgressCallback) -> RehearsalResult:
    """Send an issue to a fake SendGrid and compare what it accepted with the ledger.

    Args:
        options: what to rehearse.
        on_progress: called with the number of recipients that the fake has just accepted.

    Raises:
        SendRefusedError: there are no recipients, or the sender refuses or fails.
    """
    started = time.monotonic()
    plan = build_fault_plan(options.faults)
    with temporary_private_folder() as folder:
        file = folder / "scratch.db"
        with (
            database_engine(f"sqlite:///{file}", folder) as scratch,
            DeliveryLog(folder / "deliveries.db") as delivery_log,
            ScriptedFakeSendGrid(delivery_log, plan) as server,
        ):
            batch_size = _fill_scratch_database(options, scratch, plan)
            rehearsal = _Rehearsal(
                options, Ledger(scratch), server, delivery_log, batch_size, on_progress
            )
            rehearsal.send_until_done()
            rehearsal.open_links()
            return rehearsal.build_result(file, started)


def _fill_scratch_database(
    options: RehearsalOptions, scratch: sa.Engine, plan: Sequence[PlannedFault]
) -> int:
    """Insert the subscribers and return the batch size."""
    if options.synthetic_count:
        insert_synthetic_subscribers(options.synthetic_count, scratch)
    else:
        copy_subscribers(options.list_engine, scratch)
    with read_transaction(scratch) as connection:
        recipient_count = count_subscribers(connection, mailable_only=True)
    if not recipient_count:
        raise SendRefusedError.from_problems([no_recipients_problem(None)])
    return choose_batch_size(recipient_count, options.project.config.limits.batch_size, plan)


@dataclass(slots=True)
class _Rehearsal:
    """A rehearsal in progress.

    Attributes:
        options: what is rehearsed.
        ledger: the ledger in the scratch database.
        server: the fake SendGrid.
        delivery_log: what it accepted.
        max_batch_size: the maximum number of recipients in a batch.
        on_progress: called with the number of recipients just accepted.
        kills: how often the sender was killed.
        resolution: how unknown batches were resolved so far.
        link_scan: the result of opening the links.
        reported_count: recipients that were passed to ``on_progress``.
    """

    options: RehearsalOptions
    ledger: Ledger
    server: ScriptedFakeSendGrid
    delivery_log: DeliveryLog
    max_batch_size: int
    on_progress: ProgressCallback
    kills: int = 0
    resolution: ResolutionSummary = field(default_factory=ResolutionSummary)
    link_scan: LinkScanResult = field(default_factory=LinkScanResult)
    reported_count: int = 0

    def send_until_done(self) -> None:
        """Run the sender until the send is over, restarting it after each kill."""
        for _ in range(MAX_ROUNDS):
            killed = self._run_sender()
            self.server.wait_until_idle(DISCONNECT_TIMEOUT)
            self.server.resume_plan()
            if killed:
                force_lease_expiry(self.ledger.engine)
            elif not self._resolve_unknown():
                return

    def open_links(self) -> None:
        """Open the links, as security software does before a recipient sees the email."""
        project, scratch = self.options.project, self.ledger.engine
        with self.options.run_site(project, scratch) as local_url:
            self.link_scan = scan_links(
                scratch, self.server.scanned_texts, get_public_url(project.config), local_url
            )

    def build_result(self, file: Path, started: float) -> RehearsalResult:
        """Compare the ledger with what the fake SendGrid accepted."""
        send = self._find_send()
        assert send is not None
        delivery_counts, unexpected_copies = self.delivery_log.compare_with_ledger(file, send.id)
        with read_transaction(self.ledger.engine) as connection:
            batches = connection.scalar(sa.select(sa.func.count()).select_from(batch)) or 0
        return RehearsalResult(
            recipient_count=send.total,
            delivery_counts=delivery_counts,
            unexpected_copies=unexpected_copies,
            unfilled_token_count=len(self.server.unfilled_tokens),
            state=send.state,
            reason=send.reason,
            resolution=self.resolution,
            batches=batches,
            batch_size=self.max_batch_size,
            requests=len(self.server.requests),
            faults_met=dict(self.server.faults_met),
            faults_not_met=tuple(
                name for name in self.options.faults if name not in self.server.faults_met
            ),
            kills=self.kills,
            seconds=time.monotonic() - started,
            link_scan=self.link_scan,
        )

    def _run_sender(self) -> bool:
        """Run the sender once and return whether it was killed."""
        project = self.options.project
        arguments = [str(project.root), self.options.issue, str(self.max_batch_size)]
        with subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", SENDER_MODULE, *arguments],
            env=self._environment(),
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C must reach this process only
        ) as process:
            try:
                killed = self._wait_for_sender(process)
            finally:
                process.kill()
            _, stderr = process.communicate()
        if process.returncode and not killed:
            raise SendRefusedError("the rehearsal's sender failed", remedy=stderr.strip()[-2000:])
        return killed

    def _wait_for_sender(self, process: "subprocess.Popen[str]") -> bool:
        while process.poll() is None:
            kill = self.server.kill_requested.wait(POLL_SECONDS)
            self.on_progress(self.delivery_log.recipient_count - self.reported_count)
            self.reported_count = self.delivery_log.recipient_count
            if kill:
                self.server.kill_requested.clear()
                process.kill()
                self.kills += 1
                return True
        return False

    def _environment(self) -> Mapping[str, str]:
        # Replaces the real key, database and host.
        return {
            **os.environ,
            "SENDGRID_API_KEY": self.server.key,
            "SENDGRID_HOST": self.server.url,
            "NEWSLETTER_DATABASE": self.ledger.engine.url.render_as_string(),
        }

    def _resolve_unknown(self) -> bool:
        """Resolve unknown batches as an editor would; return whether the sender must continue."""
        send = self._find_send()
        if send is None or send.state != "needs_review":
            return False
        unknown = list_unknown_batches(self.ledger, send)
        with self.ledger.engine.begin() as connection:
            record_events(
                connection, self.delivery_log.iter_events(datetime.datetime.now(datetime.UTC))
            )
        proven = reconcile_send(self.ledger, send)
        # The fake reports everything that it accepted: what it doesn't report never arrived.
        unsent = find_unknown_batches(self.ledger, send) if proven.state == "needs_review" else []
        if unsent:
            resolve_batches(self.ledger, send, unsent, "resend")
        before = self.resolution
        self.resolution = ResolutionSummary(
            before.batches + len(unknown),
            before.readers + sum(size for _, size, _ in unknown),
            before.by_events + len(proven.accepted_batches),
            before.sent_again + len(unsent),
        )
        return bool(unsent)

    def _find_send(self) -> Send | None:
        return get_send(self.ledger, self.options.issue)
