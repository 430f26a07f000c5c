"""Claim ready batches for this sender, within the hourly limit."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from newsletter.db.migrate import IS_CURRENT_SCHEMA, require_current_schema
from newsletter.db.postgresql.timeline import SameTimeline
from newsletter.db.schema import attempt, batch, send
from newsletter.sending.delivery.hourly_limit import consume_hourly_limit
from newsletter.sending.ledger.copied_database import require_same_server
from newsletter.sending.ledger.provider_pause import provider_paused_condition
from newsletter.sending.ledger.record import Ledger, Send


@dataclass(frozen=True, slots=True)
class ClaimedBatch:
    """A batch that this sender has claimed.

    Attributes:
        id: in the ledger.
        send_id: the id of its send.
        number: 1 for the send's first batch.
        failed_attempts: how many failed attempts count against its limit.
        attempt_number: the number of its next attempt.
        fence: grows with every claim; a sender with an old fence has lost the batch.
        variant: what it may be tracked for, as in ``newsletter.subscribers.tracking_groups``.
        topic: of its send; ``""`` for none.
    """

    id: int
    send_id: int
    number: int
    failed_attempts: int
    attempt_number: int
    fence: int
    variant: str = ""
    topic: str = ""


# Built once: building a statement takes longer than executing it.
_is_due = sa.and_(
    sa.or_(batch.c.retry_at.is_(None), batch.c.retry_at <= sa.bindparam("now")),
    sa.or_(batch.c.available_at.is_(None), batch.c.available_at <= sa.bindparam("now")),
)


def _make_claim(*order: sa.ColumnElement[Any]) -> sa.UpdateBase:
    """Return the statement that claims the next ready batches, in an order."""
    ready_batches = (
        sa.select(batch.c.id)
        .where(
            batch.c.send_id == sa.bindparam("b_send"),
            batch.c.state == "ready",
            _is_due,
            sa.exists().where(send.c.id == sa.bindparam("b_send"), send.c.state == "running"),
            ~provider_paused_condition(sa.bindparam("now")),
            SameTimeline(),
            IS_CURRENT_SCHEMA,
        )
        .order_by(*order)
        .limit(sa.bindparam("limit"))
        .with_for_update(skip_locked=True)
        # A CTE is evaluated once; a subquery might be evaluated again for each row, and lock other
        # rows each time.
        .cte()
    )
    return (
        sa.update(batch)
        .where(batch.c.id.in_(sa.select(ready_batches.c.id)), batch.c.state == "ready")
        .values(state="claimed", fence=batch.c.fence + 1, lease_until=sa.bindparam("lease_until"))
        .returning(
            batch.c.id,
            batch.c.number,
            batch.c.attempts,
            batch.c.fence,
            batch.c.size,
            batch.c.variant,
        )
    )


_CLAIM_BATCHES = _make_claim(batch.c.id)
# It sorts all ready batches.
_CLAIM_SMALLEST_BATCHES = _make_claim(batch.c.size, batch.c.id)
_LAST_ATTEMPTS = (
    sa.select(attempt.c.batch_id, sa.func.max(attempt.c.number))
    .where(attempt.c.batch_id.in_(sa.bindparam("ids", expanding=True)))
    .group_by(attempt.c.batch_id)
)


def claim_batches(
    ledger: Ledger, send_record: Send, limit: int = 1, *, smallest_first: bool = False
) -> list[ClaimedBatch]:
    """Claim the next ready batches of a running send; no other sender gets them.

    Args:
        ledger: the ledger.
        send_record: the send.
        limit: how many at most.
        smallest_first: whether to take the smallest first: the halves of a refused batch, so that
            its cause is found after a few requests.

    Raises:
        SendRefusedError: the database has failed over, and may lack what was sent last.
        DatabaseChangedError: another version of the program has upgraded its schema.
    """
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        values = {
            "b_send": send_record.id,
            "now": now,
            "limit": limit,
            "lease_until": now + ledger.lease,
        }
        claim = _CLAIM_SMALLEST_BATCHES if smallest_first else _CLAIM_BATCHES
        rows = connection.execute(claim, values).all()
        if not rows:
            require_same_server(connection)
            require_current_schema(connection)
        rows = _apply_hourly_limit(connection, send_record, sorted(rows), now)
        ids = [row.id for row in rows]
        last_attempts: dict[int, int] = (
            dict(connection.execute(_LAST_ATTEMPTS, {"ids": ids}).all()) if ids else {}
        )
    return [
        ClaimedBatch(
            id=row.id,
            send_id=send_record.id,
            number=row.number,
            failed_attempts=row.attempts,
            attempt_number=last_attempts.get(row.id, 0) + 1,
            fence=row.fence,
            variant=row.variant,
            topic=send_record.topic,
        )
        for row in rows
    ]


def _apply_hourly_limit(
    connection: sa.Connection,
    send_record: Send,
    claimed_rows: Sequence[sa.Row[tuple[int, int, int, int, int, str]]],
    now: datetime.datetime,
) -> list[sa.Row[tuple[int, int, int, int, int, str]]]:
    """Return the claimed batches that may be sent in this hour; release the others."""
    for index, row in enumerate(claimed_rows if send_record.limit_per_hour else ()):
        if available_at := consume_hourly_limit(connection, send_record, row.size, now):
            excess_ids = [excess.id for excess in claimed_rows[index:]]
            connection.execute(
                sa.update(batch)
                .where(batch.c.id.in_(excess_ids))
                .values(state="ready", lease_until=None, available_at=available_at)
            )
            return list(claimed_rows[:index])
    return list(claimed_rows)
