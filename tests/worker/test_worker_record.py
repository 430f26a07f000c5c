"""A worker's record while it runs."""

import datetime
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db.schema import worker as worker_table
from newsletter.project import open_project
from newsletter.sending.lanes.worker_records import list_workers
from newsletter.sending.ledger.record import Ledger
from newsletter.web.site_context import open_site
from newsletter.worker.run_worker import run_worker
from newsletter.worker.worker_context import WorkerContext


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


def test_a_worker_that_was_forgotten_is_recorded_again(
    project_folder: Path, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(engine)
    client: Any = None
    worker = WorkerContext(
        open_site(open_project(project_folder), engine), ledger, client, concurrency=7
    )
    seen: list[tuple[bool, int]] = []

    async def forget(_: WorkerContext, worker_id: int, _queues: Collection[str]) -> None:
        """Stand in for the loops: delete the record, and wait until it is there again."""
        with engine.begin() as connection:
            connection.execute(sa.delete(worker_table))
        while not (records := list_workers(ledger)):
            pass
        seen.extend((record.id == worker_id, record.concurrency) for record in records)

    interval = datetime.timedelta(milliseconds=10)
    monkeypatch.setattr("newsletter.worker.run_worker.RENEWAL_INTERVAL", interval)
    monkeypatch.setattr("newsletter.worker.run_worker._run_loops", forget)
    run_worker(worker, ("sends",), lambda: None)
    assert seen == [(True, 7)]
    assert list_workers(ledger) == []
