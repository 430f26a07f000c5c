"""A rehearsal: the true send path against the double, with faults, in a scratch folder."""

import datetime
import os
import subprocess
import sys
import tempfile
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
from newsletter.project import Project
from newsletter.sending.ledger.reconcile import reconcile_send
from newsletter.sending.ledger.record import Ledger, Send, get_send, list_unknown_batches
from newsletter.sending.ledger.resolve import find_unknown_batches, resolve_batches
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
# Each fault makes one round at most; more than these, and something goes round in circles.
MAX_ROUNDS = 40
DISCONNECT_TIMEOUT = 60.0

ProgressCallback = Callable[[int], None]
# Runs the newsletter's public site over a database for a while: its address.
SiteRunner = Callable[[Project, sa.Engine], AbstractContextManager[str]]


@dataclass(frozen=True, slots=True)
class RehearsalOptions:
    """What to rehearse.

    Attributes:
        project: the editor's folder.
        issue: the issue's name.
        list_engine: the true list's database; only read.
        synthetic_count: so many made-up readers instead of the list; 0 for the list.
        faults: names of ``script.KINDS``.
        run_site: what the mail's links are opened on.
    """

    project: Project
    issue: str
    list_engine: sa.Engine
    synthetic_count: int
    faults: Sequence[str]
    run_site: SiteRunner


def run_rehearsal(options: RehearsalOptions, on_progress: ProgressCallback) -> RehearsalResult:
    """Send an issue to nobody, and see who would have it.

    Args:
        options: what to rehearse.
        on_progress: called with the number of readers that the double has just taken.

    Raises:
        SendRefused: there is nobody to send it to, or the sender refuses or fails.
    """
    began = time.monotonic()
    steps = build_fault_plan(options.faults)
    with tempfile.TemporaryDirectory(prefix="newsletter-rehearsal-") as folder:
        file = Path(folder) / "scratch.db"
        with (
            database_engine(f"sqlite:///{file}", Path(folder)) as scratch,
            DeliveryLog(Path(folder) / "taken.db") as witness,
            ScriptedFakeSendGrid(witness, steps) as vendor,
        ):
            size = _fill_scratch_database(options, scratch, steps)
            stage = _Rehearsal(options, Ledger(scratch), vendor, witness, size, on_progress)
            stage.send_until_done()
            stage.open_links()
            return stage.build_result(file, began)


def _fill_scratch_database(
    options: RehearsalOptions, scratch: sa.Engine, plan: Sequence[PlannedFault]
) -> int:
    """Put the readers in; returns how large a batch may be."""
    if options.synthetic_count:
        insert_synthetic_subscribers(options.synthetic_count, scratch)
    else:
        copy_subscribers(options.list_engine, scratch)
    with read_transaction(scratch) as connection:
        readers = count_subscribers(connection, mailable_only=True)
    if not readers:
        raise SendRefusedError.from_problems([no_recipients_problem(None)])
    return choose_batch_size(readers, options.project.config.limits.batch_size, plan)


@dataclass(slots=True)
class _Rehearsal:
    """A rehearsal under way.

    Attributes:
        options: what is rehearsed.
        ledger: the scratch one.
        server: the double.
        delivery_log: what it took.
        max_batch_size: readers in a batch at most.
        on_progress: called with the number of readers just taken.
        kills: how often the sender was killed.
        resolution: of what was unknown so far.
        link_scan: what came of opening the links.
        reported_count: readers whom ``advance`` was told of.
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
        """Run the sender until the send is over; start it again when it was killed."""
        for _ in range(MAX_ROUNDS):
            killed = self._run_sender()
            self.server.wait_until_idle(DISCONNECT_TIMEOUT)
            if killed:
                force_lease_expiry(self.ledger.engine)
            elif not self._resolve_unknown():
                return

    def open_links(self) -> None:
        """Do what security software does before a reader sees the mail."""
        project, scratch = self.options.project, self.ledger.engine
        with self.options.run_site(project, scratch) as stand_in:
            self.link_scan = scan_links(
                scratch, self.server.scanned_texts, get_public_url(project.config), stand_in
            )

    def build_result(self, file: Path, started: float) -> RehearsalResult:
        """Lay the ledger beside what the vendor took."""
        of = self._find_send()
        assert of is not None
        fates, strangers = self.delivery_log.compare_with_ledger(file, of.id)
        with read_transaction(self.ledger.engine) as connection:
            batches = connection.scalar(sa.select(sa.func.count()).select_from(batch)) or 0
        return RehearsalResult(
            recipient_count=of.total,
            delivery_counts=fates,
            unexpected_copies=strangers,
            unfilled_token_count=len(self.server.unfilled_tokens),
            state=of.state,
            reason=of.reason,
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
        """Run the sender once; whether it was killed."""
        project = self.options.project
        where = [str(project.root), self.options.issue, str(self.max_batch_size)]
        with subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", SENDER_MODULE, *where], env=self._environment(), text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us alone
        ) as actor:  # fmt: skip
            try:
                killed = self._wait_for_sender(actor)
            finally:
                actor.kill()
            _, told = actor.communicate()
        if actor.returncode and not killed:
            raise SendRefusedError("the rehearsed sender stopped", remedy=told.strip()[-2000:])
        return killed

    def _wait_for_sender(self, process: "subprocess.Popen[str]") -> bool:
        while process.poll() is None:
            due = self.server.kill_requested.wait(POLL_SECONDS)
            self.on_progress(self.delivery_log.recipient_count - self.reported_count)
            self.reported_count = self.delivery_log.recipient_count
            if due:
                self.server.kill_requested.clear()
                process.kill()
                self.kills += 1
                return True
        return False

    def _environment(self) -> Mapping[str, str]:
        # In place of the real key, database and host.
        return {
            **os.environ,
            "SENDGRID_API_KEY": self.server.key,
            "SENDGRID_HOST": self.server.url,
            "NEWSLETTER_DATABASE": self.ledger.engine.url.render_as_string(),
        }

    def _resolve_unknown(self) -> bool:
        """Settle what is unknown as an editor would; whether the sender has to go on."""
        of = self._find_send()
        if of is None or of.state != "needs_review":
            return False
        doubtful = list_unknown_batches(self.ledger, of)
        with self.ledger.engine.begin() as connection:
            record_events(
                connection, self.delivery_log.iter_events(datetime.datetime.now(datetime.UTC))
            )
        proven = reconcile_send(self.ledger, of)
        # The double tells of all that it took: what it doesn't tell of never came.
        never = find_unknown_batches(self.ledger, of) if proven.state == "needs_review" else []
        if never:
            resolve_batches(self.ledger, of, never, "resend")
        before = self.resolution
        self.resolution = ResolutionSummary(
            before.batches + len(doubtful),
            before.readers + sum(size for _, size, _ in doubtful),
            before.by_events + len(proven.accepted_batches),
            before.sent_again + len(never),
        )
        return bool(never)

    def _find_send(self) -> Send | None:
        return get_send(self.ledger, self.options.issue)
