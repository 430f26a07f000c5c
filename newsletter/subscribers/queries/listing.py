"""List subscribers page by page, filtered."""

import datetime
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import subscriber

PAGE_SIZE = 1_000


class Subscriber(NamedTuple):
    """One row of the list, for people and scripts; without the token, which is a secret.

    Attributes:
        id: never given twice.
        address: as typed.
        name: perhaps ``""``.
        status: one of ``STATUSES``.
        attributes: the editor's own.
        source: where they came from: ``import readers.csv:14``.
        joined_at: since when they are in the list, in UTC.
    """

    id: int
    address: str
    name: str
    status: str
    attributes: dict[str, str]
    source: str
    joined_at: datetime.datetime


class SubscriberFilter(NamedTuple):
    """Which subscribers to show.

    Attributes:
        status: of this status only, if given.
        search: whose address or name has this in it, in capitals or not.
    """

    status: str | None = None
    search: str | None = None


def iter_subscribers(
    connection: sa.Connection, subscriber_filter: SubscriberFilter, limit: int | None = None
) -> Iterator[Subscriber]:
    """The subscribers wanted, the longest there first; memory stays flat."""
    return islice(_iter_pages(connection, subscriber_filter), limit)


def count_filtered(connection: sa.Connection, subscriber_filter: SubscriberFilter) -> int:
    """How many subscribers there are of those wanted."""
    counted = (
        sa.select(sa.func.count())
        .select_from(subscriber)
        .where(_filter_condition(subscriber_filter))
    )
    return connection.scalar(counted) or 0


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
        rows = [Subscriber(*row) for row in connection.execute(page)]
        yield from rows
        if len(rows) < PAGE_SIZE:
            return
        after = rows[-1].id


def _filter_condition(subscriber_filter: SubscriberFilter) -> sa.ColumnElement[bool]:
    conditions: list[sa.ColumnElement[bool]] = [sa.true()]
    if subscriber_filter.status is not None:
        conditions.append(subscriber.c.status == subscriber_filter.status)
    if subscriber_filter.search:
        key = subscriber.c.address_key.contains(
            subscriber_filter.search.casefold(), autoescape=True
        )
        shown = (subscriber.c.address, subscriber.c.name)
        conditions.append(
            sa.or_(
                key, *(each.icontains(subscriber_filter.search, autoescape=True) for each in shown)
            )
        )
    return sa.and_(*conditions)
