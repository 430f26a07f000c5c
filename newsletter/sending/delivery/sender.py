"""The send loop: claim, build, submit to the workers, record.

One thread, the caller's, owns the ledger and builds the bodies; the worker threads only POST.
"""

import datetime
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from newsletter.db import read_transaction
from newsletter.db.transaction import call_twice_if_lost, forbid_parallel_plans
from newsletter.errors import (
    DatabaseChangedError,
    DatabaseError,
    DatabaseUnavailableError,
    NewsletterError,
    SendRefusedError,
)
from newsletter.sending.delivery.claim import ClaimedBatch, claim_batches
from newsletter.sending.delivery.database_outage import DatabaseOutage
from newsletter.sending.delivery.in_flight import mark_in_flight, release_unsent, renew_leases
from newsletter.sending.delivery.observer import SendObserver
from newsletter.sending.delivery.outcome_messages import (
    describe_batch,
    describe_result,
    unreleased_problem,
)
from newsletter.sending.delivery.prepare_batch import PreparedBatch, prepare_batch
from newsletter.sending.delivery.record_results import BatchResult
from newsletter.sending.delivery.response_recorder import ResponseRecorder
from newsletter.sending.delivery.worker_pool import MailTransport, WorkerPool
from newsletter.sending.ledger import record
from newsletter.sending.ledger.copied_database import hold_if_lost
from newsletter.sending.ledger.leases import expire_leases, find_held_batches, get_next_claim_time
from newsletter.sending.ledger.pause_cancel_retry import MANUAL_STOP_REASON
from newsletter.sending.ledger.record import STARTABLE_STATES, Ledger, Send
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.sending.providers.provider import Outcome
from newsletter.sending.providers.registry import get_provider

CONCURRENCY = 16
# Batches that are claimed and marked in flight together; they are POSTed while the next are built.
BATCHES_PER_CLAIM = 8
# How often a lease is renewed within its length.
RENEWALS_PER_LEASE = 3


_log = logging.getLogger(__name__)


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
        monotonic: a clock in seconds that is never set, for leases and outages.
        is_lane: whether it is one of several that a worker wakes again: it ends when no batch can
            be claimed, resumes no send that was stopped, and stops none when it is asked to stop.
        is_due: whether it starts a send whose time has come: it resumes none that was stopped since
            it was looked up.
    """

    ledger: Ledger
    send: Send
    prepared_email: PreparedEmail
    transport: MailTransport
    observer: SendObserver
    jitter: Callable[[], float] = random.random
    concurrency: int = CONCURRENCY
    monotonic: Callable[[], float] = time.monotonic
    is_lane: bool = False
    is_due: bool = False

    def run(self) -> Outcome | None:
        """Send until no batch is open, the send is stopped, or the observer asks to stop.

        Requests in flight at that time are completed and recorded.

        Returns:
            The outcome that made this sender stop the send, if one did.

        Raises:
            NewsletterError: the ledger can't be written, or another sender has taken over a batch.
        """
        call_twice_if_lost(self._start)
        provider = get_provider(self.prepared_email.config)
        with WorkerPool[PreparedBatch](self.transport, self.concurrency) as pool:
            loop = _SendLoop(
                self,
                pool,
                ResponseRecorder(self.ledger, self.send, provider, self.jitter),
                DatabaseOutage(self.observer, self.monotonic),
            )
            while loop.run_round():
                pass
        if self.observer.stop_requested and not self.is_lane:
            loop.pause_send()
        loop.check_recorded()
        loop.raise_errors()
        return loop.stop_outcome

    def _start(self) -> None:
        from_states = ("frozen",) if self.is_lane or self.is_due else STARTABLE_STATES
        record.start_send(self.ledger, self.send, from_states)
        expire_leases(self.ledger, self.send)
        record.record_tracking(self.ledger, self.send, self.prepared_email.config.tracking)


@dataclass(slots=True)
class _SendLoop:
    """One run of a sender.

    Attributes:
        sender: the sender.
        pool: its worker threads.
        recorder: records the responses.
        outage: the wait for a database that is unavailable.
        unsent: claimed batches that were not sent because the database failed; to be released.
        leased_at: no lease of a batch that was sent is older, by the monotonic clock.
        stop_outcome: the outcome that made it stop the send.
        resume_at: nothing is sent before then: another batch would fail in the same way.
        errors: errors of the ledger; once there is one, nothing more is sent.
        has_split: whether a batch was split.
        has_submitted: whether a request was made.
        announced_until: until when the editor knows that the sender waits for others' leases.
    """

    sender: BatchSender
    pool: WorkerPool[PreparedBatch]
    recorder: ResponseRecorder
    outage: DatabaseOutage
    unsent: list[ClaimedBatch] = field(default_factory=list)
    leased_at: float = 0.0
    stop_outcome: Outcome | None = None
    resume_at: datetime.datetime | None = None
    errors: list[NewsletterError] = field(default_factory=list)
    has_split: bool = False
    has_submitted: bool = False
    announced_until: datetime.datetime | None = None

    def run_round(self) -> bool:
        """Do one round; return ``False`` once nothing is in flight and nothing more may be sent."""
        try:
            return self._run_round()
        except DatabaseUnavailableError as error:
            self._wait_for_database(error)
        except DatabaseChangedError as error:
            self._give_up(error if self.sender.is_lane else self._with_resume(error))
        except NewsletterError as error:
            self._give_up(error)
        return True

    def _run_round(self) -> bool:
        stopping = self.sender.observer.stop_requested or bool(self.stop_outcome or self._failed)
        has_written = self._catch_up()
        submitted = 0
        if self.pool.idle_count and not stopping and not self.resume_at:
            submitted = self._submit_batches()
            has_written = True
        if self.pool.in_flight:
            # Wait for a response only if there is nothing else to do.
            has_written |= self._collect_results(0.0 if submitted else self._time_to_renewal())
            continues = True
        else:
            continues = bool(submitted) or (not stopping and self._wait_for_batch())
        if has_written and not self._failed:
            self.outage.end()
        return continues

    def _catch_up(self) -> bool:
        """Write what could not be written while the database was unavailable, if anything."""
        has_recorded = self._record_responses()
        if not self.unsent:
            return has_recorded
        release_unsent(self.sender.ledger, self.unsent)
        self.unsent.clear()
        return True

    def _submit_batches(self) -> int:
        """Claim, prepare and submit the next batches; return how many were claimed."""
        sender = self.sender
        limit = min(BATCHES_PER_CLAIM, self.pool.idle_count)
        claimed = claim_batches(sender.ledger, sender.send, limit, smallest_first=self.has_split)
        if not claimed:
            return 0
        if not self.pool.in_flight:
            self.leased_at = sender.monotonic()
        try:
            with read_transaction(sender.ledger.engine) as connection:
                forbid_parallel_plans(connection)
                now = sender.ledger.clock(connection)
                prepared = [
                    prepare_batch(connection, batch, sender.prepared_email, now)
                    for batch in claimed
                ]
            in_flight = mark_in_flight(sender.ledger, prepared)
        except DatabaseUnavailableError:
            # If the connection was lost in the commit, they may be on record as in flight.
            self.unsent = claimed
            raise
        if in_flight is None:
            return 0
        self.has_submitted |= bool(in_flight)
        for batch in in_flight:
            self.pool.submit(batch, batch.body)
        sender.observer.advance(
            sum(
                len(batch.unsubscribed_since) + len(batch.rejected_recipients) for batch in prepared
            )
        )
        return len(claimed)

    def _collect_results(self, timeout: float) -> bool:
        """Record what is completed, renew the leases of the rest; return whether any was due."""
        self.recorder.kept += self.pool.get_completed(timeout)
        has_recorded = self._record_responses()
        if not self.pool.in_flight or self._time_to_renewal():
            return has_recorded
        renewed_at = self.sender.monotonic()
        renew_leases(self.sender.ledger, [prepared.batch for prepared in self.pool.in_flight])
        self.leased_at = renewed_at
        return True

    @property
    def _lease_seconds(self) -> float:
        return self.sender.ledger.lease.total_seconds()

    def _time_to_renewal(self) -> float:
        """Return the seconds until the leases of batches in flight are to be renewed."""
        renewal = self.leased_at + self._lease_seconds / RENEWALS_PER_LEASE
        return max(0.0, renewal - self.sender.monotonic())

    def _record_responses(self) -> bool:
        """Record the responses, and act on them; return whether there was any."""
        if not self.recorder.kept:
            return False
        for result in self.recorder.record(may_be_stored=bool(self.outage.failed_tries)):
            self._act_on(result)
        return True

    def _act_on(self, result: BatchResult) -> None:
        """Act on a result that is recorded."""
        action, observer = result.action, self.sender.observer
        size = len(result.recipient_ids)
        _log.info(
            "batch recorded", extra={"fields": describe_batch(self.sender.send.issue, result)}
        )
        observer.advance(
            size if action.recipient_state != "pending" else len(action.recipient_errors)
        )
        self.has_split = self.has_split or action.batch_state == "split"
        if action.stop_state:
            self.stop_outcome = self.stop_outcome or result.outcome
        elif action.retry_at:
            # The cause is the provider or the network, and the same for every batch.
            self.resume_at = max(action.retry_at, self.resume_at or action.retry_at)
        if text := describe_result(result, self._format_time):
            observer.notify(text)

    def _wait_for_database(self, error: DatabaseUnavailableError) -> None:
        """Wait before the next try; in the end, name what could not be recorded."""
        is_leased = self.pool.in_flight or self.recorder.kept or self.unsent
        leased_until = self.leased_at + self._lease_seconds if is_leased else None
        try:
            self.outage.wait(error, len(self.recorder.kept), leased_until)
        except DatabaseUnavailableError:
            self._give_up(self._with_resume(error))

    def _with_resume(self, error: DatabaseError) -> DatabaseError:
        """Return the error of a database that can be written later, with what to do then."""
        message, where, remedy = error.problems[0]
        resume = f"Then continue with: newsletter resume {self.sender.send.slug}"
        # It may end in a command, without a full stop.
        return DatabaseError(message, where=where, remedy=f"{remedy.removesuffix('.')}. {resume}")

    def _give_up(self, error: NewsletterError) -> None:
        """Stop because of an error; name what could not be recorded."""
        slug = self.sender.send.slug
        self.recorder.give_up()
        self.recorder.problems += [unreleased_problem(batch.number, slug) for batch in self.unsent]
        self.unsent.clear()
        self.errors.append(error)

    @property
    def _failed(self) -> bool:
        return bool(self.errors or self.recorder.problems)

    def pause_send(self) -> None:
        """Record that the editor has stopped the send."""
        try:
            call_twice_if_lost(
                lambda: record.stop_send(
                    self.sender.ledger, self.sender.send, "paused", MANUAL_STOP_REASON
                )
            )
        except DatabaseError as error:
            # It would say the same as the error that has stopped the run, without the next step.
            if not any(isinstance(earlier, DatabaseError) for earlier in self.errors):
                self.errors.append(error)

    def check_recorded(self) -> None:
        """Hold the database if a failover has lost this send, of which requests were made."""
        if not self.has_submitted:
            return  # the editor may have planned it again
        ledger, issue = self.sender.ledger, self.sender.send.issue
        now = datetime.datetime.now(datetime.UTC)
        try:
            is_lost = call_twice_if_lost(
                lambda: hold_if_lost(ledger.engine, self.sender.send.id, issue, now)
            )
        except DatabaseError as error:
            if not self._failed:
                self.errors.append(error)
            return
        if is_lost:
            provider = self.sender.send.provider_name
            lost = SendRefusedError(
                f"the database does not know the send of {issue} any more, of which requests were "
                "made",
                remedy=f"Before you send {issue} again, look up at {provider} who has it.",
            )
            self.errors.append(lost)

    def raise_errors(self) -> None:
        """Raise what went wrong, if anything did: first what could not be recorded."""
        errors = [*self.errors]
        if self.recorder.problems:
            errors.insert(0, DatabaseError.from_problems(self.recorder.problems))
        if errors:
            problems = [problem for error in errors for problem in error.problems]
            raise type(errors[0]).from_problems(list(dict.fromkeys(problems)))

    def _wait_for_batch(self) -> bool:
        """Wait until a batch can be claimed; return ``False`` if the send has finished or stopped.

        A send without an open batch is finished here.
        """
        sender = self.sender
        if self.resume_at:
            self._wait_until(self.resume_at)
            self.resume_at = None
            return True
        next_claim_time = get_next_claim_time(sender.ledger, sender.send)
        if next_claim_time is None:
            record.finish_send(sender.ledger, sender.send)
            return False
        current = record.get_send(sender.ledger, sender.send.issue)
        if current is None or current.state != "running":
            return False
        if sender.is_lane and next_claim_time > record.get_ledger_time(sender.ledger):
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
