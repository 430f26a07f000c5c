"""Decide the next state of a batch after a request, and when to retry.

Pure, and the same for every provider.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from newsletter.sending.providers.provider import Outcome

MAX_ATTEMPTS = 8
BACKOFF_BASE_SECONDS = 1.0
BACKOFF_MAX_SECONDS = 300.0
# So many single recipients refused in a row, in the same words: it is not about the recipients.
MAX_SAME_REFUSALS = 5


@dataclass(frozen=True, slots=True)
class BatchAction:
    """The next states of a batch, its recipients and its send after a request.

    Attributes:
        batch_state: the batch's next state.
        attempt_outcome: the outcome that is recorded for the attempt.
        recipient_state: the next state of the recipients of the request; ``"pending"`` to leave
            them as they are.
        recipient_errors: index in the request -> why that recipient alone is rejected.
        counts_against_limit: whether the attempt counts against ``MAX_ATTEMPTS``.
        retry_at: the earliest time of the next attempt, for ``ready``.
        stop_state: the next state of the whole send, if it is stopped.
    """

    batch_state: Literal["accepted", "ready", "split", "rejected", "unknown"]
    attempt_outcome: Literal["accepted", "not_sent", "rejected", "unknown"]
    recipient_state: Literal["accepted", "pending", "rejected", "unknown"] = "pending"
    recipient_errors: Mapping[int, str] = field(default_factory=dict)
    counts_against_limit: bool = False
    retry_at: datetime.datetime | None = None
    stop_state: Literal["", "blocked", "paused"] = ""


@dataclass(frozen=True, slots=True)
class RefusalStreak:
    """How many single recipients were refused in a row, in the same words.

    A request that is refused without naming a recipient is split until each has one recipient. If
    the cause is the issue or the account, that would go on for the whole list.

    Attributes:
        message: the provider's words.
        length: how many in a row.
    """

    message: str = ""
    length: int = 0

    @property
    def is_systematic(self) -> bool:
        """Whether the next recipients would be refused too."""
        return self.length >= MAX_SAME_REFUSALS

    def extend(self, outcome: Outcome, action: BatchAction) -> "RefusalStreak":
        """Return the streak after one more request; an accepted one ends it."""
        if action.recipient_state == "accepted":
            return RefusalStreak()
        if action.recipient_state != "rejected":
            return self  # it proves nothing about the cause, or names recipients
        if outcome.message != self.message:
            return RefusalStreak(outcome.message, 1)
        return replace(self, length=self.length + 1)


def decide_batch_action(
    outcome: Outcome, *, recipient_count: int, attempts: int, now: datetime.datetime, jitter: float
) -> BatchAction:
    """Decide what an outcome means for its batch.

    Args:
        outcome: the outcome of the batch's latest request.
        recipient_count: how many recipients the request had.
        attempts: how many earlier attempts count against the limit.
        now: aware.
        jitter: from 0 to 1, to randomize the backoff.
    """
    match outcome.kind:
        case "accepted":
            return BatchAction("accepted", "accepted", "accepted")
        case "unknown":
            return BatchAction("unknown", "unknown", "unknown")
        case "not_sent":
            backoff = datetime.timedelta(seconds=backoff_seconds(attempts + 1, jitter))
            stop_state: Literal["", "paused"] = "paused" if attempts + 1 >= MAX_ATTEMPTS else ""
            return BatchAction(
                "ready",
                "not_sent",
                counts_against_limit=True,
                retry_at=now + backoff,
                stop_state=stop_state,
            )
        case "throttled":
            return BatchAction("ready", "not_sent", retry_at=outcome.retry_at)
        case "blocked":
            return BatchAction("ready", "rejected", stop_state="blocked")
        case "rejected":
            return _decide_after_rejection(outcome, recipient_count)


def backoff_seconds(attempts: int, jitter: float) -> float:
    """Return the seconds before the next attempt: doubling from 1 s to 5 min, with jitter.

    Args:
        attempts: how many attempts have failed, at least 1.
        jitter: from 0 to 1; half of the backoff depends on it.
    """
    longest = min(BACKOFF_MAX_SECONDS, BACKOFF_BASE_SECONDS * 2.0 ** (attempts - 1))
    return longest * (0.5 + jitter / 2)


def _decide_after_rejection(outcome: Outcome, recipient_count: int) -> BatchAction:
    errors = {
        index: message
        for index, message in outcome.recipient_errors.items()
        if index < recipient_count
    }
    if errors:
        remaining = recipient_count - len(errors)
        return BatchAction(
            "ready" if remaining else "rejected", "rejected", recipient_errors=errors
        )
    if recipient_count > 1:
        return BatchAction("split", "rejected")
    return BatchAction("rejected", "rejected", "rejected")
