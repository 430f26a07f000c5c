"""Addresses that are not mailed, whatever the list says of them."""

import datetime
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import suppression


class Suppressed(NamedTuple):
    """A row of the suppression list.

    Attributes:
        scope: ``all``, or for which mail it is.
        reason: why.
        since: since when, in UTC.
        source: who says so.
    """

    scope: str
    reason: str
    since: datetime.datetime
    source: str


def suppressions_of(connection: sa.Connection, key: str) -> tuple[Suppressed, ...]:
    """The rows of one address, the oldest first."""
    columns = [suppression.c[name] for name in Suppressed._fields]
    mine = sa.select(*columns).where(suppression.c.address_key == key)
    return tuple(Suppressed(*row) for row in connection.execute(mine.order_by(suppression.c.since)))
