"""Sends what the ledger holds ready until nothing is open.

One thread, the caller's, owns the ledger and builds the bodies; others only POST.
"""

import datetime
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from newsletter.db import reading
from newsletter.errors import DatabaseError, NewsletterError
from newsletter.sending.delivery import claim
from newsletter.sending.delivery.claim import Batch, Parcel
from newsletter.sending.delivery.record_results import Settled, settle
from newsletter.sending.delivery.worker_pool import Answer, Post, Posters, full_speed
from newsletter.sending.ledger import record
from newsletter.sending.ledger.leases import sweep
from newsletter.sending.ledger.record import Ledger, Send
from newsletter.sending.providers.provider import Outcome, Stamp
from newsletter.sending.providers.sendgrid.outcomes import judge
from newsletter.sending.providers.sendgrid.payload import Letter, request
from newsletter.sending.retry_policy import Step, next_step

CONCURRENCY = 16
# Batches that are written down as leaving, all at once; while the next ones are built, these fly.
GROUP = 8
# How often a lease is renewed before it would end.
RENEWALS = 3


class Surroundings(Protocol):
    """What a sender needs of the world around it."""

    @property
    def stopping(self) -> bool:
        """Whether somebody has asked to stop after the requests in flight."""

    def wait(self, seconds: float) -> None:
        """Wait, but not beyond being asked to stop."""

    def settled(self, readers: int) -> None:
        """So many more readers are settled."""

    def remark(self, text: str) -> None:
        """Something that the editor should see."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends one frozen send.

    Attributes:
        ledger: the record.
        send: what to send; its letter must have the frozen hash.
        letter: the email, made ready.
        post: the vendor; it must bear ``concurrency`` threads.
        world: time and the editor.
        chance: a number from 0 to 1, for the jitter of pauses.
        concurrency: how many requests may be in flight at once.
    """

    ledger: Ledger
    send: Send
    letter: Letter
    post: Post
    world: Surroundings
    chance: Callable[[], float] = random.random
    concurrency: int = CONCURRENCY

    def run(self) -> Outcome | None:
        """Send until nothing is open, the send is halted, or somebody asks to stop.

        What is in flight then is finished and written down.

        Returns:
            What made this sender halt the send, if anything did.

        Raises:
            NewsletterError: the ledger can't be written, or a batch became another's.
        """
        record.start(self.ledger, self.send)
        sweep(self.ledger, self.send)
        with (
            full_speed(),
            ThreadPoolExecutor(1) as hashing,
            Posters[Parcel](self.post, self.concurrency) as posters,
        ):
            run = _Run(self, posters, hashing)
            while run.goes_on():
                pass
        if self.world.stopping:
            record.halt(self.ledger, self.send, "paused", "stopped by hand")
        if run.errors:
            problems = [problem for error in run.errors for problem in error.problems]
            raise type(run.errors[0]).from_problems(problems)
        return run.halted


@dataclass(slots=True)
class _Run:
    """One run of a sender.

    Attributes:
        of: the sender.
        posters: its threads.
        hashing: the thread that works out what names a body.
        halted: what made it halt the send.
        resume_at: nothing leaves before then: no other batch would fare better.
        errors: what is wrong with the ledger; then nothing leaves any more.
        renewed: when leases were renewed, by this machine's own clock.
    """

    of: Sender
    posters: Posters[Parcel]
    hashing: ThreadPoolExecutor
    halted: Outcome | None = None
    resume_at: datetime.datetime | None = None
    errors: list[NewsletterError] = field(default_factory=list)
    renewed: float = field(default_factory=time.monotonic)

    def goes_on(self) -> bool:
        """Do one round; ``False`` once nothing is in flight and nothing may leave any more."""
        over = self.of.world.stopping or bool(self.halted or self.errors)
        try:
            handed = 0
            if self.posters.free and not over and not self.resume_at:
                handed = self._hand_out()
            if self.posters.away:
                # Wait for an answer only if there is nothing else to do.
                self._take_back(0.0 if handed else self._lease / RENEWALS)
            elif not handed:
                return not over and self._wait()
        except NewsletterError as error:
            self.errors.append(error)
        return True

    @property
    def _lease(self) -> float:
        return self.of.ledger.lease.total_seconds()

    def _hand_out(self) -> int:
        """Let the next batches leave; returns how many were dealt with."""
        of = self.of
        held = claim.claim(of.ledger, of.send, min(GROUP, self.posters.free))
        if not held:
            return 0
        with reading(of.ledger.engine) as connection:
            now = of.ledger.clock(connection)
            parcels = [self._pack(connection, one, now) for one in held]
        leaving = claim.depart(of.ledger, parcels)
        if leaving is None:
            return 0
        for parcel in leaving:
            self.posters.hand(parcel, parcel.body)
        of.world.settled(sum(len(parcel.late) + len(parcel.unfit) for parcel in parcels))
        return len(held)

    def _pack(self, connection: sa.Connection, held: Batch, now: datetime.datetime) -> Parcel:
        late: list[int] = []
        readers = claim.readers_of(connection, held, late, now)
        stamp = Stamp(str(held.send_id), str(held.id), str(held.attempt))
        prepared = request(self.of.letter, readers, stamp)
        # It takes a quarter of the time of the body, and lets this thread build the next one.
        sha = self.hashing.submit(claim.sha_of, prepared.body)
        return Parcel(held, prepared.body, prepared.readers, late, prepared.unfit, sha)

    def _take_back(self, seconds: float) -> None:
        if back := self.posters.take(seconds):
            self._settle(back)
        if self.posters.away and time.monotonic() - self.renewed > self._lease / RENEWALS:
            claim.renew(self.of.ledger, [parcel.batch for parcel in self.posters.away])
            self.renewed = time.monotonic()

    def _settle(self, back: Sequence[tuple[Parcel, Answer]]) -> None:
        of = self.of
        now = record.now(of.ledger)
        settled = []
        for parcel, answer in back:
            outcome = judge(answer, now, sandbox=of.letter.config.sendgrid.sandbox)
            step = next_step(
                outcome,
                size=len(parcel.readers),
                attempts=parcel.batch.attempts,
                now=now,
                chance=of.chance(),
            )
            settled.append(Settled(parcel.batch, parcel.readers, outcome, step))
        self._write(settled)

    def _write(self, settled: Sequence[Settled]) -> None:
        try:
            settle(self.of.ledger, settled)
        except NewsletterError as error:
            if len(settled) > 1:
                # One that can't be written must not take the others with it.
                for one in settled:
                    self._write([one])
                return
            self.errors.append(
                DatabaseError(
                    f"batch {settled[0].batch.number} had left when its outcome could not be "
                    "written",
                    remedy="It is never sent again by itself: its readers will count as unknown.",
                    other_problems=error.problems,
                )
            )
            return
        for one in settled:
            self._follow(one.step, one.outcome, len(one.readers))
            self._tell(one)

    def _follow(self, step: Step, outcome: Outcome, size: int) -> None:
        self.of.world.settled(size if step.readers != "pending" else len(step.rejected))
        if step.halt:
            self.halted = self.halted or outcome
        elif step.retry_at:
            # It is the vendor or the way there.
            self.resume_at = max(step.retry_at, self.resume_at or step.retry_at)

    def _wait(self) -> bool:
        """Wait until a batch may be claimed; ``False`` if the send is over or halted."""
        of = self.of
        if self.resume_at:
            self._wait_until(self.resume_at)
            self.resume_at = None
            return True
        until = record.waits_until(of.ledger, of.send)
        if until is None:
            record.finish(of.ledger, of.send)
            return False
        state = record.find(of.ledger, of.send.issue)
        if state is None or state.state != "running":
            return False
        self._wait_until(until)
        sweep(of.ledger, of.send)
        return True

    def _wait_until(self, moment: datetime.datetime) -> None:
        if (seconds := (moment - record.now(self.of.ledger)).total_seconds()) > 0:
            self.of.world.wait(seconds)

    def _tell(self, one: Settled) -> None:
        """What an editor who watches should know of an outcome other than success."""
        outcome, step, size, world = one.outcome, one.step, len(one.readers), self.of.world
        name, words = f"batch {one.batch.number}", outcome.words
        if step.batch == "unknown":
            world.remark(f"{name}: {words}; its {size:,} readers may or may not have the mail")
        elif step.batch == "split":
            world.remark(f"{name} was refused as a whole ({words}); trying its halves")
        elif step.rejected or step.batch == "rejected":
            some = f"{len(step.rejected) or size:,} of {size:,} readers"
            world.remark(f"{name}: SendGrid refused {some}: {words}")
        elif outcome.kind == "throttled" and step.retry_at:
            zone = ZoneInfo(self.of.letter.config.timezone)
            until = step.retry_at.astimezone(zone)
            world.remark(f"SendGrid asks for a pause; going on at {until:%H:%M:%S}")
        elif outcome.kind == "not_sent":
            world.remark(f"{name}: {words}; nothing has left, trying again")
