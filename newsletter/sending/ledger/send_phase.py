"""Phase of a send at a moment: waiting, held, recalled, uncertain.

Pure. All commands take from here what they say about a schedule, so that they say the same.
"""

import datetime
from collections.abc import Mapping
from typing import NamedTuple

from newsletter.sending.ledger.record import Send
from newsletter.subscribers.recalled_sends import is_recalled

# Besides these, a phase is one of ``newsletter.db.schema.SEND_STATES``.
SendPhase = str


class SendPhaseLabels(NamedTuple):
    """What a phase is called on screen; with ``{provider}`` for the provider's name.

    Attributes:
        in_status: in the line of ``newsletter status``.
        in_list: in a list of issues, the preview's and that of ``newsletter issues``.
        in_sentence: after the name of the issue.
    """

    in_status: str
    in_list: str
    in_sentence: str


SEND_PHASE_LABELS: Mapping[SendPhase, SendPhaseLabels] = {
    phase: SendPhaseLabels(*labels)
    for phase, labels in {
        "draft": ("draft", "draft", "is a draft"),
        "planned": ("planned", "planned", "is planned and has not been started"),
        "waiting": ("scheduled", "scheduled", "is scheduled"),
        "held": ("scheduled", "scheduled", "was sent"),
        "running": ("running", "sending", "is being sent"),
        "paused": ("paused", "paused", "is paused"),
        "blocked": ("blocked", "blocked", "was blocked by {provider}"),
        "needs_review": ("needs review", "needs review", "was sent, but some batches are unknown"),
        "done": ("done", "sent", "was sent"),
        "cancelled": ("cancelled", "cancelled", "was cancelled"),
        "recalled": ("recalled", "cancelled", "was cancelled"),
        "uncertain": ("cancelled, not confirmed", "needs review", "was cancelled"),
    }.items()
}
# Of a send that was recalled, until an event proved that a reader's server has got it; after the
# provider's name.
DISPROVED_REASON = "delivered it, although it had confirmed the cancellation"


def get_send_phase(send_record: Send, now: datetime.datetime) -> SendPhase:
    """Return what a send's record means at a moment.

    Returns:
        - ``planned``: nothing happens until the editor sends it, even if it has a time: a send that
          the provider was to hold, and of which nothing was handed over.
        - ``waiting``: it waits for its time on this machine.
        - ``held``: the provider has all of it, and delivers it at its time.
        - ``recalled``: the provider has confirmed in time that it discards what it held.
        - ``uncertain``: it was cancelled, but the provider has not confirmed it in time.
        - otherwise, the state.
    """
    if send_record.state == "frozen":
        return "waiting" if send_record.is_scheduled_locally else "planned"
    if was_recalled(send_record):
        return "recalled"
    if send_record.is_cancelled_at_provider:
        return "uncertain"
    if send_record.state == "done" and is_held(send_record, now):
        return "held"
    return send_record.state


def was_recalled(send_record: Send) -> bool:
    """Return whether the provider has confirmed in time that nobody gets the send."""
    return send_record.state == "cancelled" and is_recalled(
        send_record.scheduled_at, send_record.recalled_at
    )


def is_held(send_record: Send, now: datetime.datetime) -> bool:
    """Return whether the provider holds what was handed over, and nobody has cancelled it."""
    return send_record.state not in {"frozen", "cancelled"} and _may_be_held(send_record, now)


def is_recallable(send_record: Send, now: datetime.datetime) -> bool:
    """Return whether the provider may hold emails of the send that can still be cancelled there."""
    return (
        send_record.state != "frozen"
        and send_record.recalled_at is None
        and not send_record.reason.endswith(DISPROVED_REASON)
        and _may_be_held(send_record, now)
    )


def _may_be_held(send_record: Send, now: datetime.datetime) -> bool:
    is_future = send_record.scheduled_at is not None and send_record.scheduled_at > now
    return is_future and bool(send_record.provider_batch_id)
