"""Shows who is in the list, page by page."""

import datetime
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import subscriber

PAGE = 1_000


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


class Filter(NamedTuple):
    """Which subscribers to show.

    Attributes:
        status: of this status only, if given.
        search: whose address or name has this in it, in capitals or not.
    """

    status: str | None = None
    search: str | None = None


def subscribers(
    connection: sa.Connection, wanted: Filter, limit: int | None = None
) -> Iterator[Subscriber]:
    """The subscribers wanted, the longest there first; memory stays flat."""
    return islice(_all(connection, wanted), limit)


def how_many(connection: sa.Connection, wanted: Filter) -> int:
    """How many subscribers there are of those wanted."""
    counted = sa.select(sa.func.count()).select_from(subscriber).where(_having(wanted))
    return connection.scalar(counted) or 0


def _all(connection: sa.Connection, wanted: Filter) -> Iterator[Subscriber]:
    columns = [subscriber.c[name] for name in Subscriber._fields]
    after = 0
    while True:
        page = (
            sa.select(*columns)
            .where(_having(wanted), subscriber.c.id > after)
            .order_by(subscriber.c.id)
            .limit(PAGE)
        )
        rows = [Subscriber(*row) for row in connection.execute(page)]
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1].id


def _having(wanted: Filter) -> sa.ColumnElement[bool]:
    conditions: list[sa.ColumnElement[bool]] = [sa.true()]
    if wanted.status is not None:
        conditions.append(subscriber.c.status == wanted.status)
    if wanted.search:
        key = subscriber.c.address_key.contains(wanted.search.casefold(), autoescape=True)
        shown = (subscriber.c.address, subscriber.c.name)
        conditions.append(
            sa.or_(key, *(each.icontains(wanted.search, autoescape=True) for each in shown))
        )
    return sa.and_(*conditions)
