"""Compare a send's audience with today's: added, removed, and why."""

import datetime
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.column_types import ByCodePoint
from newsletter.db.schema import journal, send_recipient, subscriber, suppression
from newsletter.subscribers.audience import MAILABLE, PAUSED
from newsletter.subscribers.queries.past_sends import PastSend
from newsletter.subscribers.topics import IS_FROM_ALL, opted_out_reason, wants_topic

ENTERED_SEGMENT = "came into the segment"
LEFT_SEGMENT = "left the segment"
SUPPRESSION_LIFTED = "no longer suppressed"
ERASED = "erased"
_PAGE_SIZE = 1_000
_journal_columns = (journal.c.change, journal.c.at, journal.c.method, journal.c.source)


class AudienceDifference(NamedTuple):
    """A subscriber who was in a send and would not be now, or the other way round.

    Attributes:
        address: the address as typed; ``""`` if it was erased.
        why: a kind of change, a status, the reason of a suppression, or one of the constants above.
        at: when that happened, if known.
        how: the journal's method: ``form``, ``webhook``, …
        source: the journal's source.
    """

    address: str
    why: str
    at: datetime.datetime | None = None
    how: str = ""
    source: str = ""


def iter_added(
    connection: sa.Connection, past_send: PastSend, condition: sa.ColumnElement[bool]
) -> Iterator[AudienceDifference]:
    """Yield those who would get the issue now and were not in its send, by subscriber id.

    Args:
        connection: a connection in a transaction.
        past_send: the send.
        condition: the condition of its segment and its topic, as they are today.
    """
    was_recipient = (
        sa.exists()
        .where(
            send_recipient.c.send_id.in_(past_send.ids),
            send_recipient.c.subscriber_id == subscriber.c.id,
        )
        .correlate(subscriber)
    )
    adding_kinds = ("subscribed", "imported", "confirmed", "resubscribed")
    latest_entry = _journal_entry_join(
        sa.func.max,
        journal.c.at > past_send.frozen_at,
        journal.c.change.in_(adding_kinds),
        journal.c.status == "active",
    )
    query = (
        sa.select(subscriber.c.address, subscriber.c.joined_at, *_journal_columns)
        .select_from(subscriber.outerjoin(journal, latest_entry))
        .where(MAILABLE, condition, ~was_recipient)
        .order_by(subscriber.c.id)
    )
    default_reason = ENTERED_SEGMENT if past_send.segment else SUPPRESSION_LIFTED
    for address, joined_at, change, at, method, source in _stream_rows(connection, query):
        if change:
            yield AudienceDifference(address, change, at, method, source)
        elif joined_at > past_send.frozen_at:
            yield AudienceDifference(address, "joined", joined_at)
        else:
            yield AudienceDifference(address, default_reason)


def iter_removed(
    connection: sa.Connection, past_send: PastSend, condition: sa.ColumnElement[bool]
) -> Iterator[AudienceDifference]:
    """Yield those who were in the send and would not get the issue now, by subscriber id.

    The arguments are those of ``iter_added``.
    """
    first_entry = _journal_entry_join(
        sa.func.min, journal.c.at > past_send.frozen_at, journal.c.status == subscriber.c.status
    )
    reason = (
        sa.select(sa.func.min(ByCodePoint(suppression.c.reason)))
        .where(
            suppression.c.address_key == subscriber.c.address_key,
            IS_FROM_ALL,
        )
        .correlate(subscriber)
        .scalar_subquery()
    )
    opted_out = sa.not_(wants_topic(past_send.topic)) if past_send.topic else sa.false()
    in_audience = sa.and_(MAILABLE, condition)
    query = (
        sa.select(
            subscriber.c.address,
            subscriber.c.status,
            reason,
            subscriber.c.paused_until,
            opted_out,
            *_journal_columns,
        )
        .select_from(
            send_recipient.outerjoin(
                subscriber, subscriber.c.id == send_recipient.c.subscriber_id
            ).outerjoin(journal, first_entry)
        )
        .where(
            send_recipient.c.send_id.in_(past_send.ids),
            sa.or_(subscriber.c.id.is_(None), sa.not_(in_audience)),
        )
        .order_by(send_recipient.c.subscriber_id)
    )
    now = datetime.datetime.now(datetime.UTC)
    for row in _stream_rows(connection, query):
        address, status, suppressed, paused_until, unwanted, _, at, method, source = row
        if address is None:
            yield AudienceDifference("", ERASED)
        elif status != "active":
            yield AudienceDifference(address, status, at, method or "", source or "")
        else:
            paused = PAUSED if paused_until and paused_until > now else None
            declined = opted_out_reason(past_send.topic) if unwanted else None
            yield AudienceDifference(address, suppressed or paused or declined or LEFT_SEGMENT)


def _journal_entry_join(
    aggregate: Callable[..., Any], *conditions: sa.ColumnElement[bool]
) -> sa.ColumnElement[bool]:
    """Return the condition that joins a subscriber with their first or last matching entry."""
    number = (
        sa.select(aggregate(journal.c.seq))
        .where(journal.c.subscriber_id == subscriber.c.id, *conditions)
        .correlate(subscriber)
        .scalar_subquery()
    )
    return sa.and_(journal.c.subscriber_id == subscriber.c.id, journal.c.seq == number)


def _stream_rows(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Any]:
    """Yield the rows without loading all of them into memory."""
    yield from connection.execute(query.execution_options(yield_per=_PAGE_SIZE))
