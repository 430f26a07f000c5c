"""Sends what the ledger holds ready, one batch after the other, until nothing is open."""

import datetime
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

from newsletter.errors import DatabaseError, NewsletterError
from newsletter.sending import claim, ledger
from newsletter.sending.claim import Batch
from newsletter.sending.ledger import Ledger, Send
from newsletter.sending.payload import Letter, Stamp, request
from newsletter.sending.sendgrid import Reply, Silence
from newsletter.sending.verdict import Outcome, Step, judge, next_step
from newsletter.subscribers import Reader


class Post(Protocol):
    """Whatever can POST a body to the vendor."""

    def post_mail(self, body: bytes) -> Reply | Silence:
        """POST once; never retry."""


class Surroundings(Protocol):
    """What a sender needs of the world around it."""

    @property
    def stopping(self) -> bool:
        """Whether somebody has asked to stop after the request in flight."""

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
        post: the vendor.
        world: time and the editor.
        chance: a number from 0 to 1, for the jitter of pauses.
    """

    ledger: Ledger
    send: Send
    letter: Letter
    post: Post
    world: Surroundings
    chance: Callable[[], float] = random.random

    def run(self) -> Outcome | None:
        """Send until nothing is open, the send is halted, or somebody asks to stop.

        Returns:
            What made this sender halt the send, if anything did.
        """
        halted = None
        ledger.start(self.ledger, self.send)
        while not self.world.stopping and not halted and self._wait():
            ledger.sweep(self.ledger, self.send)
            if held := claim.claim(self.ledger, self.send):
                halted = self._deliver(held)
        if self.world.stopping:
            ledger.halt(self.ledger, self.send, "paused", "stopped by hand")
        return halted

    def _wait(self) -> bool:
        """Wait until a batch may be claimed; ``False`` if the send is over or halted."""
        until = ledger.waits_until(self.ledger, self.send)
        if until is None:
            ledger.finish(self.ledger, self.send)
            return False
        state = ledger.find(self.ledger, self.send.issue)
        if state is None or state.state != "running":
            return False
        self._wait_until(until)
        return True

    def _wait_until(self, time: datetime.datetime) -> None:
        if (seconds := (time - ledger.now(self.ledger)).total_seconds()) > 0:
            self.world.wait(seconds)

    def _deliver(self, held: Batch) -> Outcome | None:
        """Send one claimed batch; returns its outcome if that halts the send."""
        stamp = Stamp(str(self.send.id), str(held.id), str(held.attempt))
        readers = claim.readers_of(self.ledger, held)
        prepared = request(self.letter, readers, stamp)
        claim.reject(self.ledger, held, {reader.id: why for reader, why in prepared.unfit})
        self.world.settled(len(prepared.unfit))
        if not prepared.readers:
            claim.drop(self.ledger, held)
            return None
        claim.depart(self.ledger, held, prepared.body)
        answer = self.post.post_mail(prepared.body)
        return self._settle(held, prepared.readers, answer)

    def _settle(
        self, held: Batch, readers: tuple[Reader, ...], answer: Reply | Silence
    ) -> Outcome | None:
        now = ledger.now(self.ledger)
        outcome = judge(answer, now, sandbox=self.letter.config.sendgrid.sandbox)
        step = next_step(
            outcome, size=len(readers), attempts=held.attempts, now=now, chance=self.chance()
        )
        try:
            claim.settle(self.ledger, held, readers, outcome, step)
        except NewsletterError as error:
            raise DatabaseError(
                f"batch {held.number} had left when its outcome could not be written",
                remedy="It is never sent again by itself: its readers will count as unknown.",
                also=error.problems,
            ) from error
        self.world.settled(len(readers) if step.readers != "pending" else len(step.rejected))
        self._tell(held, len(readers), outcome, step)
        if step.halt:
            return outcome
        if step.retry_at:
            # The next batch would fare no better: it is the vendor or the way there.
            self._wait_until(step.retry_at)
        return None

    def _tell(self, held: Batch, size: int, outcome: Outcome, step: Step) -> None:
        """What an editor who watches should know of an outcome other than success."""
        name, words = f"batch {held.number}", outcome.words
        if step.batch == "unknown":
            self.world.remark(f"{name}: {words}; its {size:,} readers may or may not have the mail")
        elif step.batch == "split":
            self.world.remark(f"{name} was refused as a whole ({words}); trying its halves")
        elif step.rejected or step.batch == "rejected":
            some = f"{len(step.rejected) or size:,} of {size:,} readers"
            self.world.remark(f"{name}: SendGrid refused {some}: {words}")
        elif outcome.kind == "throttled" and step.retry_at:
            zone = ZoneInfo(self.letter.config.timezone)
            until = step.retry_at.astimezone(zone)
            self.world.remark(f"SendGrid asks for a pause; going on at {until:%H:%M:%S}")
        elif outcome.kind == "not_sent":
            self.world.remark(f"{name}: {words}; nothing has left, trying again")
