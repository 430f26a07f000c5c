"""State machine of a subscriber's status: the status after each change.

Pure functions. The suppressed statuses are, from the strongest to the weakest, complained,
unsubscribed and bounced. A weaker one never replaces a stronger one, and only a new consent makes
a subscriber active again.
"""

from collections.abc import Iterable
from typing import NamedTuple

SUPPRESSED_STATUSES = frozenset({"unsubscribed", "bounced", "complained"})
_STRENGTH = {"pending": 0, "active": 0, "bounced": 1, "unsubscribed": 2, "complained": 3}
_ENTRY_KINDS = frozenset({"subscribed", "imported", "resubscribed"})


class StatusChange(NamedTuple):
    """A change that may give a subscriber another status.

    Attributes:
        kind: one of ``newsletter.db.schema.CHANGE_KINDS``.
        requested: the status requested by ``subscribed``, ``imported`` or ``resubscribed``; not
            used for other kinds, which imply the status.
    """

    kind: str
    requested: str = ""


def next_status(status: str | None, change: StatusChange) -> str:
    """Return the status after a change.

    Args:
        status: the status before; ``None`` if the address isn't in the list.
        change: the change.

    Raises:
        ValueError: the address isn't in the list, and the change requires that it is.
    """
    kind = change.kind
    if status is None:
        if kind not in _ENTRY_KINDS:
            raise ValueError(f"'{kind}' requires an address that is in the list")
        return change.requested
    if kind == "resubscribed":
        return "active" if status == "active" else change.requested
    if kind == "confirmed":
        return "active" if status == "pending" else status
    requested = (
        kind if kind in SUPPRESSED_STATUSES else change.requested if kind == "imported" else status
    )
    return requested if _STRENGTH[requested] > _STRENGTH[status] else status


def replay_status(changes: Iterable[StatusChange]) -> str | None:
    """Return the status after all changes of one subscriber; ``None`` if there are none."""
    status = None
    for change in changes:
        status = next_status(status, change)
    return status


def count_soft_bounces(changes: Iterable[StatusChange]) -> int:
    """Return the number of soft bounces since the last delivery or resubscription."""
    count = 0
    for change in changes:
        if change.kind == "soft_bounced":
            count += 1
        elif change.kind in {"delivered", "resubscribed"}:
            count = 0
    return count
