"""Hold the unfinished sends of a database that is a copy.

What a copy calls ready may be in readers' inboxes already: the original may have sent it since.
"""

import datetime
from dataclasses import dataclass

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.identity import has_identity, is_at_home, read_mark, set_identity
from newsletter.db.schema import attempt, batch, journal, send, send_recipient

_UNFINISHED_STATES = ("frozen", "running", "paused", "blocked", "needs_review")


@dataclass(frozen=True, slots=True)
class CopiedDatabase:
    """A database that was recognized as a copy.

    Attributes:
        as_of: when the last thing in it was recorded; ``None`` if nothing was.
        held_issues: the issues whose sends were held.
    """

    as_of: datetime.datetime | None
    held_issues: tuple[str, ...]


def hold_if_copied(engine: sa.Engine, now: datetime.datetime) -> CopiedDatabase | None:
    """Hold the unfinished sends of a database that is a copy; return ``None`` if it isn't one.

    A held send's open batches become unknown: events, ``reconcile`` and ``resolve`` settle them. A
    database without an identity gets one.
    """
    # The mark first: it is written after the database, so it is never ahead of it.
    mark = read_mark(engine)
    with read_transaction(engine) as connection:
        if is_at_home(connection, mark):
            return None
    with engine.begin() as connection:
        mark = read_mark(engine)
        if is_at_home(connection, mark):  # another process has done it meanwhile
            return None
        is_copy = has_identity(connection)
        copied = _hold_unfinished_sends(connection, now) if is_copy else None
        set_identity(connection)
    return copied


def _hold_unfinished_sends(connection: sa.Connection, now: datetime.datetime) -> CopiedDatabase:
    as_of = _last_recorded_at(connection)
    when = f"{as_of.day} {as_of:%b %Y %H:%M} UTC" if as_of else "an unknown time"
    reason = f"the database is a copy as of {when}; what was sent since is not known"
    rows = connection.execute(
        sa.select(send.c.id, send.c.issue)
        .where(send.c.state.in_(_UNFINISHED_STATES))
        .order_by(send.c.id)
    ).all()
    held = [issue for id_, issue in rows if _hold_send(connection, id_, reason, as_of or now, now)]
    return CopiedDatabase(as_of, tuple(held))


def _hold_send(
    connection: sa.Connection,
    send_id: int,
    reason: str,
    as_of: datetime.datetime,
    now: datetime.datetime,
) -> bool:
    """Make the open batches of a send unknown; return whether there are any."""
    is_open = sa.and_(
        batch.c.send_id == send_id, batch.c.state.in_(("ready", "claimed", "in_flight"))
    )
    ids = connection.scalars(sa.select(batch.c.id).where(is_open)).all()
    if not ids:
        return False
    in_batches = sa.select(batch.c.id).where(is_open)
    connection.execute(
        sa.update(attempt)
        .where(attempt.c.batch_id.in_(in_batches), attempt.c.ended_at.is_(None))
        .values(ended_at=now, outcome="unknown")
    )
    last_number = (
        sa.select(sa.func.coalesce(sa.func.max(attempt.c.number), 0))
        .where(attempt.c.batch_id == batch.c.id)
        .scalar_subquery()
    )
    # The original's next attempt, so that events which name it are found.
    next_attempt = sa.select(
        batch.c.id,
        last_number + 1,
        sa.literal(""),
        sa.literal(as_of, attempt.c.started_at.type),
        sa.literal(now, attempt.c.ended_at.type),
        sa.literal("unknown"),
    ).where(batch.c.send_id == send_id, batch.c.state.in_(("ready", "claimed")))
    names = ["batch_id", "number", "body_sha", "started_at", "ended_at", "outcome"]
    connection.execute(sa.insert(attempt).from_select(names, next_attempt))
    connection.execute(
        sa.update(send_recipient)
        .where(send_recipient.c.batch_id.in_(in_batches), send_recipient.c.state == "pending")
        .values(state="unknown")
    )
    connection.execute(
        sa.update(batch)
        .where(is_open)
        .values(
            state="unknown", fence=batch.c.fence + 1, lease_until=None, retry_at=None, error=reason
        )
    )
    connection.execute(
        sa.update(send).where(send.c.id == send_id).values(state="needs_review", reason=reason)
    )
    return True


def _last_recorded_at(connection: sa.Connection) -> datetime.datetime | None:
    columns = (send.c.frozen_at, attempt.c.started_at, attempt.c.ended_at, journal.c.at)
    times = [connection.scalar(sa.select(sa.func.max(column))) for column in columns]
    return max(filter(None, times), default=None)
