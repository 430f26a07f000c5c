"""A worker's record while it runs."""

import datetime
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db.schema import setting
from newsletter.db.schema import worker as worker_table
from newsletter.project import open_project
from newsletter.sending.lanes.worker_records import (
    add_worker,
    list_workers,
    select_sending_workers,
)
from newsletter.sending.ledger.heartbeat import load_heartbeats
from newsletter.sending.ledger.record import Ledger
from newsletter.web.site_context import open_site
from newsletter.worker.run_worker import run_worker
from newsletter.worker.worker_context import WorkerContext


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture
def worker(project_folder: Path, engine: sa.Engine) -> WorkerContext:
    client: Any = None
    site = open_site(open_project(project_folder), engine)
    return WorkerContext(site, Ledger(engine), client, concurrency=7)


def run_in_thread(worker: WorkerContext, queues: Collection[str]) -> None:
    """Run a worker: the main thread of a test run may have an event loop, that of a browser."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(run_worker, worker, queues, lambda: None).result()


def test_nothing_is_handed_to_a_worker_that_completes_what_is_in_flight(
    worker: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[tuple[int, bool, bool]] = []

    async def stop(_: WorkerContext, _id: int, _queues: Collection[str]) -> None:
        """Stand in for the loops: the worker is told to stop, and its requests take a while."""
        for is_stopping in (False, True):
            if is_stopping:
                worker.stopping.set()
            while bool(select_sending_workers(list_workers(worker.ledger))) == is_stopping:
                pass
            [record] = list_workers(worker.ledger)
            states.append((record.concurrency, record.does_periodic_jobs, record.is_live))

    monkeypatch.setattr("newsletter.worker.run_worker._run_loops", stop)
    run_in_thread(worker, ("sends", "periodic"))
    assert states == [(7, True, True), (0, False, True)]
    assert list_workers(worker.ledger) == []


def test_a_worker_that_was_forgotten_is_recorded_again(
    worker: WorkerContext, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = worker.ledger
    seen: list[tuple[bool, int]] = []

    async def forget(_: WorkerContext, worker_id: int, _queues: Collection[str]) -> None:
        """Stand in for the loops: delete the record, and wait until it is there again."""
        with engine.begin() as connection:
            connection.execute(sa.delete(worker_table))
        while not (records := list_workers(ledger)):
            pass
        seen.extend((record.id == worker_id, record.concurrency) for record in records)

    interval = datetime.timedelta(milliseconds=10)
    monkeypatch.setattr("newsletter.worker.kept_record.RENEWAL_INTERVAL", interval)
    monkeypatch.setattr("newsletter.worker.run_worker._run_loops", forget)
    run_in_thread(worker, ("sends",))
    assert seen == [(True, 7)]
    assert list_workers(ledger) == []


# The queues of a worker that is live already, of the one that starts, and whether sends that are
# scheduled are started then: it takes one that wakes the workers, and one that sends.
STARTERS = (
    ((), ("sends", "periodic"), True),
    ((), ("sends",), False),
    ((), ("periodic",), False),
    (("periodic",), ("periodic",), False),
    (("sends",), ("periodic",), True),
)


def test_a_worker_says_that_it_starts_sends_only_if_one_takes_them(
    worker: WorkerContext, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stop_at_once(*_: object) -> None:
        pass

    monkeypatch.setattr("newsletter.worker.run_worker._run_loops", stop_at_once)
    for others, queues, starts in STARTERS:
        with engine.begin() as connection:
            connection.execute(sa.delete(setting).where(setting.c.key == "heartbeat.worker"))
            connection.execute(sa.delete(worker_table))
        if others:
            add_worker(worker.ledger, "mail1:4211", 16 if "sends" in others else 0)
        worker.stopping.clear()
        run_in_thread(worker, queues)
        assert bool(load_heartbeats(worker.ledger)) == starts, (others, queues)
