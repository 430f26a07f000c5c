"""Compare a send's audience with today's: who joined, who left."""

import datetime
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import journal, send_recipient, subscriber, suppression
from newsletter.subscribers.audience import MAILABLE, PAUSED
from newsletter.subscribers.queries.past_sends import PastSend

ENTERED_SEGMENT = "came into the segment"
LEFT_SEGMENT = "left the segment"
SUPPRESSION_LIFTED = "no longer suppressed"
ERASED = "erased"
_PAGE_SIZE = 1_000


class AudienceDifference(NamedTuple):
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


def iter_added(
    connection: sa.Connection, past_send: PastSend, condition: sa.ColumnElement[bool]
) -> Iterator[AudienceDifference]:
    """Who would get the issue now and wasn't in its send, in the list's order.

    Args:
        connection: in a transaction.
        past_send: the send.
        condition: the condition of its segment, as it is today.
    """
    was_in = (
        sa.exists()
        .where(
            send_recipient.c.send_id == past_send.id,
            send_recipient.c.subscriber_id == subscriber.c.id,
        )
        .correlate(subscriber)
    )
    brought = ("subscribed", "imported", "confirmed", "resubscribed")
    latest = _journal_entry_join(
        sa.func.max,
        journal.c.at > past_send.frozen_at,
        journal.c.change.in_(brought),
        journal.c.status == "active",
    )
    chosen = (
        sa.select(subscriber.c.address, subscriber.c.joined_at, *_journal_columns)
        .select_from(subscriber.outerjoin(journal, latest))
        .where(MAILABLE, condition, ~was_in)
        .order_by(subscriber.c.id)
    )
    otherwise = ENTERED_SEGMENT if past_send.segment else SUPPRESSION_LIFTED
    for address, joined_at, change, at, how, source in _stream_rows(connection, chosen):
        if change:
            yield AudienceDifference(address, change, at, how, source)
        elif joined_at > past_send.frozen_at:
            yield AudienceDifference(address, "joined", joined_at)
        else:
            yield AudienceDifference(address, otherwise)


def iter_removed(
    connection: sa.Connection, past_send: PastSend, condition: sa.ColumnElement[bool]
) -> Iterator[AudienceDifference]:
    """Who was in the send and wouldn't get the issue now, in the list's order."""
    left = _journal_entry_join(
        sa.func.min, journal.c.at > past_send.frozen_at, journal.c.status == subscriber.c.status
    )
    reason = (
        sa.select(sa.func.min(suppression.c.reason))
        .where(suppression.c.address_key == subscriber.c.address_key)
        .correlate(subscriber)
        .scalar_subquery()
    )
    stays = sa.and_(MAILABLE, condition)
    chosen = (
        sa.select(
            subscriber.c.address,
            subscriber.c.status,
            reason,
            subscriber.c.paused_until,
            *_journal_columns,
        )
        .select_from(
            send_recipient.outerjoin(
                subscriber, subscriber.c.id == send_recipient.c.subscriber_id
            ).outerjoin(journal, left)
        )
        .where(
            send_recipient.c.send_id == past_send.id,
            sa.or_(subscriber.c.id.is_(None), sa.not_(stays)),
        )
        .order_by(send_recipient.c.subscriber_id)
    )
    now = datetime.datetime.now(datetime.UTC)
    for address, status, suppressed, until, _, at, how, source in _stream_rows(connection, chosen):
        if address is None:
            yield AudienceDifference("", ERASED)
        elif status != "active":
            yield AudienceDifference(address, status, at, how or "", source or "")
        else:
            paused = PAUSED if until and until > now else None
            yield AudienceDifference(address, suppressed or paused or LEFT_SEGMENT)


_journal_columns = (journal.c.change, journal.c.at, journal.c.method, journal.c.source)


def _journal_entry_join(
    aggregate: Callable[..., Any], *conditions: sa.ColumnElement[bool]
) -> sa.ColumnElement[bool]:
    """Joins a subscriber with the first or last line of their journal that meets conditions."""
    number = (
        sa.select(aggregate(journal.c.seq))
        .where(journal.c.subscriber_id == subscriber.c.id, *conditions)
        .correlate(subscriber)
        .scalar_subquery()
    )
    return sa.and_(journal.c.subscriber_id == subscriber.c.id, journal.c.seq == number)


def _stream_rows(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Any]:
    """The rows, without having them all in memory."""
    yield from connection.execute(query.execution_options(yield_per=_PAGE_SIZE))
