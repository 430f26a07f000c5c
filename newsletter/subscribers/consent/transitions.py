"""What a change makes of a subscriber's status: the one table of rules. Pure.

A report that somebody has left counts by its strength: complained, unsubscribed, bounced. A
weaker one never replaces a stronger one, and nothing but a new consent leads back.
"""

from collections.abc import Iterable
from typing import NamedTuple

SUPPRESSED = frozenset({"unsubscribed", "bounced", "complained"})
_STRENGTH = {"pending": 0, "active": 0, "bounced": 1, "unsubscribed": 2, "complained": 3}
_ENTRIES = frozenset({"subscribed", "imported", "resubscribed"})


class Change(NamedTuple):
    """Something that happened to a subscriber.

    Attributes:
        word: one of ``newsletter.db.schema.CHANGES``.
        status: what ``subscribed``, ``imported`` and ``resubscribed`` ask for; the other words
            say it themselves.
    """

    word: str
    status: str = ""


def transition(status: str | None, change: Change) -> str:
    """The status after a change.

    Args:
        status: the one before; ``None`` if the address isn't in the list.
        change: what happened.

    Raises:
        ValueError: a change that only somebody in the list can have happened to them.
    """
    word = change.word
    if status is None:
        if word not in _ENTRIES:
            raise ValueError(f"nobody can be {word} before they are in the list")
        return change.status
    if word == "resubscribed":
        return "active" if status == "active" else change.status
    if word == "confirmed":
        return "active" if status == "pending" else status
    told = word if word in SUPPRESSED else change.status if word == "imported" else status
    return told if _STRENGTH[told] > _STRENGTH[status] else status


def status_of(changes: Iterable[Change]) -> str | None:
    """What all changes of one subscriber add up to; ``None`` if there are none."""
    status = None
    for change in changes:
        status = transition(status, change)
    return status


def soft_bounces_of(changes: Iterable[Change]) -> int:
    """How many soft bounces there were since the last delivery or consent."""
    count = 0
    for change in changes:
        if change.word == "soft_bounced":
            count += 1
        elif change.word in {"delivered", "resubscribed"}:
            count = 0
    return count
