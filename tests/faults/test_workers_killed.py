"""kill -9 of workers at random points: the others go on, nobody gets the email twice."""

import os
import random
import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa
from forked_command import ForkedCommand
from sender_process import READERS, SenderProject
from worker_process import running_worker

from newsletter.db import database_engine
from newsletter.db.schema import batch
from newsletter.sending.lanes.sweep import sweep
from newsletter.sending.ledger.record import Ledger

# The full number is for `make faults`; each kill costs a few seconds.
KILLS = int(os.environ.get("FAULTS_KILLS", "2"))


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


def test_a_killed_worker_never_duplicates_or_loses_an_email(
    sender_project: SenderProject, tmp_path: Path
) -> None:
    rng = random.Random(20261202)
    with running_worker(sender_project, "--concurrency", "2"):
        for number in range(KILLS):
            issue = f"2026-12-01-letter-{number:03}"
            sender_project.write_issue(issue)
            with running_worker(sender_project, "--concurrency", "2") as killed:
                request_count = len(sender_project.double.requests)
                send = sender_project.start("send", issue, "--yes", "--wait", "--json")
                sender_project.double.wait_for_requests(request_count + 1 + rng.randrange(20))
                killed.kill()
                wait_for_end(sender_project, send)
            resolve_unknown(sender_project, issue, tmp_path / "events.jsonl")
            counts = sender_project.count_copies(issue)
            assert set(counts.values()) == {1}
            assert len(counts) == READERS
            assert sender_project.states(issue) == {"accepted": READERS}


def wait_for_end(sender_project: SenderProject, send: ForkedCommand) -> None:
    """Wait until the send is over; once only the killed worker's batches are held, free them."""
    held = None
    with database_engine(sender_project.url, sender_project.folder) as engine:
        while True:
            try:
                send.communicate(timeout=1)
            except subprocess.TimeoutExpired:
                # What a live worker holds changes within a second.
                if held == (held := load_held_batches(engine)):
                    sender_project.let_leases_end()
                    sweep(Ledger(engine))  # as a worker does every few seconds
            else:
                return


def load_held_batches(engine: sa.Engine) -> list[tuple[int, int]]:
    """Return the id and fence of each batch that a worker holds."""
    query = sa.select(batch.c.id, batch.c.fence).where(batch.c.lease_until.is_not(None))
    with engine.connect() as connection:
        return [(row.id, row.fence) for row in connection.execute(query.order_by(batch.c.id))]


def resolve_unknown(sender_project: SenderProject, issue: str, events: Path) -> None:
    """Resolve what is unknown by the provider's events; what has none is sent again."""
    sender_project.write_events(events)
    code, output = sender_project.run("reconcile", issue, "--events", str(events))
    assert code in {0, 1, 3}, output
    if sender_project.states(issue)["unknown"]:
        code, output = sender_project.run("resolve", issue, "--resend", "--yes")
        assert code == 0, output
        code, output = sender_project.run("send", issue, "--yes", "--wait", "--json")
        assert code == 0, output
