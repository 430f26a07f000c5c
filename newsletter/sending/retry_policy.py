"""What becomes of a batch after a request, and when to retry.

Pure; any provider's outcomes.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from newsletter.sending.providers.provider import Outcome

MAX_ATTEMPTS = 8
BACKOFF_BASE_SECONDS = 1.0
BACKOFF_MAX_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class BatchAction:
    """What becomes of a batch after a request.

    Attributes:
        batch_state: the batch's next state.
        attempt_outcome: how the attempt is recorded.
        recipient_state: the next state of the readers who were in the request; ``"pending"`` to
            stay.
        recipient_errors: index in the request -> why that reader alone is rejected.
        counts_against_limit: whether the attempt counts against the batch.
        retry_at: not before then, for ``ready``.
        stop_state: the next state of the whole send, if it stops here.
    """

    batch_state: Literal["accepted", "ready", "split", "rejected", "unknown"]
    attempt_outcome: Literal["accepted", "not_sent", "rejected", "unknown"]
    recipient_state: Literal["accepted", "pending", "rejected", "unknown"] = "pending"
    recipient_errors: Mapping[int, str] = field(default_factory=dict)
    counts_against_limit: bool = False
    retry_at: datetime.datetime | None = None
    stop_state: Literal["", "blocked", "paused"] = ""


def decide_batch_action(
    outcome: Outcome, *, recipient_count: int, attempts: int, now: datetime.datetime, jitter: float
) -> BatchAction:
    """Decide what an outcome means for its batch.

    Args:
        outcome: of the batch's latest request.
        recipient_count: how many readers were in it.
        attempts: how many earlier ones were charged.
        now: aware.
        jitter: from 0 to 1, for the jitter.
    """
    match outcome.kind:
        case "accepted":
            return BatchAction("accepted", "accepted", "accepted")
        case "unknown":
            return BatchAction("unknown", "unknown", "unknown")
        case "not_sent":
            pause = datetime.timedelta(seconds=backoff_seconds(attempts + 1, jitter))
            halt: Literal["", "paused"] = "paused" if attempts + 1 >= MAX_ATTEMPTS else ""
            return BatchAction(
                "ready",
                "not_sent",
                counts_against_limit=True,
                retry_at=now + pause,
                stop_state=halt,
            )
        case "throttled":
            return BatchAction("ready", "not_sent", retry_at=outcome.retry_at)
        case "blocked":
            return BatchAction("ready", "rejected", stop_state="blocked")
        case "rejected":
            return _decide_after_rejection(outcome, recipient_count)


def backoff_seconds(attempts: int, jitter: float) -> float:
    """Seconds before the next try: doubling from 1 s to 5 min, with jitter.

    Args:
        attempts: how often it failed so far, at least 1.
        jitter: from 0 to 1; half of the pause is left to it.
    """
    longest = min(BACKOFF_MAX_SECONDS, BACKOFF_BASE_SECONDS * 2.0 ** (attempts - 1))
    return longest * (0.5 + jitter / 2)


def _decide_after_rejection(outcome: Outcome, recipient_count: int) -> BatchAction:
    named = {
        index: words for index, words in outcome.recipient_errors.items() if index < recipient_count
    }
    if named:
        left = recipient_count - len(named)
        return BatchAction("ready" if left else "rejected", "rejected", recipient_errors=named)
    if recipient_count > 1:
        return BatchAction("split", "rejected")
    return BatchAction("rejected", "rejected", "rejected")
