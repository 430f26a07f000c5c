"""Look up the suppressions of an address."""

import datetime
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.column_types import ByCodePoint
from newsletter.db.schema import subscriber, suppression
from newsletter.subscribers.topics import IS_FROM_ALL


class SuppressionEntry(NamedTuple):
    """One suppression of an address from every issue.

    Attributes:
        scope: ``all``.
        reason: why the address is suppressed.
        since: since when, in UTC.
        source: where the suppression comes from.
    """

    scope: str
    reason: str
    since: datetime.datetime
    source: str


# Built once: each preferences page runs it.
_BY_ADDRESS = (
    sa.select(*(suppression.c[name] for name in SuppressionEntry._fields))
    .where(suppression.c.address_key == sa.bindparam("key"), IS_FROM_ALL)
    .order_by(suppression.c.since, ByCodePoint(suppression.c.scope))
)


def load_suppressions(connection: sa.Connection, key: str) -> tuple[SuppressionEntry, ...]:
    """Return the suppressions of one address, the oldest first; not those from a single topic."""
    return tuple(SuppressionEntry(*row) for row in connection.execute(_BY_ADDRESS, {"key": key}))


def has_working_mailbox(connection: sa.Connection, key: str) -> bool:
    """Return whether a subscriber has this address, and emails to it have not bounced.

    It says nothing about whether they may be sent issues.
    """
    query = sa.select(subscriber.c.status).where(subscriber.c.address_key == key)
    status = connection.scalar(query)
    reasons = {entry.reason for entry in load_suppressions(connection, key)}
    return status is not None and "bounced" not in {status, *reasons}
