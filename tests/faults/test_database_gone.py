"""The database of the real sender is locked, or its server gone, at random points of a send."""

import contextlib
import os
import random
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager

import sqlalchemy as sa
from postgres_server import DISCONNECT_OTHERS
from sender_process import READERS, SenderProject

from newsletter.sending.rehearsal.fake_sendgrid import faults

# The full number is for `make faults`; each costs about four seconds.
OUTAGES = max(1, int(os.environ.get("FAULTS_KILLS", "1")) // 10)
# Less than SQLite waits for a lock; more than the first wait for a PostgreSQL server.
OUTAGE_SECONDS = 1.5


@contextmanager
def database_gone(sender_project: SenderProject) -> Iterator[None]:
    """Lock the file as another program does; or end all sessions and allow no new ones."""
    if sender_project.url.startswith("sqlite"):
        file = sender_project.folder / "newsletter.db"
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
        return
    url = sa.make_url(sender_project.url).set(drivername="postgresql+psycopg")
    target, server = (
        sa.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        for address in (url, url.set(database="postgres"))
    )
    allow = f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS"
    with target.connect() as session, server.connect() as connection:
        connection.exec_driver_sql(f"{allow} false")
        session.exec_driver_sql(DISCONNECT_OTHERS)
        yield
        connection.exec_driver_sql(f"{allow} true")


def test_sender_waits_for_its_database_and_sends_to_everybody_once(
    sender_project: SenderProject,
) -> None:
    rng = random.Random(20261203)
    for number in range(OUTAGES):
        issue = f"2026-12-01-letter-{number:03}"
        sender_project.write_issue(issue)
        count = len(sender_project.double.requests)
        concurrency = str(rng.choice((1, 2, 8)))
        sender_project.double.inject_faults(*[faults.slow_response(0.1)] * 16)
        sender = sender_project.start(
            "send", issue, "--yes", "--json", "--concurrency", concurrency
        )
        sender_project.double.wait_for_requests(count + 1 + rng.randrange(12))
        with database_gone(sender_project), contextlib.suppress(subprocess.TimeoutExpired):
            sender.wait(OUTAGE_SECONDS)
        output = sender.communicate(timeout=120)
        assert sender.returncode == 0, output
        if not sender_project.url.startswith("sqlite"):
            assert "the database can be written again; the send continues" in output[1]
        assert sender_project.states(issue) == {"accepted": READERS}
        counts = sender_project.count_copies(issue)
        assert set(counts.values()) == {1}
        assert len(counts) == READERS
