"""Sweep the ledger: take over from dead senders, wake the workers.

One worker does it every few seconds. It looks at the ledger alone, so a job that was lost costs
seconds, and never a batch.
"""

import datetime
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import OPEN_BATCH_STATES, UtcDateTime, batch, send, worker
from newsletter.sending.lanes.lane_jobs import defer_lanes, delete_abandoned_lanes
from newsletter.sending.lanes.worker_records import (
    REMEMBERED_FOR,
    load_workers,
    select_sending_workers,
)
from newsletter.sending.ledger.leases import expire_leases
from newsletter.sending.ledger.provider_pause import provider_paused_condition
from newsletter.sending.ledger.record import Ledger, load_sends


class SweepResult(NamedTuple):
    """What a sweep has done.

    Attributes:
        unknown_recipients: how many recipients of dead senders became unknown.
        lanes: how many lanes were deferred.
    """

    unknown_recipients: int
    lanes: int


def sweep(ledger: Ledger) -> SweepResult:
    """Expire the leases of dead senders, and defer the lanes that are missing.

    Lanes are missing for a send that is due, has a batch that can be claimed, or has no open batch
    and was not finished; unless a lane of it is queued or running for every live worker.
    """
    with read_transaction(ledger.engine) as connection:
        running = load_sends(connection, send.c.state == "running")
    unknown = sum(expire_leases(ledger, running_send) for running_send in running)
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        time = sa.literal(now, UtcDateTime)
        connection.execute(sa.delete(worker).where(worker.c.seen_at < now - REMEMBERED_FOR))
        delete_abandoned_lanes(connection)
        workers = select_sending_workers(load_workers(connection, ledger.clock))
        worker_ids = [record.id for record in workers]
        waiting = load_sends(connection, _needs_lanes(time))
        lanes = sum(defer_lanes(connection, found.id, worker_ids) for found in waiting)
    return SweepResult(unknown, lanes)


def scheduled_due_condition(
    time: sa.BindParameter[datetime.datetime],
) -> sa.ColumnElement[bool]:
    """Return the SQL condition that a send waits here, and its time has come."""
    return sa.and_(
        send.c.state == "frozen", send.c.scheduled_at <= time, send.c.provider_batch_id == ""
    )


def _needs_lanes(time: sa.BindParameter[datetime.datetime]) -> sa.ColumnElement[bool]:
    in_send = batch.c.send_id == send.c.id
    is_open = sa.exists().where(in_send, batch.c.state.in_(OPEN_BATCH_STATES))
    can_be_claimed = sa.exists().where(
        in_send,
        batch.c.state == "ready",
        sa.or_(batch.c.retry_at.is_(None), batch.c.retry_at <= time),
        sa.or_(batch.c.available_at.is_(None), batch.c.available_at <= time),
    )
    has_work = sa.and_(can_be_claimed, ~provider_paused_condition(time))
    in_progress = sa.and_(send.c.state == "running", sa.or_(has_work, ~is_open))
    return sa.or_(scheduled_due_condition(time), in_progress)
