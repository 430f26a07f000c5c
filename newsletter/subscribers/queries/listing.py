"""List and count subscribers by status and search text."""

import datetime
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import subscriber
from newsletter.subscribers.segments.sql_dialects import text_matches

PAGE_SIZE = 1_000


class Subscriber(NamedTuple):
    """A subscriber as listed; without the token, which is a secret.

    Attributes:
        id: the subscriber's id, which is never reused.
        address: the address as typed.
        name: the name, perhaps ``""``.
        status: one of ``STATUSES``.
        attributes: the editor's own attributes.
        source: where they came from: ``import readers.csv:14``.
        joined_at: when they joined, in UTC.
    """

    id: int
    address: str
    name: str
    status: str
    attributes: dict[str, str]
    source: str
    joined_at: datetime.datetime


class SubscriberFilter(NamedTuple):
    """A filter of the subscribers to list.

    Attributes:
        status: only those of this status, if given.
        search: only those whose address or name contains this text, ignoring case.
    """

    status: str | None = None
    search: str | None = None


def iter_subscribers(
    connection: sa.Connection, subscriber_filter: SubscriberFilter, limit: int | None = None
) -> Iterator[Subscriber]:
    """Yield the matching subscribers by ascending id; memory use is constant."""
    return islice(_iter_pages(connection, subscriber_filter), limit)


def count_filtered(connection: sa.Connection, subscriber_filter: SubscriberFilter) -> int:
    """Return the number of matching subscribers."""
    query = (
        sa.select(sa.func.count())
        .select_from(subscriber)
        .where(_filter_condition(subscriber_filter))
    )
    return connection.scalar(query) or 0


def _iter_pages(
    connection: sa.Connection, subscriber_filter: SubscriberFilter
) -> Iterator[Subscriber]:
    columns = [subscriber.c[name] for name in Subscriber._fields]
    after = 0
    while True:
        page = (
            sa.select(*columns)
            .where(_filter_condition(subscriber_filter), subscriber.c.id > after)
            .order_by(subscriber.c.id)
            .limit(PAGE_SIZE)
        )
        rows = [
            Subscriber(*row)._replace(attributes=dict(sorted(row.attributes.items())))
            for row in connection.execute(page)
        ]
        yield from rows
        if len(rows) < PAGE_SIZE:
            return
        after = rows[-1].id


def _filter_condition(subscriber_filter: SubscriberFilter) -> sa.ColumnElement[bool]:
    conditions: list[sa.ColumnElement[bool]] = [sa.true()]
    if subscriber_filter.status is not None:
        conditions.append(subscriber.c.status == subscriber_filter.status)
    if subscriber_filter.search:
        columns = (subscriber.c.address_key, subscriber.c.address, subscriber.c.name)
        conditions.append(
            sa.or_(*(text_matches(column, "", subscriber_filter.search, "") for column in columns))
        )
    return sa.and_(*conditions)
