"""The send loop: claim, build, submit to the workers, record.

One thread, the caller's, owns the ledger and builds the bodies; the worker threads only POST.
"""

import datetime
import random
import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

from newsletter.db import read_transaction
from newsletter.errors import DatabaseError, DatabaseUnavailableError, NewsletterError
from newsletter.sending.delivery.claim import ClaimedBatch, claim_batches
from newsletter.sending.delivery.database_outage import DatabaseOutage
from newsletter.sending.delivery.in_flight import mark_in_flight, release_unsent, renew_leases
from newsletter.sending.delivery.observer import SendObserver
from newsletter.sending.delivery.prepare_batch import PreparedBatch, prepare_batch
from newsletter.sending.delivery.record_results import (
    BatchResult,
    find_recorded,
    record_batch_results,
)
from newsletter.sending.delivery.worker_pool import (
    MailTransport,
    TransportResult,
    WorkerPool,
    tune_interpreter,
)
from newsletter.sending.ledger import record
from newsletter.sending.ledger.leases import expire_leases, find_held_batches
from newsletter.sending.ledger.record import Ledger, Send
from newsletter.sending.providers.provider import Outcome
from newsletter.sending.providers.sendgrid.outcomes import classify_response
from newsletter.sending.providers.sendgrid.payload import PreparedEmail
from newsletter.sending.retry_policy import BatchAction, RefusalStreak, decide_batch_action

CONCURRENCY = 16
# Batches that are claimed and marked in flight together; they are POSTed while the next are built.
BATCHES_PER_CLAIM = 8
# How often a lease is renewed within its length.
RENEWALS_PER_LEASE = 3
SYSTEMATIC_REFUSAL_REMEDY = (
    "Several readers in a row were refused with this message, so the others were not tried. It may "
    "be about the issue or the account: find its cause before you continue."
)


@dataclass(frozen=True, slots=True)
class BatchSender:
    """A sender of one frozen send.

    Attributes:
        ledger: the ledger.
        send: the send.
        prepared_email: its frozen email, prepared for sending.
        transport: the provider; called from ``concurrency`` threads.
        observer: watches the send.
        jitter: returns a number from 0 to 1, to randomize backoffs.
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
        """Send until no batch is open, the send is stopped, or the observer asks to stop.

        Requests in flight at that time are completed and recorded.

        Returns:
            The outcome that made this sender stop the send, if one did.

        Raises:
            NewsletterError: the ledger can't be written, or another sender has taken over a batch.
        """
        record.start_send(self.ledger, self.send)
        expire_leases(self.ledger, self.send)
        record.record_tracking(self.ledger, self.send, self.prepared_email.config.tracking)
        with (
            tune_interpreter(),
            ThreadPoolExecutor(1) as hashing,
            WorkerPool[PreparedBatch](self.transport, self.concurrency) as pool,
        ):
            loop = _SendLoop(self, pool, hashing, DatabaseOutage(self.observer))
            while loop.run_round():
                pass
        if self.observer.stop_requested:
            try:
                record.stop_send(self.ledger, self.send, "paused", "stopped by hand")
            except DatabaseError as error:
                loop.errors.append(error)
        if loop.errors:
            problems = [problem for error in loop.errors for problem in error.problems]
            raise type(loop.errors[0]).from_problems(problems)
        return loop.stop_outcome


@dataclass(slots=True)
class _SendLoop:
    """One run of a sender.

    Attributes:
        sender: the sender.
        pool: its worker threads.
        hash_executor: the thread that hashes bodies.
        outage: the wait for a database that is unavailable.
        unrecorded: completed requests with their responses, until they are recorded.
        unsent: claimed batches that were not sent because the database failed; to be released.
        stop_outcome: the outcome that made it stop the send.
        resume_at: nothing is sent before then: another batch would fail in the same way.
        errors: errors of the ledger; once there is one, nothing more is sent.
        refusals: the single recipients refused in a row.
        has_split: whether a batch was split.
        announced_until: until when the editor knows that the sender waits for others' leases.
        renewed_at: when leases were last renewed, by the monotonic clock.
    """

    sender: BatchSender
    pool: WorkerPool[PreparedBatch]
    hash_executor: ThreadPoolExecutor
    outage: DatabaseOutage
    unrecorded: list[tuple[PreparedBatch, TransportResult]] = field(default_factory=list)
    unsent: list[ClaimedBatch] = field(default_factory=list)
    stop_outcome: Outcome | None = None
    resume_at: datetime.datetime | None = None
    errors: list[NewsletterError] = field(default_factory=list)
    refusals: RefusalStreak = field(default_factory=RefusalStreak)
    has_split: bool = False
    announced_until: datetime.datetime | None = None
    renewed_at: float = field(default_factory=time.monotonic)

    def run_round(self) -> bool:
        """Do one round; return ``False`` once nothing is in flight and nothing more may be sent."""
        stopping = self.sender.observer.stop_requested or bool(self.stop_outcome or self.errors)
        try:
            self._catch_up()
            submitted = 0
            if self.pool.idle_count and not stopping and not self.resume_at:
                submitted = self._submit_batches()
            if self.pool.in_flight:
                # Wait for a response only if there is nothing else to do.
                timeout = 0.0 if submitted else self._lease_seconds / RENEWALS_PER_LEASE
                self._collect_results(timeout)
            elif not submitted:
                return not stopping and self._wait_for_batch()
        except DatabaseUnavailableError as error:
            self._wait_for_database(error)
        except NewsletterError as error:
            self.errors.append(error)
        return True

    def _catch_up(self) -> None:
        """Record what could not be recorded while the database was unavailable."""
        if self.unsent:
            release_unsent(self.sender.ledger, self.unsent)
            self.unsent.clear()
        if self.unrecorded:
            self._handle_responses()
        self.outage.end()

    @property
    def _lease_seconds(self) -> float:
        return self.sender.ledger.lease.total_seconds()

    def _submit_batches(self) -> int:
        """Claim, build and submit the next batches; return how many were claimed."""
        sender = self.sender
        limit = min(BATCHES_PER_CLAIM, self.pool.idle_count)
        claimed = claim_batches(sender.ledger, sender.send, limit, smallest_first=self.has_split)
        if not claimed:
            return 0
        try:
            with read_transaction(sender.ledger.engine) as connection:
                now = sender.ledger.clock(connection)
                prepared = [
                    prepare_batch(connection, batch, sender.prepared_email, now, self.hash_executor)
                    for batch in claimed
                ]
            in_flight = mark_in_flight(sender.ledger, prepared)
        except DatabaseUnavailableError:
            # If the connection was lost in the commit, they may be on record as in flight.
            self.unsent = claimed
            raise
        if in_flight is None:
            return 0
        for batch in in_flight:
            self.pool.submit(batch, batch.body)
        sender.observer.advance(
            sum(
                len(batch.unsubscribed_since) + len(batch.rejected_recipients) for batch in prepared
            )
        )
        return len(claimed)

    def _collect_results(self, timeout: float) -> None:
        self.unrecorded += self.pool.get_completed(timeout)
        if self.unrecorded:
            self._handle_responses()
        if (
            self.pool.in_flight
            and time.monotonic() - self.renewed_at > self._lease_seconds / RENEWALS_PER_LEASE
        ):
            batches = [prepared.batch for prepared in self.pool.in_flight]
            renew_leases(self.sender.ledger, batches)
            self.renewed_at = time.monotonic()

    def _handle_responses(self) -> None:
        """Record the completed requests, and act on them."""
        sender = self.sender
        now = record.get_ledger_time(sender.ledger)
        sandbox = sender.prepared_email.config.sendgrid.sandbox
        results, refusals = [], self.refusals
        for prepared, response in self.unrecorded:
            outcome = classify_response(response, now, sandbox=sandbox)
            action = decide_batch_action(
                outcome,
                recipient_count=len(prepared.recipient_ids),
                attempts=prepared.batch.failed_attempts,
                now=now,
                jitter=sender.jitter(),
            )
            refusals = refusals.extend(outcome, action)
            if refusals.is_systematic and action.recipient_state == "rejected":
                outcome = replace(outcome, remedy=SYSTEMATIC_REFUSAL_REMEDY)
                action = replace(action, stop_state="blocked")
            results.append(BatchResult(prepared.batch, prepared.recipient_ids, outcome, action))
        if self.outage.failed_tries:
            # The connection may have been lost in the commit, after all was stored.
            recorded = find_recorded(sender.ledger, results)
            self._act_on([result for result in results if result.batch.id in recorded])
            results = [result for result in results if result.batch.id not in recorded]
        if results:
            self._record_results(results)
        self.refusals = refusals

    def _record_results(self, results: Sequence[BatchResult]) -> None:
        try:
            record_batch_results(self.sender.ledger, results)
        except DatabaseUnavailableError:
            raise
        except NewsletterError as error:
            if len(results) > 1:
                # One that can't be recorded must not prevent the others from being recorded.
                for result in results:
                    self._record_results([result])
                return
            self._give_up_recording(results[0].batch, error)
            return
        self._act_on(results)

    def _act_on(self, results: Sequence[BatchResult]) -> None:
        """Act on results that are recorded."""
        self._forget({result.batch.id for result in results})
        for result in results:
            self._apply_action(result.action, result.outcome, len(result.recipient_ids))
            self._notify_observer(result)

    def _give_up_recording(self, batch: ClaimedBatch, error: NewsletterError) -> None:
        self._forget({batch.id})
        self.errors.append(
            DatabaseError(
                f"batch {batch.number} was sent, but its outcome could not be recorded",
                remedy="It is never sent again automatically: its readers will count as unknown.",
                other_problems=error.problems,
            )
        )

    def _forget(self, batch_ids: AbstractSet[int]) -> None:
        self.unrecorded = [
            (prepared, response)
            for prepared, response in self.unrecorded
            if prepared.batch.id not in batch_ids
        ]

    def _wait_for_database(self, error: DatabaseUnavailableError) -> None:
        """Wait before the next try; in the end, name what could not be recorded."""
        try:
            self.outage.wait(error, len(self.unrecorded))
        except DatabaseUnavailableError:
            for prepared, _ in list(self.unrecorded):
                self._give_up_recording(prepared.batch, error)
            self.errors += [
                DatabaseError(
                    f"batch {batch.number} was not sent, but may be on record as sent",
                    remedy="If its readers count as unknown later, send it with: newsletter "
                    f"resolve {self.sender.send.slug} --resend {batch.number}",
                )
                for batch in self.unsent
            ]
            self.unsent = []
            resume = f"Then continue with: newsletter resume {self.sender.send.slug}"
            problem = error.problems[0]
            self.errors.append(
                DatabaseError(
                    problem.message, where=problem.where, remedy=f"{problem.remedy} {resume}"
                )
            )

    def _apply_action(self, action: BatchAction, outcome: Outcome, size: int) -> None:
        self.sender.observer.advance(
            size if action.recipient_state != "pending" else len(action.recipient_errors)
        )
        self.has_split = self.has_split or action.batch_state == "split"
        if action.stop_state:
            self.stop_outcome = self.stop_outcome or outcome
        elif action.retry_at:
            # The cause is the provider or the network, and the same for every batch.
            self.resume_at = max(action.retry_at, self.resume_at or action.retry_at)

    def _wait_for_batch(self) -> bool:
        """Wait until a batch can be claimed; return ``False`` if the send has finished or stopped.

        A send without an open batch is finished here.
        """
        sender = self.sender
        if self.resume_at:
            self._wait_until(self.resume_at)
            self.resume_at = None
            return True
        next_claim_time = record.get_next_claim_time(sender.ledger, sender.send)
        if next_claim_time is None:
            record.finish_send(sender.ledger, sender.send)
            return False
        current = record.get_send(sender.ledger, sender.send.issue)
        if current is None or current.state != "running":
            return False
        self._announce_held_batches()
        self._wait_until(next_claim_time)
        expire_leases(sender.ledger, sender.send)
        return True

    def _announce_held_batches(self) -> None:
        """Show the editor for whom the sender waits, and until when, once for each lease."""
        held = find_held_batches(self.sender.ledger, self.sender.send)
        if held is None or (self.announced_until and held.lease_until <= self.announced_until):
            return
        now = record.get_ledger_time(self.sender.ledger)
        if self.announced_until is None or now >= self.announced_until:
            self.announced_until = held.lease_until
            self.sender.observer.notify(
                f"another sender, or one that was killed, holds {held.recipient_count:,} of the "
                f"readers; waiting until {self._format_time(held.lease_until)} at the latest"
            )

    def _format_time(self, time: datetime.datetime) -> str:
        return f"{time.astimezone(ZoneInfo(self.sender.prepared_email.config.timezone)):%H:%M:%S}"

    def _wait_until(self, moment: datetime.datetime) -> None:
        if (seconds := (moment - record.get_ledger_time(self.sender.ledger)).total_seconds()) > 0:
            self.sender.observer.wait(seconds)

    def _notify_observer(self, result: BatchResult) -> None:
        """Show the observer an outcome other than success."""
        outcome, action, size = result.outcome, result.action, len(result.recipient_ids)
        notify = self.sender.observer.notify
        name, message = f"batch {result.batch.number}", outcome.message
        if action.batch_state == "unknown":
            notify(f"{name}: {message}; its {size:,} readers may or may not have the email")
        elif action.batch_state == "split":
            notify(f"{name} was refused as a whole ({message}); trying its halves")
        elif action.recipient_errors or action.batch_state == "rejected":
            rejected = f"{len(action.recipient_errors) or size:,} of {size:,} readers"
            notify(f"{name}: SendGrid refused {rejected}: {message}")
        elif outcome.kind == "throttled" and action.retry_at:
            notify(f"SendGrid asks for a pause; resuming at {self._format_time(action.retry_at)}")
        elif outcome.kind == "not_sent":
            notify(f"{name}: {message}; nothing was sent, trying again")
