"""What becomes of a batch after a request, and when to try again. Pure; any provider's outcomes."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from newsletter.sending.providers.provider import Outcome

ATTEMPTS = 8
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of a batch after a request.

    Attributes:
        batch: the batch's next state.
        outcome: how the attempt is recorded.
        readers: the next state of the readers who were in the request; ``"pending"`` to stay.
        rejected: index in the request -> why that reader alone is rejected.
        charged: whether the attempt counts against the batch.
        retry_at: not before then, for ``ready``.
        halt: the next state of the whole send, if it stops here.
    """

    batch: Literal["accepted", "ready", "split", "rejected", "unknown"]
    outcome: Literal["accepted", "not_sent", "rejected", "unknown"]
    readers: Literal["accepted", "pending", "rejected", "unknown"] = "pending"
    rejected: Mapping[int, str] = field(default_factory=dict)
    charged: bool = False
    retry_at: datetime.datetime | None = None
    halt: Literal["", "blocked", "paused"] = ""


def next_step(
    outcome: Outcome, *, size: int, attempts: int, now: datetime.datetime, chance: float
) -> Step:
    """Decide what an outcome means for its batch.

    Args:
        outcome: of the batch's latest request.
        size: how many readers were in it.
        attempts: how many earlier ones were charged.
        now: aware.
        chance: from 0 to 1, for the jitter.
    """
    match outcome.kind:
        case "accepted":
            return Step("accepted", "accepted", "accepted")
        case "unknown":
            return Step("unknown", "unknown", "unknown")
        case "not_sent":
            pause = datetime.timedelta(seconds=pause_after(attempts + 1, chance))
            halt: Literal["", "paused"] = "paused" if attempts + 1 >= ATTEMPTS else ""
            return Step("ready", "not_sent", charged=True, retry_at=now + pause, halt=halt)
        case "throttled":
            return Step("ready", "not_sent", retry_at=outcome.until)
        case "blocked":
            return Step("ready", "rejected", halt="blocked")
        case "rejected":
            return _after_refusal(outcome, size)


def pause_after(attempts: int, chance: float) -> float:
    """Seconds before the next try: doubling from 1 s to 5 min, with jitter.

    Args:
        attempts: how often it failed so far, at least 1.
        chance: from 0 to 1; half of the pause is left to it.
    """
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (attempts - 1))
    return longest * (0.5 + chance / 2)


def _after_refusal(outcome: Outcome, size: int) -> Step:
    named = {index: words for index, words in outcome.readers.items() if index < size}
    if named:
        left = size - len(named)
        return Step("ready" if left else "rejected", "rejected", rejected=named)
    if size > 1:
        return Step("split", "rejected")
    return Step("rejected", "rejected", "rejected")
