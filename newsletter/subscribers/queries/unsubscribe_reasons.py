"""Record and count reasons for unsubscribing, anonymously per month."""

import datetime
from collections.abc import Mapping

import sqlalchemy as sa

from newsletter.db.bulk import insert_for_upsert
from newsletter.db.column_types import ByCodePoint
from newsletter.db.schema import unsubscribe_reason

UNSUBSCRIBE_REASONS = ("too_many", "not_for_me", "never_asked", "other")


def record_unsubscribe_reason(
    connection: sa.Connection, reason: str, now: datetime.datetime
) -> None:
    """Add one to the count of a reason in this month."""
    row = insert_for_upsert(connection, unsubscribe_reason).values(
        month=f"{now:%Y-%m}", reason=reason, subscribers=1
    )
    increment = {"subscribers": unsubscribe_reason.c.subscribers + 1}
    connection.execute(
        row.on_conflict_do_update(index_elements=["month", "reason"], set_=increment)
    )


def count_unsubscribe_reasons(connection: sa.Connection) -> Mapping[str, int]:
    """Return how often each reason was given, the most frequent first."""
    total = sa.func.sum(unsubscribe_reason.c.subscribers)
    query = sa.select(unsubscribe_reason.c.reason, total).group_by(unsubscribe_reason.c.reason)
    rows = connection.execute(
        query.order_by(total.desc(), ByCodePoint(unsubscribe_reason.c.reason))
    )
    return {reason: int(count) for reason, count in rows}
