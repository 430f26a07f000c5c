"""Make the open batches of a send unknown, and take that back."""

import datetime

import sqlalchemy as sa

from newsletter.db.schema import OPEN_BATCH_STATES, attempt, batch, event, send, send_recipient


def hold_send(
    connection: sa.Connection,
    send_id: int,
    reason: str,
    as_of: datetime.datetime,
    held_at: datetime.datetime,
) -> None:
    """Make the open batches of a send unknown, if there are any.

    Args:
        connection: in a transaction.
        send_id: the send.
        reason: why, as it is displayed.
        as_of: nothing that is not recorded here was sent before.
        held_at: the time.
    """
    is_open = sa.and_(batch.c.send_id == send_id, batch.c.state.in_(OPEN_BATCH_STATES))
    ids = connection.scalars(sa.select(batch.c.id).where(is_open)).all()
    if not ids:
        return
    in_batches = sa.select(batch.c.id).where(is_open)
    connection.execute(
        sa.update(attempt)
        .where(attempt.c.batch_id.in_(in_batches), attempt.c.ended_at.is_(None))
        .values(ended_at=held_at, outcome="unknown")
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
        sa.literal(held_at, attempt.c.ended_at.type),
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


def release_send(
    connection: sa.Connection,
    send_id: int,
    state: str,
    reason: str,
    held_at: datetime.datetime | None,
) -> None:
    """Take back what ``hold_send`` did to batches that were ready or claimed, and to the send.

    Args:
        connection: in a transaction.
        send_id: the send.
        state: the state in which it was.
        reason: why it had stopped, if it had.
        held_at: when it was held.
    """
    # An event that names the attempt is evidence all the same, and it is never deleted.
    is_held = _held_condition(held_at)
    released = connection.scalars(
        sa.update(batch)
        .where(
            batch.c.send_id == send_id,
            batch.c.state == "unknown",
            sa.exists().where(attempt.c.batch_id == batch.c.id, is_held),
        )
        .values(state="ready", error="")
        .returning(batch.c.id)
    ).all()
    if not released:
        return
    in_batches = sa.select(batch.c.id).where(batch.c.send_id == send_id, batch.c.state == "ready")
    connection.execute(
        sa.update(attempt)
        .where(attempt.c.batch_id.in_(in_batches), is_held)
        .values(outcome="not_sent")
    )
    connection.execute(
        sa.update(send_recipient)
        .where(send_recipient.c.batch_id.in_(in_batches), send_recipient.c.state == "unknown")
        .values(state="pending")
    )
    connection.execute(
        sa.update(send)
        .where(send.c.id == send_id, send.c.state == "needs_review")
        .values(state=state, reason=reason)
    )


def find_proven_sends(connection: sa.Connection, held_at: datetime.datetime | None) -> list[str]:
    """Return the issues of which a batch was sent that was ready or claimed when it was held.

    Events prove it: they name the attempt that ``hold_send`` has recorded.
    """
    is_proven = sa.exists().where(
        attempt.c.batch_id == batch.c.id,
        _held_condition(held_at),
        send_recipient.c.batch_id == batch.c.id,
        event.c.send_id == send.c.id,
        event.c.batch_id == batch.c.id,
        event.c.attempt_number >= attempt.c.number,
        # Another newsletter on the same account may use the same ids.
        event.c.address_key == send_recipient.c.address_key,
    )
    query = sa.select(send.c.issue).distinct().join(batch, batch.c.send_id == send.c.id)
    return [*connection.scalars(query.where(is_proven).order_by(send.c.issue))]


def _held_condition(held_at: datetime.datetime | None) -> sa.ColumnElement[bool]:
    return sa.and_(attempt.c.body_sha == "", attempt.c.ended_at == held_at)
