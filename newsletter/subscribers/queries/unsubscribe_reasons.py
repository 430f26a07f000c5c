"""Why readers leave, as they say: counted by month, with nobody's name to it."""

import datetime
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.db.schema import leaving

UNSUBSCRIBE_REASONS = ("too_many", "not_for_me", "never_asked", "other")


def record_unsubscribe_reason(
    connection: sa.Connection, reason: str, now: datetime.datetime
) -> None:
    """Count one answer."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    one = insert(leaving).values(month=f"{now:%Y-%m}", reason=reason, readers=1)
    more = {"readers": leaving.c.readers + 1}
    connection.execute(one.on_conflict_do_update(index_elements=["month", "reason"], set_=more))


def count_unsubscribe_reasons(connection: sa.Connection) -> Mapping[str, int]:
    """How many have given each reason, those given most often first."""
    answers = sa.func.sum(leaving.c.readers)
    found = sa.select(leaving.c.reason, answers).group_by(leaving.c.reason)
    rows = connection.execute(found.order_by(answers.desc(), leaving.c.reason))
    return {reason: int(count) for reason, count in rows}
