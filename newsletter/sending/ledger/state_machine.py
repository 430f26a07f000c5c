"""Which command changes a send or a batch from which state to which.

Pure: tables and rules.
"""

import datetime
from collections.abc import Mapping
from typing import Literal, NamedTuple

from newsletter.errors import SendRefusedError
from newsletter.sending.ledger.record import Send

SendCommand = Literal["pause", "resume", "cancel", "retry"]
Resolution = Literal["accepted", "resend", "drop"]
EvidenceVerdict = Literal["accepted", "known", "twice", "wait"]

# Command -> the send's state -> its next state. What is not here is refused.
TRANSITIONS: Mapping[SendCommand, Mapping[str, str]] = {
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

STATE_PHRASES: Mapping[str, str] = {
    "frozen": "is planned and has not begun",
    "running": "is being sent",
    "paused": "is paused",
    "blocked": "was stopped by SendGrid's refusal",
    "needs_review": "has gone out but for what is unknown",
    "done": "has gone out",
    "cancelled": "was cancelled",
}
COMMAND_REMEDIES: Mapping[tuple[SendCommand, str], str] = {
    ("pause", "frozen"): "Nothing needs to be paused; to take the plan back: newsletter cancel {}",
    ("resume", "frozen"): "Begin with: newsletter send {}",
    ("resume", "needs_review"): "See what is unknown with: newsletter status {}",
    ("resume", "cancelled"): "What is new goes into a new issue.",
    ("cancel", "needs_review"): "See what is unknown with: newsletter status {}",
    ("retry", "running"): "Wait for it to end, or: newsletter pause {}",
    ("retry", "frozen"): "Begin with: newsletter send {}",
}


class ResolvedStates(NamedTuple):
    """The next states of an unknown batch and of those of its readers who are unknown."""

    batch_state: Literal["accepted", "ready", "dropped"]
    recipient_state: Literal["accepted", "pending", "dropped"]
    message: str


RESOLVED_STATES: Mapping[Resolution, ResolvedStates] = {
    "accepted": ResolvedStates("accepted", "accepted", "settled by hand: accepted"),
    "resend": ResolvedStates("ready", "pending", "settled by hand: to be sent again"),
    "drop": ResolvedStates("dropped", "dropped", "settled by hand: given up"),
}


def next_state(command: SendCommand, send_record: Send, now: datetime.datetime) -> str:
    """The send's state after ``command``.

    Raises:
        SendRefused: the command makes no sense in the state that it is in, with the remedy.
    """
    if command == "cancel" and is_recallable(send_record, now):
        return "cancelled"
    if state := TRANSITIONS[command].get(send_record.state):
        return state
    remedy = COMMAND_REMEDIES.get((command, send_record.state), "").format(send_record.slug)
    raise SendRefusedError(f"{send_record.issue} {STATE_PHRASES[send_record.state]}", remedy=remedy)


def is_recallable(send_record: Send, now: datetime.datetime) -> bool:
    """Whether SendGrid holds mail of it that may still be taken back."""
    held = bool(send_record.provider_batch_id) and send_record.recalled_at is None
    return held and send_record.scheduled_at is not None and send_record.scheduled_at > now


def state_after_resolution(state: str, *, has_open_batches: bool, has_unknown_batches: bool) -> str:
    """The send's state once some of its unknown batches are settled.

    Args:
        state: as it is.
        has_open_batches: whether some batch is ready or on its way.
        has_unknown_batches: whether some batch is still unknown.
    """
    if state not in {"needs_review", "paused", "blocked"}:
        return state
    if has_open_batches:
        return "paused" if state == "needs_review" else state
    return "needs_review" if has_unknown_batches else "done"


def classify_evidence(
    batch_state: str, outcome: str | None, *, has_later_attempt: bool
) -> EvidenceVerdict:
    """What an event proves that names one attempt of a batch.

    Any event will do, even a bounce: SendGrid takes a request whole or not at all, and makes
    events only of what it took.

    Args:
        batch_state: its state.
        outcome: of that attempt as recorded; ``None`` while it is on its way.
        has_later_attempt: whether a later attempt of the batch may have been taken too.

    Returns:
        ``accepted`` if the batch is to become so; ``known`` if nothing is new; ``twice`` if the
        readers have it from a later attempt as well; ``wait`` if a sender is at work on it.
    """
    if outcome is None or batch_state in {"claimed", "in_flight"}:
        return "wait"
    if outcome != "accepted" and has_later_attempt:
        return "twice"
    return "accepted" if batch_state in {"unknown", "ready", "dropped"} else "known"
