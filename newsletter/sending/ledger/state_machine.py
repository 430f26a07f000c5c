"""What a command does to a send or a batch in the state that it is in. Pure: tables and rules."""

import datetime
from collections.abc import Mapping
from typing import Literal, NamedTuple

from newsletter.errors import SendRefusedError
from newsletter.sending.ledger.record import Send

Command = Literal["pause", "resume", "cancel", "retry"]
Settlement = Literal["accepted", "resend", "drop"]
Verdict = Literal["accepted", "known", "twice", "wait"]

# Command -> the send's state -> its next state. What is not here is refused.
NEXT: Mapping[Command, Mapping[str, str]] = {
    "pause": {"running": "paused"},
    # A sender that died leaves its send running.
    "resume": {"running": "running", "paused": "running", "blocked": "running"},
    "cancel": {
        "frozen": "cancelled", "running": "cancelled", "paused": "cancelled",
        "blocked": "cancelled", "cancelled": "cancelled",
    },
    "retry": {
        "paused": "paused", "blocked": "paused", "needs_review": "paused", "done": "paused",
    },
}  # fmt: skip

WORDS: Mapping[str, str] = {
    "frozen": "is planned and has not begun",
    "running": "is being sent",
    "paused": "is paused",
    "blocked": "was stopped by SendGrid's refusal",
    "needs_review": "has gone out but for what is unknown",
    "done": "has gone out",
    "cancelled": "was cancelled",
}
REMEDIES: Mapping[tuple[Command, str], str] = {
    ("pause", "frozen"): "Nothing needs to be paused; to take the plan back: newsletter cancel {}",
    ("resume", "frozen"): "Begin with: newsletter send {}",
    ("resume", "needs_review"): "See what is unknown with: newsletter status {}",
    ("resume", "cancelled"): "What is new goes into a new issue.",
    ("cancel", "needs_review"): "See what is unknown with: newsletter status {}",
    ("retry", "running"): "Wait for it to end, or: newsletter pause {}",
    ("retry", "frozen"): "Begin with: newsletter send {}",
}


class Settled(NamedTuple):
    """The next states of an unknown batch and of those of its readers who are unknown."""

    batch: Literal["accepted", "ready", "dropped"]
    readers: Literal["accepted", "pending", "dropped"]
    words: str


SETTLED: Mapping[Settlement, Settled] = {
    "accepted": Settled("accepted", "accepted", "settled by hand: accepted"),
    "resend": Settled("ready", "pending", "settled by hand: to be sent again"),
    "drop": Settled("dropped", "dropped", "settled by hand: given up"),
}


def next_state(command: Command, of: Send, now: datetime.datetime) -> str:
    """The send's state after ``command``.

    Raises:
        SendRefused: the command makes no sense in the state that it is in, with the remedy.
    """
    if command == "cancel" and recallable(of, now):
        return "cancelled"
    if state := NEXT[command].get(of.state):
        return state
    remedy = REMEDIES.get((command, of.state), "").format(of.slug)
    raise SendRefusedError(f"{of.issue} {WORDS[of.state]}", remedy=remedy)


def recallable(of: Send, now: datetime.datetime) -> bool:
    """Whether SendGrid holds mail of it that may still be taken back."""
    held = bool(of.vendor_batch_id) and of.recalled_at is None
    return held and of.scheduled_at is not None and of.scheduled_at > now


def after_settling(state: str, *, still_open: bool, unknown: bool) -> str:
    """The send's state once some of its unknown batches are settled.

    Args:
        state: as it is.
        still_open: whether some batch is ready or on its way.
        unknown: whether some batch is still unknown.
    """
    if state not in {"needs_review", "paused", "blocked"}:
        return state
    if still_open:
        return "paused" if state == "needs_review" else state
    return "needs_review" if unknown else "done"


def evidence(batch: str, outcome: str | None, *, later: bool) -> Verdict:
    """What an event proves that names one attempt of a batch.

    Any event will do, even a bounce: SendGrid takes a request whole or not at all, and makes
    events only of what it took.

    Args:
        batch: its state.
        outcome: of that attempt as recorded; ``None`` while it is on its way.
        later: whether a later attempt of the batch may have been taken too.

    Returns:
        ``accepted`` if the batch is to become so; ``known`` if nothing is new; ``twice`` if the
        readers have it from a later attempt as well; ``wait`` if a sender is at work on it.
    """
    if outcome is None or batch in {"claimed", "in_flight"}:
        return "wait"
    if outcome != "accepted" and later:
        return "twice"
    return "accepted" if batch in {"unknown", "ready", "dropped"} else "known"
