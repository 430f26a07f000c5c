"""What a change makes of a subscriber's status: the table of rules.

Pure.

A report that somebody has left counts by its strength: complained, unsubscribed, bounced. A
weaker one never replaces a stronger one, and nothing but a new consent leads back.
"""

from collections.abc import Iterable
from typing import NamedTuple

SUPPRESSED_STATUSES = frozenset({"unsubscribed", "bounced", "complained"})
_STRENGTH = {"pending": 0, "active": 0, "bounced": 1, "unsubscribed": 2, "complained": 3}
_ENTRY_KINDS = frozenset({"subscribed", "imported", "resubscribed"})


class StatusChange(NamedTuple):
    """Something that happened to a subscriber.

    Attributes:
        kind: one of ``newsletter.db.schema.CHANGES``.
        requested: what ``subscribed``, ``imported`` and ``resubscribed`` ask for; the other words
            say it themselves.
    """

    kind: str
    requested: str = ""


def next_status(status: str | None, change: StatusChange) -> str:
    """The status after a change.

    Args:
        status: the one before; ``None`` if the address isn't in the list.
        change: what happened.

    Raises:
        ValueError: a change that only somebody in the list can have happened to them.
    """
    word = change.kind
    if status is None:
        if word not in _ENTRY_KINDS:
            raise ValueError(f"nobody can be {word} before they are in the list")
        return change.requested
    if word == "resubscribed":
        return "active" if status == "active" else change.requested
    if word == "confirmed":
        return "active" if status == "pending" else status
    told = (
        word if word in SUPPRESSED_STATUSES else change.requested if word == "imported" else status
    )
    return told if _STRENGTH[told] > _STRENGTH[status] else status


def replay_status(changes: Iterable[StatusChange]) -> str | None:
    """What all changes of one subscriber add up to; ``None`` if there are none."""
    status = None
    for change in changes:
        status = next_status(status, change)
    return status


def count_soft_bounces(changes: Iterable[StatusChange]) -> int:
    """How many soft bounces there were since the last delivery or consent."""
    count = 0
    for change in changes:
        if change.kind == "soft_bounced":
            count += 1
        elif change.kind in {"delivered", "resubscribed"}:
            count = 0
    return count
