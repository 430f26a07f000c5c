"""Lane jobs: wake the workers for a send.

A lane is one worker's part in one send: it claims batches from the ledger until none is ready. The
ledger alone knows what was sent, so a job that is lost, late or run twice does no harm. Each worker
has a queue of its own, so that every live worker takes part in every send.
"""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import sqlalchemy as sa

from newsletter.sending.lanes.worker_records import load_workers, select_sending_workers
from newsletter.sending.ledger.record import (
    STARTABLE_STATES,
    Ledger,
    Send,
    start_send_in_transaction,
)

if TYPE_CHECKING:
    from procrastinate import App

LANE_TASK = "newsletter.deliver_lane"
# procrastinate's documented names of tables and states. There is one row a job that is not over.
_OPEN_LANES = sa.text(
    "SELECT queueing_lock FROM procrastinate_jobs "
    "WHERE task_name = :task AND status IN ('todo', 'doing')"
)

_DELETE_ABANDONED_LANES = sa.text(
    "DELETE FROM procrastinate_jobs WHERE task_name = :task AND NOT EXISTS "
    "(SELECT FROM worker WHERE queue_name = 'sends-' || worker.id)"
)
# Of several transactions that look for missing lanes, one at a time; any number of our own.
_LOCK_LANES = sa.select(sa.func.pg_advisory_xact_lock(0x6E6577736D))


def get_queue_name(worker_id: int) -> str:
    """Return the name of a worker's own queue."""
    return f"sends-{worker_id}"


def has_workers(engine: sa.Engine) -> bool:
    """Return whether the database is one that workers of several machines share."""
    return engine.dialect.name == "postgresql"


def hand_over_send(
    ledger: Ledger, send_record: Send, from_states: Collection[str] = STARTABLE_STATES
) -> int:
    """Start a send and wake every live worker for it, in one transaction.

    Args:
        ledger: the ledger.
        send_record: the send.
        from_states: a send in another state is left as it is.

    Returns:
        How many workers send it; 0 if none is live, and nothing was done.

    Raises:
        SendRefusedError: the database is a copy that has not been adopted; or another command has
            replaced the plan, or changed when it goes.
    """
    if not has_workers(ledger.engine):
        return 0
    with ledger.engine.begin() as connection:
        workers = select_sending_workers(load_workers(connection, ledger.clock))
        if not workers:
            return 0
        start_send_in_transaction(connection, send_record, from_states)
        defer_lanes(connection, send_record.id, [record.id for record in workers])
    return len(workers)


def defer_lanes(connection: sa.Connection, send_id: int, worker_ids: Sequence[int]) -> int:
    """Defer a lane of a send for each worker that has none yet; return how many.

    Args:
        connection: in a transaction on PostgreSQL, of which the jobs become a part.
        send_id: the send.
        worker_ids: the workers to wake.
    """
    connection.execute(_LOCK_LANES)
    open_lanes = set(connection.scalars(_OPEN_LANES, {"task": LANE_TASK}))
    missing = [
        worker_id for worker_id in worker_ids if _lane_name(send_id, worker_id) not in open_lanes
    ]
    for worker_id in missing:
        _app().configure_task(
            LANE_TASK,
            queue=get_queue_name(worker_id),
            queueing_lock=_lane_name(send_id, worker_id),
            connection=connection.connection.driver_connection,
        ).defer(send_id=send_id, worker_id=worker_id)
    return len(missing)


def delete_abandoned_lanes(connection: sa.Connection) -> None:
    """Delete the lanes of workers that are not on record any more: nobody fetches them."""
    connection.execute(_DELETE_ABANDONED_LANES, {"task": LANE_TASK})


def _lane_name(send_id: int, worker_id: int) -> str:
    return f"send {send_id}, worker {worker_id}"


@lru_cache(maxsize=1)
def _app() -> "App":
    """Return an app that is never opened: it defers jobs on connections of ours."""
    from procrastinate import App, SyncPsycopgConnector

    return App(connector=SyncPsycopgConnector())
