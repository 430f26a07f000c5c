"""Why readers leave, as they say: counted by month, with nobody's name to it."""

import datetime
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.db.schema import leaving

REASONS = ("too_many", "not_for_me", "never_asked", "other")


def count_reason(connection: sa.Connection, reason: str, now: datetime.datetime) -> None:
    """Count one answer."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    one = insert(leaving).values(month=f"{now:%Y-%m}", reason=reason, readers=1)
    more = {"readers": leaving.c.readers + 1}
    connection.execute(one.on_conflict_do_update(index_elements=["month", "reason"], set_=more))


def reasons(connection: sa.Connection) -> Sequence[tuple[str, str, int]]:
    """Month, reason and how many, in that order."""
    found = sa.select(leaving).order_by(leaving.c.month, leaving.c.reason)
    return [tuple(row) for row in connection.execute(found)]
