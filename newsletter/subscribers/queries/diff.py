"""What has changed between a send's audience and today's: who came, who left, and why."""

import datetime
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import journal, send_recipient, subscriber, suppression
from newsletter.subscribers.audience import MAILABLE, PAUSED
from newsletter.subscribers.queries.past_sends import Sent

INTO_SEGMENT = "came into the segment"
OUT_OF_SEGMENT = "left the segment"
LIFTED = "no longer suppressed"
ERASED = "erased"
_PAGE = 1_000


class Difference(NamedTuple):
    """One reader who was in a send and wouldn't be now, or the other way round.

    Attributes:
        address: as typed; ``""`` of somebody erased.
        why: a change or a status of ours, a suppression's reason, or one of the words above.
        at: when that happened, if it is known.
        how: by what way, as the journal has it: ``form``, ``webhook``, …
        source: where from.
    """

    address: str
    why: str
    at: datetime.datetime | None = None
    how: str = ""
    source: str = ""


def newcomers(
    connection: sa.Connection, sent: Sent, within: sa.ColumnElement[bool]
) -> Iterator[Difference]:
    """Who would get the issue now and wasn't in its send, in the list's order.

    Args:
        connection: in a transaction.
        sent: the send.
        within: the condition of its segment, as it is today.
    """
    was_in = (
        sa.exists()
        .where(
            send_recipient.c.send_id == sent.id, send_recipient.c.subscriber_id == subscriber.c.id
        )
        .correlate(subscriber)
    )
    brought = ("subscribed", "imported", "confirmed", "resubscribed")
    latest = _line_of(
        sa.func.max,
        journal.c.at > sent.frozen_at,
        journal.c.change.in_(brought),
        journal.c.status == "active",
    )
    chosen = (
        sa.select(subscriber.c.address, subscriber.c.joined_at, *_line)
        .select_from(subscriber.outerjoin(journal, latest))
        .where(MAILABLE, within, ~was_in)
        .order_by(subscriber.c.id)
    )
    otherwise = INTO_SEGMENT if sent.segment else LIFTED
    for address, joined_at, change, at, how, source in _stream(connection, chosen):
        if change:
            yield Difference(address, change, at, how, source)
        elif joined_at > sent.frozen_at:
            yield Difference(address, "joined", joined_at)
        else:
            yield Difference(address, otherwise)


def leavers(
    connection: sa.Connection, sent: Sent, within: sa.ColumnElement[bool]
) -> Iterator[Difference]:
    """Who was in the send and wouldn't get the issue now, in the list's order."""
    left = _line_of(
        sa.func.min, journal.c.at > sent.frozen_at, journal.c.status == subscriber.c.status
    )
    reason = (
        sa.select(sa.func.min(suppression.c.reason))
        .where(suppression.c.address_key == subscriber.c.address_key)
        .correlate(subscriber)
        .scalar_subquery()
    )
    stays = sa.and_(MAILABLE, within)
    chosen = (
        sa.select(
            subscriber.c.address, subscriber.c.status, reason, subscriber.c.paused_until, *_line
        )
        .select_from(
            send_recipient.outerjoin(
                subscriber, subscriber.c.id == send_recipient.c.subscriber_id
            ).outerjoin(journal, left)
        )
        .where(
            send_recipient.c.send_id == sent.id, sa.or_(subscriber.c.id.is_(None), sa.not_(stays))
        )
        .order_by(send_recipient.c.subscriber_id)
    )
    now = datetime.datetime.now(datetime.UTC)
    for address, status, suppressed, until, _, at, how, source in _stream(connection, chosen):
        if address is None:
            yield Difference("", ERASED)
        elif status != "active":
            yield Difference(address, status, at, how or "", source or "")
        else:
            paused = PAUSED if until and until > now else None
            yield Difference(address, suppressed or paused or OUT_OF_SEGMENT)


_line = (journal.c.change, journal.c.at, journal.c.how, journal.c.source)


def _line_of(
    which: Callable[..., Any], *conditions: sa.ColumnElement[bool]
) -> sa.ColumnElement[bool]:
    """Joins a subscriber with the first or last line of their journal that meets conditions."""
    number = (
        sa.select(which(journal.c.n))
        .where(journal.c.subscriber_id == subscriber.c.id, *conditions)
        .correlate(subscriber)
        .scalar_subquery()
    )
    return sa.and_(journal.c.subscriber_id == subscriber.c.id, journal.c.n == number)


def _stream(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Any]:
    """The rows, without having them all in memory."""
    yield from connection.execute(query.execution_options(yield_per=_PAGE))
