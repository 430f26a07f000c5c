"""Allowed transitions of sends and batches, by command.

Pure: tables of states, and functions that use them.
"""

import datetime
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Literal, NamedTuple

from newsletter.errors import NothingToDoError, SendRefusedError
from newsletter.sending.ledger.record import Send
from newsletter.sending.ledger.send_phase import SEND_PHASE_LABELS, get_send_phase, is_recallable

SendCommand = Literal["pause", "resume", "cancel", "retry"]
Resolution = Literal["accepted", "resend", "drop"]
AttemptEvidence = Literal["accepted", "known", "twice", "wait"]

# Command -> the send's state -> its next state. Whatever is not listed is refused.
TRANSITIONS: Mapping[SendCommand, Mapping[str, str]] = {
    "pause": {"running": "paused"},
    # A sender that dies leaves its send running.
    "resume": {"running": "running", "paused": "running", "blocked": "running"},
    "cancel": {
        "frozen": "cancelled", "running": "cancelled", "paused": "cancelled",
        "blocked": "cancelled", "cancelled": "cancelled",
    },
    "retry": {
        "paused": "paused", "blocked": "paused", "needs_review": "paused", "done": "paused",
    },
}  # fmt: skip
# The send is already in the state that the command would bring it to.
WITHOUT_EFFECT: AbstractSet[tuple[SendCommand, str]] = {("pause", "paused"), ("resume", "done")}

COMMAND_REMEDIES: Mapping[tuple[SendCommand, str], str] = {
    ("pause", "frozen"): "There is nothing to pause. Discard the plan with: newsletter cancel {}",
    ("resume", "frozen"): "Start it with: {send_command}",
    ("resume", "needs_review"): "See what is unknown with: newsletter status {}",
    ("resume", "cancelled"): "See who has it, and what can be done, with: newsletter status {}",
    ("cancel", "needs_review"): "See what is unknown with: newsletter status {}",
    ("retry", "running"): "Wait until it has ended, or: newsletter pause {}",
    ("retry", "frozen"): "Start it with: {send_command}",
}
# Of a send that waits for its time on this machine, where ``newsletter send`` is refused.
WAITING_REMEDY = "It starts at its time. Start it now with: newsletter reschedule {} --now"
DUE_REMEDY = "Nothing has started it. Start it with: newsletter send --due"


class ResolvedStates(NamedTuple):
    """The next states of an unknown batch and of its unknown recipients, with the reason."""

    batch_state: Literal["accepted", "ready", "dropped"]
    recipient_state: Literal["accepted", "pending", "dropped"]
    message: str


RESOLVED_STATES: Mapping[Resolution, ResolvedStates] = {
    "accepted": ResolvedStates("accepted", "accepted", "resolved by hand: accepted"),
    "resend": ResolvedStates("ready", "pending", "resolved by hand: to be sent again"),
    "drop": ResolvedStates("dropped", "dropped", "resolved by hand: given up"),
}


def next_state(command: SendCommand, send_record: Send, now: datetime.datetime) -> str:
    """Return the send's state after ``command``.

    Raises:
        NothingToDoError: the command would change nothing.
        SendRefusedError: the send's state doesn't allow the command; with the remedy.
    """
    if command == "cancel" and is_recallable(send_record, now):
        return "cancelled"
    if state := TRANSITIONS[command].get(send_record.state):
        return state
    phase = get_send_phase(send_record, now)
    phrase = SEND_PHASE_LABELS[phase].in_sentence.format(provider=send_record.provider_name)
    if (command, send_record.state) in WITHOUT_EFFECT:
        raise NothingToDoError(f"{send_record.issue} {phrase} already")
    template = COMMAND_REMEDIES.get((command, send_record.state), "")
    if phase == "waiting" and command != "pause":
        is_due = send_record.scheduled_at is not None and send_record.scheduled_at <= now
        template = DUE_REMEDY if is_due else WAITING_REMEDY
    remedy = template.format(send_record.slug, send_command=send_record.send_command)
    raise SendRefusedError(f"{send_record.issue} {phrase}", remedy=remedy)


def state_after_resolution(state: str, *, has_open_batches: bool, has_unknown_batches: bool) -> str:
    """Return the send's state once some of its unknown batches are resolved.

    Args:
        state: the state until now.
        has_open_batches: whether any batch is ready, claimed or in flight.
        has_unknown_batches: whether any batch is still unknown.
    """
    if state not in {"needs_review", "paused", "blocked"}:
        return state
    if has_open_batches:
        return "paused" if state == "needs_review" else state
    return "needs_review" if has_unknown_batches else "done"


def classify_evidence(
    batch_state: str, outcome: str | None, *, has_later_attempt: bool
) -> AttemptEvidence:
    """Return what an event with the ids of one attempt of a batch proves.

    Any event is proof, even a bounce: a provider accepts a batch as a whole or not at all, and
    creates events only for what it has accepted.

    Args:
        batch_state: the state of the batch.
        outcome: the recorded outcome of that attempt; ``None`` while it is in flight.
        has_later_attempt: whether a later attempt of the batch may have been accepted too.

    Returns:
        ``accepted`` if the batch is to become accepted; ``known`` if nothing is new; ``twice`` if
        the recipients have the email from a later attempt as well; ``wait`` if a sender is working
        on the batch.
    """
    if outcome is None or batch_state in {"claimed", "in_flight"}:
        return "wait"
    if outcome != "accepted" and has_later_attempt:
        return "twice"
    return "accepted" if batch_state in {"unknown", "ready", "dropped"} else "known"
