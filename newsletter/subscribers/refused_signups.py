"""Add to and read the counts of refused sign-ups, anonymous and per month."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import insert_for_upsert
from newsletter.db.column_types import ByCodePoint
from newsletter.db.schema import refused_signup

# In the order in which a sign-up is checked; the last one is decided weeks later.
REFUSAL_REASONS = (
    "honeypot",
    "bad_token",
    "too_fast",
    "form_reused",
    "ip_limit",
    "site_limit",
    "mailbox_limit",
    "never_confirmed",
)


class RefusalCount(NamedTuple):
    """How many sign-ups were refused in a month for a reason.

    Attributes:
        month: such as ``2026-11``, in UTC.
        reason: one of ``REFUSAL_REASONS``.
        signups: how many.
    """

    month: str
    reason: str
    signups: int


def add_refused_signups(connection: sa.Connection, counts: Mapping[tuple[str, str], int]) -> None:
    """Add to the counts of months and reasons."""
    row = insert_for_upsert(connection, refused_signup)
    statement = row.on_conflict_do_update(
        index_elements=["month", "reason"],
        set_={"signups": refused_signup.c.signups + row.excluded.signups},
    )
    # In one order, so that two processes never wait for each other.
    for (month, reason), signups in sorted(counts.items()):
        connection.execute(statement, {"month": month, "reason": reason, "signups": signups})


def load_refused_signups(connection: sa.Connection) -> Sequence[RefusalCount]:
    """Return the counts by month and reason, the latest month first."""
    columns = refused_signup.c
    query = sa.select(columns.month, columns.reason, columns.signups)
    rows = connection.execute(query.order_by(columns.month.desc(), ByCodePoint(columns.reason)))
    return [RefusalCount(*row) for row in rows]
