"""Select the audience of a catch-up: who joined since, and why not others."""

import datetime
from collections.abc import Sequence

import sqlalchemy as sa

from newsletter.sending.ledger.catch_ups import (
    delivered_recipient_condition,
    listed_recipient_condition,
    load_delivered_recalls,
    recipient_condition,
)
from newsletter.sending.ledger.record import Send
from newsletter.subscribers import ALL_SUBSCRIBERS, count_exclusions, count_subscribers
from newsletter.subscribers.audience import OUTSIDE_SEGMENT
from newsletter.subscribers.topics import limit_to_topic, opted_out_reason, wants_topic

HAVE_IT = "have it already"
PLANNED_BEFORE = "planned before and left out"
# Of an unknown recipient nobody knows, so they count as having it; a pending one will get it.
_HAVING_STATES = ("accepted", "unknown", "pending")
_LEFT_OUT_STATES = ("skipped_late", "dropped")


def exclude_earlier_recipients(
    connection: sa.Connection,
    condition: sa.ColumnElement[bool],
    parent: Send,
    *,
    besides: Sequence[Send] = (),
) -> sa.ColumnElement[bool]:
    """Return the condition without the recipients of a send and of its catch-ups.

    Args:
        connection: in a transaction.
        condition: the condition of the segment, as it is today.
        parent: the send that the catch-up adds to.
        besides: catch-ups that don't count, since they are to be replaced.
    """
    return sa.and_(condition, sa.not_(_is_recipient(connection, parent, besides)))


def refused_reason(parent: Send) -> str:
    """Return why readers are left out whom the provider has refused."""
    return f"refused by {parent.provider_name}"


def count_catch_up_exclusions(
    connection: sa.Connection,
    parent: Send,
    condition: sa.ColumnElement[bool],
    at: datetime.datetime,
    *,
    besides: Sequence[Send] = (),
) -> dict[str, int]:
    """Return the number of excluded subscribers by reason; only reasons that occur.

    Together with the audience they add up to the whole list.

    Args:
        connection: in a transaction.
        parent: the send that the catch-up adds to, and whose topic it has.
        condition: the condition of its segment, as it is today.
        at: the moment at which pauses are evaluated.
        besides: as for ``exclude_earlier_recipients``.
    """

    def count(is_counted: sa.ColumnElement[bool]) -> int:
        return count_subscribers(connection, is_counted, mailable_only=True, at=at)

    have_it = recipient_condition(parent.id, *_HAVING_STATES, besides=besides)
    refused = listed_recipient_condition(parent.id, "rejected", besides=besides)
    left_out = listed_recipient_condition(parent.id, *_LEFT_OUT_STATES, besides=besides)
    not_recipient = sa.not_(_is_recipient(connection, parent, besides))
    counts = {
        refused_reason(parent): count(sa.and_(refused, sa.not_(have_it))),
        PLANNED_BEFORE: count(sa.and_(left_out, sa.not_(refused), sa.not_(have_it))),
    }
    # All other recipients: on a large list, faster than to look for each one.
    recipient_count = count(ALL_SUBSCRIBERS) - count(not_recipient)
    counts = {HAVE_IT: recipient_count - sum(counts.values()), **counts}
    if parent.topic:
        unwanted = sa.not_(wants_topic(parent.topic))
        counts[opted_out_reason(parent.topic)] = count(sa.and_(unwanted, not_recipient))
    if condition is not ALL_SUBSCRIBERS:
        outside = limit_to_topic(sa.not_(condition), parent.topic)
        counts[OUTSIDE_SEGMENT] = count(sa.and_(outside, not_recipient))
    return {
        **count_exclusions(connection, at=at),
        **{reason: number for reason, number in counts.items() if number},
    }


def _is_recipient(
    connection: sa.Connection, parent: Send, besides: Sequence[Send]
) -> sa.ColumnElement[bool]:
    """Return the condition that a subscriber is a recipient, or has got it by a recalled send."""
    is_recipient = recipient_condition(parent.id, besides=besides)
    delivered_ids = load_delivered_recalls(connection, parent)
    if not delivered_ids:
        return is_recipient
    return sa.or_(is_recipient, delivered_recipient_condition(delivered_ids))
