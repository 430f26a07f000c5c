"""Record the provider's responses; keep those that can't be recorded yet.

A response is the only proof of what became of a request, so it is kept until it is on record. What
can't be recorded in the end is named.
"""

import datetime
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from newsletter.errors import DatabaseUnavailableError, NewsletterError, Problem
from newsletter.sending.delivery.outcome_messages import unrecorded_problem
from newsletter.sending.delivery.prepare_batch import PreparedBatch
from newsletter.sending.delivery.record_results import (
    BatchResult,
    find_recorded,
    record_batch_results,
)
from newsletter.sending.delivery.worker_pool import TransportResult
from newsletter.sending.ledger.record import Ledger, Send, get_ledger_time
from newsletter.sending.providers.provider import Provider
from newsletter.sending.retry_policy import RefusalStreak, decide_batch_action

SYSTEMATIC_REFUSAL_REMEDY = (
    "Several readers in a row were refused with this message, so the others were not tried. It may "
    "be about the issue or the account: find its cause before you continue."
)


@dataclass(slots=True)
class ResponseRecorder:
    """Records the responses of one run of a sender.

    Attributes:
        ledger: the ledger.
        send: the send.
        provider: tells what a response proves.
        jitter: returns a number from 0 to 1, to randomize backoffs.
        kept: completed requests with their responses, until they are recorded.
        problems: the responses that could not be recorded.
        refusals: the single recipients refused in a row.
    """

    ledger: Ledger
    send: Send
    provider: Provider
    jitter: Callable[[], float]
    kept: list[tuple[PreparedBatch, TransportResult]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    refusals: RefusalStreak = field(default_factory=RefusalStreak)

    def record(self, *, may_be_stored: bool) -> Iterator[BatchResult]:
        """Record the kept responses; yield each result once it is on record.

        Args:
            may_be_stored: whether the connection may have been lost in the last commit, after all
                of it was stored.

        Raises:
            DatabaseUnavailableError: those that are not on record are kept.
        """
        results, refusals = self._decide(get_ledger_time(self.ledger))
        if may_be_stored:
            stored_ids = find_recorded(self.ledger, results)
            stored = [result for result in results if result.batch.id in stored_ids]
            results = [result for result in results if result.batch.id not in stored_ids]
            self._forget(stored)
            yield from stored
        if results:
            yield from self._write(results)
        self.refusals = refusals

    def give_up(self) -> None:
        """Name what the kept responses prove, since they can't be recorded."""
        results, _ = self._decide(datetime.datetime.now(datetime.UTC))
        self._forget(results)
        self._add_problems(results)

    def _decide(self, now: datetime.datetime) -> tuple[list[BatchResult], RefusalStreak]:
        """Return what follows from the responses, and the refusals in a row after them."""
        results, refusals = [], self.refusals
        for prepared, response in self.kept:
            outcome = self.provider.classify(response, now)
            action = decide_batch_action(
                outcome,
                recipient_count=len(prepared.recipient_ids),
                attempts=prepared.batch.failed_attempts,
                now=now,
                jitter=self.jitter(),
            )
            refusals = refusals.extend(outcome, action)
            if refusals.is_systematic and action.recipient_state == "rejected":
                outcome = replace(outcome, remedy=SYSTEMATIC_REFUSAL_REMEDY)
                action = replace(action, stop_state="blocked")
            results.append(BatchResult(prepared.batch, prepared.recipient_ids, outcome, action))
        return results, refusals

    def _write(self, results: Sequence[BatchResult]) -> Iterator[BatchResult]:
        """Record results in one transaction; if that fails, each on its own."""
        error = self._try_write(results)
        if error is None:
            self._forget(results)
            yield from results
        elif len(results) > 1:
            # One that can't be recorded must not prevent the others from being recorded.
            for result in results:
                yield from self._write([result])
        else:
            self._forget(results)
            self._add_problems(results)
            self.problems += error.problems

    def _try_write(self, results: Sequence[BatchResult]) -> NewsletterError | None:
        """Record results in one transaction; return the error if that is impossible."""
        try:
            record_batch_results(self.ledger, results)
        except DatabaseUnavailableError:
            raise
        except NewsletterError as error:
            return error
        return None

    def _forget(self, results: Sequence[BatchResult]) -> None:
        ids = {result.batch.id for result in results}
        self.kept = [pair for pair in self.kept if pair[0].batch.id not in ids]

    def _add_problems(self, results: Sequence[BatchResult]) -> None:
        self.problems += [
            unrecorded_problem(result.batch.number, result.outcome, self.send.slug)
            for result in results
        ]
