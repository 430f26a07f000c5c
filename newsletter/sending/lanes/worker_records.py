"""Records of the running workers, and of what each has done.

A worker is a program that sends what others have planned; several machines may run one. Each
renews its record every few seconds, by the clock of the database.
"""

import datetime
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import sqlalchemy as sa

from newsletter import __version__
from newsletter.db import read_transaction
from newsletter.db.schema import worker
from newsletter.errors import Problem
from newsletter.sending.ledger.record import Clock, Ledger

RENEWAL_INTERVAL = datetime.timedelta(seconds=5)
# After so long without a renewal, nothing is handed to it any more.
LIVE_FOR = datetime.timedelta(seconds=20)
# After so long it is forgotten: it was killed, or its machine is gone.
REMEMBERED_FOR = datetime.timedelta(hours=1)

# Of workers that take sends. ``impossible``: the database is one that no worker shares; ``lost``:
# none is live, and one was killed or cut off lately; ``other``: one is live that does other jobs.
# Who stops a worker leaves no record.
WorkerPresence = Literal["impossible", "live", "lost", "other", "none"]


class WorkerActivity(NamedTuple):
    """What a worker has done since its start.

    Attributes:
        requests: how many requests the provider has responded to, or failed to.
        recipients: how many recipients were completed.
        request_seconds: how long the requests took together.
    """

    requests: int = 0
    recipients: int = 0
    request_seconds: float = 0.0


class WorkerRecord(NamedTuple):
    """A worker, as it is on record.

    Attributes:
        id: never used again.
        name: its machine and process.
        version: of the newsletter's program.
        concurrency: requests in flight at once for each send; 0 if it takes no sends.
        does_periodic_jobs: whether it sweeps, and starts what is scheduled.
        started_at: when it was started.
        seen_at: when it has last renewed its record.
        activity: what it has done.
        is_live: whether it has been seen lately.
    """

    id: int
    name: str
    version: str
    concurrency: int
    does_periodic_jobs: bool
    started_at: datetime.datetime
    seen_at: datetime.datetime
    activity: WorkerActivity
    is_live: bool

    @property
    def takes_jobs(self) -> bool:
        """Whether jobs are handed to it: it is live, and not stopping."""
        return self.is_live and (self.concurrency > 0 or self.does_periodic_jobs)


def add_worker(
    ledger: Ledger,
    name: str,
    concurrency: int,
    *,
    does_periodic_jobs: bool = True,
    worker_id: int | None = None,
) -> int:
    """Record a worker that starts, and return its id; forget those that are long gone.

    Args:
        ledger: the ledger.
        name: its machine and process.
        concurrency: requests in flight at once for each send; 0 if it takes no sends.
        does_periodic_jobs: whether it sweeps, and starts what is scheduled.
        worker_id: its id, if it was on record before and is forgotten.
    """
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        connection.execute(sa.delete(worker).where(worker.c.seen_at < now - REMEMBERED_FOR))
        row = {
            "name": name,
            "version": __version__,
            "concurrency": concurrency,
            "does_periodic_jobs": does_periodic_jobs,
            "started_at": now,
            "seen_at": now,
            **({} if worker_id is None else {"id": worker_id}),
        }
        new_id: int = connection.execute(
            sa.insert(worker).values(row).returning(worker.c.id)
        ).scalar_one()
    return new_id


def renew_worker(
    ledger: Ledger, worker_id: int, activity: WorkerActivity, *, is_stopping: bool = False
) -> bool:
    """Record that a worker is there, and what it has done.

    Args:
        ledger: the ledger.
        worker_id: the worker.
        activity: what it has done.
        is_stopping: whether it only completes what is in flight, and takes no jobs any more.

    Returns:
        Whether it is still on record.
    """
    with ledger.engine.begin() as connection:
        values = {"seen_at": ledger.clock(connection), **activity._asdict()}
        if is_stopping:
            values |= {"concurrency": 0, "does_periodic_jobs": False}
        renewed = connection.execute(
            sa.update(worker).where(worker.c.id == worker_id).values(values)
        )
    return renewed.rowcount == 1


def remove_worker(ledger: Ledger, worker_id: int) -> None:
    """Delete the record of a worker that has stopped."""
    with ledger.engine.begin() as connection:
        connection.execute(sa.delete(worker).where(worker.c.id == worker_id))


def list_workers(ledger: Ledger) -> list[WorkerRecord]:
    """Return the workers on record, in the order of their start."""
    with read_transaction(ledger.engine) as connection:
        return load_workers(connection, ledger.clock)


def load_workers(connection: sa.Connection, clock: Clock) -> list[WorkerRecord]:
    """Return the workers on record as part of a transaction, in the order of their start."""
    now = clock(connection)
    return [
        WorkerRecord(
            id=row.id,
            name=row.name,
            version=row.version,
            concurrency=row.concurrency,
            does_periodic_jobs=row.does_periodic_jobs,
            started_at=row.started_at,
            seen_at=row.seen_at,
            activity=WorkerActivity(row.requests, row.recipients, row.request_seconds),
            # One that was seen in the future is from another server, or its clock was set back.
            is_live=abs(now - row.seen_at) <= LIVE_FOR,
        )
        for row in connection.execute(sa.select(worker).order_by(worker.c.id))
    ]


def select_sending_workers(workers: Sequence[WorkerRecord]) -> list[WorkerRecord]:
    """Return those that are live and take sends."""
    return [record for record in workers if record.is_live and record.concurrency]


def lacks_sweeper(workers: Sequence[WorkerRecord]) -> bool:
    """Return whether no live worker does the periodic jobs."""
    return not any(record.is_live and record.does_periodic_jobs for record in workers)


def find_missing_workers(workers: Sequence[WorkerRecord]) -> Iterator[Problem]:
    """Yield what no worker does, if any takes jobs: each may do only a part."""
    if not any(record.takes_jobs for record in workers):
        return
    if lacks_sweeper(workers):
        yield Problem(
            "no worker does the periodic jobs, so none starts what is scheduled, and a send that "
            "pauses, or whose worker is killed, does not go on",
            remedy="Start one with: newsletter worker --queues periodic",
        )
    if not select_sending_workers(workers):
        yield Problem(
            "no worker takes part in sends, so none starts what is scheduled, and newsletter send "
            "sends by itself",
            remedy="Start one with: newsletter worker --queues sends",
        )


def lacks_worker(ledger: Ledger) -> bool:
    """Return whether workers can share the database, and none that takes sends is live."""
    return get_worker_presence(ledger) not in {"impossible", "live"}


def get_worker_presence(ledger: Ledger) -> WorkerPresence:
    """Return whether a worker that takes sends is live."""
    if ledger.engine.dialect.name != "postgresql":
        return "impossible"
    with read_transaction(ledger.engine) as connection:
        workers, now = load_workers(connection, ledger.clock), ledger.clock(connection)
    if select_sending_workers(workers):
        return "live"
    recent = now - REMEMBERED_FOR
    was_there = any(record.concurrency and record.seen_at > recent for record in workers)
    if was_there:
        return "lost"
    return "other" if any(record.takes_jobs for record in workers) else "none"
