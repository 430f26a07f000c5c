"""Addresses that are not mailed, whatever the list says of them."""

import datetime
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import suppression


class SuppressionEntry(NamedTuple):
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


# Made once: every page of a reader's asks.
_BY_ADDRESS = (
    sa.select(*(suppression.c[name] for name in SuppressionEntry._fields))
    .where(suppression.c.address_key == sa.bindparam("key"))
    .order_by(suppression.c.since)
)


def load_suppressions(connection: sa.Connection, key: str) -> tuple[SuppressionEntry, ...]:
    """The rows of one address, the oldest first."""
    return tuple(SuppressionEntry(*row) for row in connection.execute(_BY_ADDRESS, {"key": key}))
