"""The send loop: claim, build, hand to the workers, record.

Until no batch is open.

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

from newsletter.db import read_transaction
from newsletter.errors import DatabaseError, NewsletterError
from newsletter.sending.delivery import claim
from newsletter.sending.delivery.claim import ClaimedBatch, PreparedBatch
from newsletter.sending.delivery.record_results import BatchResult, record_batch_results
from newsletter.sending.delivery.worker_pool import (
    MailTransport,
    TransportResult,
    WorkerPool,
    tune_interpreter,
)
from newsletter.sending.ledger import record
from newsletter.sending.ledger.leases import expire_leases
from newsletter.sending.ledger.record import Ledger, Send
from newsletter.sending.providers.provider import Outcome, RequestId
from newsletter.sending.providers.sendgrid.outcomes import classify_response
from newsletter.sending.providers.sendgrid.payload import PreparedEmail, build_request
from newsletter.sending.retry_policy import BatchAction, decide_batch_action

CONCURRENCY = 16
# Batches that are marked in flight at once; while the next ones are built, these are sent.
BATCHES_PER_CLAIM = 8
# How often a lease is renewed before it would end.
RENEWALS_PER_LEASE = 3


class SendObserver(Protocol):
    """Whoever watches a send: shows progress, waits, may ask to stop."""

    @property
    def stop_requested(self) -> bool:
        """Whether to stop after the requests in flight."""

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than until a stop is requested."""

    def advance(self, recipient_count: int) -> None:
        """Report that so many more recipients have a final state."""

    def notify(self, text: str) -> None:
        """Show a message to the editor."""


@dataclass(frozen=True, slots=True)
class BatchSender:
    """Sends one frozen send.

    Attributes:
        ledger: the record.
        send: what to send; its letter must have the frozen hash.
        prepared_email: the email, made ready.
        transport: the vendor; it must bear ``concurrency`` threads.
        observer: time and the editor.
        jitter: a number from 0 to 1, for the jitter of pauses.
        concurrency: how many requests may be in flight at once.
    """

    ledger: Ledger
    send: Send
    prepared_email: PreparedEmail
    transport: MailTransport
    observer: SendObserver
    jitter: Callable[[], float] = random.random
    concurrency: int = CONCURRENCY

    def run(self) -> Outcome | None:
        """Send until nothing is open, the send is halted, or somebody asks to stop.

        What is in flight then is finished and written down.

        Returns:
            What made this sender halt the send, if anything did.

        Raises:
            NewsletterError: the ledger can't be written, or a batch became another's.
        """
        record.start_send(self.ledger, self.send)
        expire_leases(self.ledger, self.send)
        with (
            tune_interpreter(),
            ThreadPoolExecutor(1) as hash_executor,
            WorkerPool[PreparedBatch](self.transport, self.concurrency) as pool,
        ):
            run = _SendLoop(self, pool, hash_executor)
            while run.run_round():
                pass
        if self.observer.stop_requested:
            record.stop_send(self.ledger, self.send, "paused", "stopped by hand")
        if run.errors:
            problems = [problem for error in run.errors for problem in error.problems]
            raise type(run.errors[0]).from_problems(problems)
        return run.stop_outcome


@dataclass(slots=True)
class _SendLoop:
    """One run of a sender.

    Attributes:
        sender: the sender.
        pool: its threads.
        hash_executor: the thread that works out what names a body.
        stop_outcome: what made it halt the send.
        resume_at: nothing leaves before then: no other batch would fare better.
        errors: what is wrong with the ledger; then nothing leaves any more.
        renewed_at: when leases were renewed, by this machine's own clock.
    """

    sender: BatchSender
    pool: WorkerPool[PreparedBatch]
    hash_executor: ThreadPoolExecutor
    stop_outcome: Outcome | None = None
    resume_at: datetime.datetime | None = None
    errors: list[NewsletterError] = field(default_factory=list)
    renewed_at: float = field(default_factory=time.monotonic)

    def run_round(self) -> bool:
        """Do one round; ``False`` once nothing is in flight and nothing may leave any more."""
        over = self.sender.observer.stop_requested or bool(self.stop_outcome or self.errors)
        try:
            handed = 0
            if self.pool.idle_count and not over and not self.resume_at:
                handed = self._submit_batches()
            if self.pool.in_flight:
                # Wait for an answer only if there is nothing else to do.
                self._collect_results(0.0 if handed else self._lease_seconds / RENEWALS_PER_LEASE)
            elif not handed:
                return not over and self._wait_for_batch()
        except NewsletterError as error:
            self.errors.append(error)
        return True

    @property
    def _lease_seconds(self) -> float:
        return self.sender.ledger.lease.total_seconds()

    def _submit_batches(self) -> int:
        """Let the next batches leave; returns how many were dealt with."""
        sender = self.sender
        held = claim.claim_batches(
            sender.ledger, sender.send, min(BATCHES_PER_CLAIM, self.pool.idle_count)
        )
        if not held:
            return 0
        with read_transaction(sender.ledger.engine) as connection:
            now = sender.ledger.clock(connection)
            prepared_batches = [
                self._prepare_batch(connection, claimed_batch, now) for claimed_batch in held
            ]
        to_send = claim.mark_in_flight(sender.ledger, prepared_batches)
        if to_send is None:
            return 0
        for prepared in to_send:
            self.pool.submit(prepared, prepared.body)
        sender.observer.advance(
            sum(
                len(prepared.unsubscribed_since) + len(prepared.rejected_recipients)
                for prepared in prepared_batches
            )
        )
        return len(held)

    def _prepare_batch(
        self, connection: sa.Connection, claimed_batch: ClaimedBatch, now: datetime.datetime
    ) -> PreparedBatch:
        late: list[int] = []
        readers = claim.load_recipients(connection, claimed_batch, late, now)
        stamp = RequestId(
            str(claimed_batch.send_id), str(claimed_batch.id), str(claimed_batch.attempt_number)
        )
        prepared = build_request(self.sender.prepared_email, readers, stamp)
        # It takes a quarter of the time of the body, and lets this thread build the next one.
        sha = self.hash_executor.submit(claim.hash_body, prepared.body)
        return PreparedBatch(
            claimed_batch,
            prepared.body,
            prepared.recipient_ids,
            late,
            prepared.rejected_recipients,
            sha,
        )

    def _collect_results(self, timeout: float) -> None:
        if back := self.pool.get_completed(timeout):
            self._handle_responses(back)
        if (
            self.pool.in_flight
            and time.monotonic() - self.renewed_at > self._lease_seconds / RENEWALS_PER_LEASE
        ):
            claim.renew_leases(
                self.sender.ledger, [prepared.batch for prepared in self.pool.in_flight]
            )
            self.renewed_at = time.monotonic()

    def _handle_responses(self, completed: Sequence[tuple[PreparedBatch, TransportResult]]) -> None:
        sender = self.sender
        now = record.get_ledger_time(sender.ledger)
        settled = []
        for prepared, answer in completed:
            outcome = classify_response(
                answer, now, sandbox=sender.prepared_email.config.sendgrid.sandbox
            )
            step = decide_batch_action(
                outcome,
                recipient_count=len(prepared.recipient_ids),
                attempts=prepared.batch.failed_attempts,
                now=now,
                jitter=sender.jitter(),
            )
            settled.append(BatchResult(prepared.batch, prepared.recipient_ids, outcome, step))
        self._record_results(settled)

    def _record_results(self, results: Sequence[BatchResult]) -> None:
        try:
            record_batch_results(self.sender.ledger, results)
        except NewsletterError as error:
            if len(results) > 1:
                # One that can't be written must not take the others with it.
                for result in results:
                    self._record_results([result])
                return
            self.errors.append(
                DatabaseError(
                    f"batch {results[0].batch.number} had left when its outcome could not be "
                    "written",
                    remedy="It is never sent again by itself: its readers will count as unknown.",
                    other_problems=error.problems,
                )
            )
            return
        for result in results:
            self._apply_action(result.action, result.outcome, len(result.recipient_ids))
            self._notify_observer(result)

    def _apply_action(self, action: BatchAction, outcome: Outcome, size: int) -> None:
        self.sender.observer.advance(
            size if action.recipient_state != "pending" else len(action.recipient_errors)
        )
        if action.stop_state:
            self.stop_outcome = self.stop_outcome or outcome
        elif action.retry_at:
            # It is the vendor or the way there.
            self.resume_at = max(action.retry_at, self.resume_at or action.retry_at)

    def _wait_for_batch(self) -> bool:
        """Wait until a batch may be claimed; ``False`` if the send is over or halted."""
        sender = self.sender
        if self.resume_at:
            self._wait_until(self.resume_at)
            self.resume_at = None
            return True
        until = record.get_next_claim_time(sender.ledger, sender.send)
        if until is None:
            record.finish_send(sender.ledger, sender.send)
            return False
        state = record.get_send(sender.ledger, sender.send.issue)
        if state is None or state.state != "running":
            return False
        self._wait_until(until)
        expire_leases(sender.ledger, sender.send)
        return True

    def _wait_until(self, moment: datetime.datetime) -> None:
        if (seconds := (moment - record.get_ledger_time(self.sender.ledger)).total_seconds()) > 0:
            self.sender.observer.wait(seconds)

    def _notify_observer(self, result: BatchResult) -> None:
        """What an editor who watches should know of an outcome other than success."""
        outcome, step, size, world = (
            result.outcome,
            result.action,
            len(result.recipient_ids),
            self.sender.observer,
        )
        name, words = f"batch {result.batch.number}", outcome.message
        if step.batch_state == "unknown":
            world.notify(f"{name}: {words}; its {size:,} readers may or may not have the mail")
        elif step.batch_state == "split":
            world.notify(f"{name} was refused as a whole ({words}); trying its halves")
        elif step.recipient_errors or step.batch_state == "rejected":
            some = f"{len(step.recipient_errors) or size:,} of {size:,} readers"
            world.notify(f"{name}: SendGrid refused {some}: {words}")
        elif outcome.kind == "throttled" and step.retry_at:
            zone = ZoneInfo(self.sender.prepared_email.config.timezone)
            until = step.retry_at.astimezone(zone)
            world.notify(f"SendGrid asks for a pause; going on at {until:%H:%M:%S}")
        elif outcome.kind == "not_sent":
            world.notify(f"{name}: {words}; nothing has left, trying again")
