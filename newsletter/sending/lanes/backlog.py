"""What the workers have before them, and what has gone wrong."""

from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import UtcDateTime, batch, send
from newsletter.sending.lanes.sweep import scheduled_due_condition
from newsletter.sending.lanes.worker_records import load_workers, select_sending_workers
from newsletter.sending.ledger.record import Ledger


class Backlog(NamedTuple):
    """What there is to do for all workers together.

    Attributes:
        unknown_batches: batches that may have been sent, of all sends.
        in_flight_batches: batches that a live sender holds.
        expired_leases: batches whose sender is dead, and that nobody has taken over yet.
        lag_seconds: how long the oldest batch that is due has been waiting; 0 if none is.
        live_workers: workers that take sends.
        sweepers: workers that do the periodic jobs.
    """

    unknown_batches: int
    in_flight_batches: int
    expired_leases: int
    lag_seconds: float
    live_workers: int
    sweepers: int


def load_backlog(ledger: Ledger) -> Backlog:
    """Return what the workers of a database on PostgreSQL have before them.

    A batch waits from when its send was frozen or scheduled, or from when it may be tried again. A
    scheduled send that is due and was not started counts too.

    Raises:
        DatabaseError: the database can't be read.
    """
    with read_transaction(ledger.engine) as connection:
        now = ledger.clock(connection)
        time = sa.literal(now, UtcDateTime)
        counts = connection.execute(
            sa.select(
                sa.func.count().filter(batch.c.state == "unknown"),
                sa.func.count().filter(batch.c.lease_until > time),
                sa.func.count().filter(batch.c.lease_until <= time),
            ).where(batch.c.state.in_(("unknown", "claimed", "in_flight")))
        ).one()
        started_at = sa.func.coalesce(send.c.scheduled_at, send.c.frozen_at)
        # PostgreSQL's greatest() leaves nulls out.
        due_at = sa.func.greatest(started_at, batch.c.retry_at, batch.c.available_at)
        oldest = connection.scalar(
            sa.select(sa.type_coerce(sa.func.min(due_at), UtcDateTime))
            .select_from(send)
            .join(batch, batch.c.send_id == send.c.id)
            .where(
                sa.or_(send.c.state == "running", scheduled_due_condition(time)),
                batch.c.state == "ready",
            )
        )
        workers = load_workers(connection, ledger.clock)
    return Backlog(
        *counts,
        lag_seconds=max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
        live_workers=len(select_sending_workers(workers)),
        sweepers=sum(record.is_live and record.does_periodic_jobs for record in workers),
    )
