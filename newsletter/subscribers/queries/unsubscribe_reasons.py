"""Reasons for unsubscribing, counted by month, without names."""

import datetime
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.db.schema import unsubscribe_reason

UNSUBSCRIBE_REASONS = ("too_many", "not_for_me", "never_asked", "other")


def record_unsubscribe_reason(
    connection: sa.Connection, reason: str, now: datetime.datetime
) -> None:
    """Count one answer."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    one = insert(unsubscribe_reason).values(month=f"{now:%Y-%m}", reason=reason, subscribers=1)
    more = {"subscribers": unsubscribe_reason.c.subscribers + 1}
    connection.execute(one.on_conflict_do_update(index_elements=["month", "reason"], set_=more))


def count_unsubscribe_reasons(connection: sa.Connection) -> Mapping[str, int]:
    """How many have given each reason, those given most often first."""
    answers = sa.func.sum(unsubscribe_reason.c.subscribers)
    found = sa.select(unsubscribe_reason.c.reason, answers).group_by(unsubscribe_reason.c.reason)
    rows = connection.execute(found.order_by(answers.desc(), unsubscribe_reason.c.reason))
    return {reason: int(count) for reason, count in rows}
