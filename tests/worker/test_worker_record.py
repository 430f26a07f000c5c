"""A worker's record while it runs."""

import datetime
import logging
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from procrastinate.testing import InMemoryConnector

from newsletter.backup.retired_database import retire
from newsletter.db.schema import VERSION_TABLE, setting
from newsletter.db.schema import worker as worker_table
from newsletter.errors import DatabaseError, DatabaseUnavailableError
from newsletter.project import open_project
from newsletter.sending.lanes.worker_records import (
    add_worker,
    list_workers,
    select_sending_workers,
)
from newsletter.sending.ledger.heartbeat import load_heartbeats
from newsletter.sending.ledger.record import Ledger
from newsletter.web.site_context import open_site
from newsletter.worker.app import make_job_app
from newsletter.worker.lane import run_lane
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


def upgrade(connection: sa.Connection) -> None:
    version = sa.table(VERSION_TABLE, sa.column("version_num"))
    connection.execute(sa.update(version).values(version_num="9999"))


def copy_elsewhere(connection: sa.Connection) -> None:
    retire(connection, {"url": "postgresql://db2/list", "at": "2026-12-01T09:00", "token": "t"})


def rename_column(connection: sa.Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE worker RENAME COLUMN seen_at TO last_seen_at")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (upgrade, "to schema version 9999"),
        (copy_elsewhere, "retired. Set database: in newsletter.yml to the other one"),
        (rename_column, "the tables do not fit this version of newsletter"),
    ],
)
def test_a_worker_stops_once_its_database_is_not_one_for_it_any_more_and_says_why_once(
    worker: WorkerContext,
    engine: sa.Engine,
    change: Callable[[sa.Connection], None],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    takes_sends = list[bool]()

    async def complete_requests(*_: object) -> None:
        """Stand in for the loops: the requests in flight take a while, and renew its record."""
        with engine.begin() as connection:
            change(connection)
        assert worker.stopping.wait(60)
        while change is upgrade and select_sending_workers(list_workers(worker.ledger)):
            pass
        takes_sends.append(False)

    interval = datetime.timedelta(milliseconds=10)
    monkeypatch.setattr("newsletter.worker.kept_record.RENEWAL_INTERVAL", interval)
    monkeypatch.setattr("newsletter.worker.run_worker._run_loops", complete_requests)
    run_in_thread(worker, ("sends", "periodic"))
    assert takes_sends == [False]
    assert words in str(worker.stopping.cause)
    [record] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert (record.levelname, words in record.message) == ("ERROR", True)


def rename_send_column(connection: sa.Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE send RENAME COLUMN scheduled_at TO goes_at")


def run_sweep(worker: WorkerContext) -> None:
    make_job_app(worker, InMemoryConnector()).tasks["newsletter.sweep"](timestamp=0)


@pytest.mark.parametrize(
    ("change", "run_job"),
    [
        (copy_elsewhere, run_sweep),
        (rename_send_column, run_sweep),
        (rename_send_column, lambda worker: run_lane(worker, 1)),
    ],
)
def test_a_job_that_meets_such_a_database_stops_the_worker(
    worker: WorkerContext,
    engine: sa.Engine,
    change: Callable[[sa.Connection], None],
    run_job: Callable[[WorkerContext], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with engine.begin() as connection:
        change(connection)
    for _ in range(2):  # each would fail again every few seconds
        run_job(worker)
    assert worker.stopping.cause
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_an_outage_of_the_database_is_told_once_and_ends_no_worker(
    worker: WorkerContext, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    errors = [
        DatabaseUnavailableError("the server is restarting"),
        DatabaseUnavailableError("too many connections"),
        DatabaseUnavailableError("the server is restarting"),
        DatabaseError("the role may not do this"),
    ]

    def fail(*_: object, **__: object) -> bool:
        if errors:
            raise errors.pop(0)
        worker.stopping.set()
        return True

    async def wait(*_: object) -> None:
        assert worker.stopping.wait(60)

    interval = datetime.timedelta(milliseconds=10)
    monkeypatch.setattr("newsletter.worker.kept_record.RENEWAL_INTERVAL", interval)
    monkeypatch.setattr("newsletter.worker.kept_record.renew_worker", fail)
    monkeypatch.setattr("newsletter.worker.run_worker._run_loops", wait)
    run_in_thread(worker, ("sends",))
    assert worker.stopping.cause is None
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 3
