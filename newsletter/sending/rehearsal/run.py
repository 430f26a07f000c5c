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

from newsletter.config.urls import public_url
from newsletter.db import database, reading
from newsletter.db.schema import batch
from newsletter.errors import SendRefusedError
from newsletter.events.store import record
from newsletter.project import Project
from newsletter.sending.ledger.reconcile import reconcile_send
from newsletter.sending.ledger.record import Ledger, Send, get_send, list_unknown_batches
from newsletter.sending.ledger.resolve import find_unknown_batches, resolve_batches
from newsletter.sending.planning.preflight import no_recipients_problem
from newsletter.sending.rehearsal.delivery_log import Witness
from newsletter.sending.rehearsal.fault_plan import Step, batch_size, script
from newsletter.sending.rehearsal.link_scanner import scan
from newsletter.sending.rehearsal.result import Proof, ResolutionSummary, Scan
from newsletter.sending.rehearsal.scratch_database import copy_list, end_leases, make_list
from newsletter.sending.rehearsal.scripted_server import Vendor
from newsletter.subscribers import how_many

ACTOR = "newsletter.sending.rehearsal.sender_process"
SLICE = 0.1
# Each fault makes one round at most; more than these, and something goes round in circles.
MOST_ROUNDS = 40
PATIENCE = 60.0

Advance = Callable[[int], None]
# Runs the newsletter's public site over a database for a while: its address.
PublicSite = Callable[[Project, sa.Engine], AbstractContextManager[str]]


@dataclass(frozen=True, slots=True)
class Wish:
    """What to rehearse.

    Attributes:
        project: the editor's folder.
        issue: the issue's name.
        list: the true list's database; only read.
        made_up: so many made-up readers instead of the list; 0 for the list.
        faults: names of ``script.KINDS``.
        site: what the mail's links are opened on.
    """

    project: Project
    issue: str
    list: sa.Engine
    made_up: int
    faults: Sequence[str]
    site: PublicSite


def rehearse(wish: Wish, advance: Advance) -> Proof:
    """Send an issue to nobody, and see who would have it.

    Args:
        wish: what to rehearse.
        advance: called with the number of readers that the double has just taken.

    Raises:
        SendRefused: there is nobody to send it to, or the sender refuses or fails.
    """
    began = time.monotonic()
    steps = script(wish.faults)
    with tempfile.TemporaryDirectory(prefix="newsletter-rehearsal-") as folder:
        file = Path(folder) / "scratch.db"
        with (
            database(f"sqlite:///{file}", Path(folder)) as scratch,
            Witness(Path(folder) / "taken.db") as witness,
            Vendor(witness, steps) as vendor,
        ):
            size = _fill(wish, scratch, steps)
            stage = _Stage(wish, Ledger(scratch), vendor, witness, size, advance)
            stage.play()
            stage.open_links()
            return stage.prove(file, began)


def _fill(wish: Wish, scratch: sa.Engine, steps: Sequence[Step]) -> int:
    """Put the readers in; returns how large a batch may be."""
    if wish.made_up:
        make_list(wish.made_up, scratch)
    else:
        copy_list(wish.list, scratch)
    with reading(scratch) as connection:
        readers = how_many(connection, mailable=True)
    if not readers:
        raise SendRefusedError.from_problems([no_recipients_problem(None)])
    return batch_size(readers, wish.project.config.limits.batch_size, steps)


@dataclass(slots=True)
class _Stage:
    """A rehearsal under way.

    Attributes:
        wish: what is rehearsed.
        ledger: the scratch one.
        vendor: the double.
        witness: what it took.
        size: readers in a batch at most.
        advance: called with the number of readers just taken.
        kills: how often the sender was killed.
        settlement: of what was unknown so far.
        scan: what came of opening the links.
        shown: readers whom ``advance`` was told of.
    """

    wish: Wish
    ledger: Ledger
    vendor: Vendor
    witness: Witness
    size: int
    advance: Advance
    kills: int = 0
    settlement: ResolutionSummary = field(default_factory=ResolutionSummary)
    scan: Scan = field(default_factory=Scan)
    shown: int = 0

    def play(self) -> None:
        """Run the sender until the send is over; start it again when it was killed."""
        for _ in range(MOST_ROUNDS):
            killed = self._act()
            self.vendor.wait_until_alone(PATIENCE)
            if killed:
                end_leases(self.ledger.engine)
            elif not self._settle():
                return

    def open_links(self) -> None:
        """Do what security software does before a reader sees the mail."""
        project, scratch = self.wish.project, self.ledger.engine
        with self.wish.site(project, scratch) as stand_in:
            self.scan = scan(scratch, self.vendor.letters, public_url(project.config), stand_in)

    def prove(self, file: Path, began: float) -> Proof:
        """Lay the ledger beside what the vendor took."""
        of = self._send()
        assert of is not None
        fates, strangers = self.witness.compare(file, of.id)
        with reading(self.ledger.engine) as connection:
            batches = connection.scalar(sa.select(sa.func.count()).select_from(batch)) or 0
        return Proof(
            total=of.total,
            fates=fates,
            strangers=strangers,
            leftovers=len(self.vendor.leftovers),
            state=of.state,
            reason=of.reason,
            settlement=self.settlement,
            batches=batches,
            batch_size=self.size,
            requests=len(self.vendor.requests),
            met=dict(self.vendor.met),
            unmet=tuple(name for name in self.wish.faults if name not in self.vendor.met),
            kills=self.kills,
            seconds=time.monotonic() - began,
            scan=self.scan,
        )

    def _act(self) -> bool:
        """Run the sender once; whether it was killed."""
        project = self.wish.project
        where = [str(project.root), self.wish.issue, str(self.size)]
        with subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", ACTOR, *where], env=self._environment(), text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us alone
        ) as actor:  # fmt: skip
            try:
                killed = self._watch(actor)
            finally:
                actor.kill()
            _, told = actor.communicate()
        if actor.returncode and not killed:
            raise SendRefusedError("the rehearsed sender stopped", remedy=told.strip()[-2000:])
        return killed

    def _watch(self, actor: "subprocess.Popen[str]") -> bool:
        while actor.poll() is None:
            due = self.vendor.kill.wait(SLICE)
            self.advance(self.witness.taken - self.shown)
            self.shown = self.witness.taken
            if due:
                self.vendor.kill.clear()
                actor.kill()
                self.kills += 1
                return True
        return False

    def _environment(self) -> Mapping[str, str]:
        # In place of the real key, database and host.
        return {
            **os.environ,
            "SENDGRID_API_KEY": self.vendor.key,
            "SENDGRID_HOST": self.vendor.url,
            "NEWSLETTER_DATABASE": self.ledger.engine.url.render_as_string(),
        }

    def _settle(self) -> bool:
        """Settle what is unknown as an editor would; whether the sender has to go on."""
        of = self._send()
        if of is None or of.state != "needs_review":
            return False
        doubtful = list_unknown_batches(self.ledger, of)
        with self.ledger.engine.begin() as connection:
            record(connection, self.witness.events(datetime.datetime.now(datetime.UTC)))
        proven = reconcile_send(self.ledger, of)
        # The double tells of all that it took: what it doesn't tell of never came.
        never = find_unknown_batches(self.ledger, of) if proven.state == "needs_review" else []
        if never:
            resolve_batches(self.ledger, of, never, "resend")
        before = self.settlement
        self.settlement = ResolutionSummary(
            before.batches + len(doubtful),
            before.readers + sum(size for _, size, _ in doubtful),
            before.by_events + len(proven.accepted_batches),
            before.sent_again + len(never),
        )
        return bool(never)

    def _send(self) -> Send | None:
        return get_send(self.ledger, self.wish.issue)
