"""The disk of the database server is full in a send, or its connections are all taken."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from forked_command import ForkedCommand
from postgres_server import DISCONNECT_OTHERS, Server
from sender_process import PER_BATCH, READERS, SenderProject
from worker_process import running_worker

from newsletter.sending.rehearsal.fake_sendgrid import faults

BATCHES = READERS // PER_BATCH
ISSUE = "2026-12-01-letter"
# More than the first wait for a database, less than a lease.
OUTAGE_SECONDS = 1.5
# What a send writes for each batch: table, one of its columns.
WRITTEN = (("attempt", "number"), ("batch", "number"), ("send_recipient", "error"))
NEW_ROW_VERSION = "UPDATE {0} SET {1} = {1} WHERE ctid = (SELECT min(ctid) FROM {0})"


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture
def database(postgres_url: str) -> str:
    return str(sa.make_url(postgres_url).database)


@pytest.fixture
def small_disk(postgres_server: Server, database: str) -> Iterator[Path]:
    """A file system of its own for what a send writes; the server's log is elsewhere."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as name:
        mounting = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", name]
        if subprocess.run(mounting, check=False, capture_output=True).returncode:
            pytest.skip("no file system can be mounted here")
        try:
            if postgres_server.account:
                shutil.chown(name, postgres_server.account)
            postgres_server.execute(f"CREATE TABLESPACE small LOCATION '{name}'")
            move_tables(postgres_server, database, "small")
            yield Path(name)
            move_tables(postgres_server, database, "pg_default")
            postgres_server.execute("DROP TABLESPACE small")
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)


def move_tables(server: Server, database: str, tablespace: str) -> None:
    with server.connected(database) as connection:
        connection.exec_driver_sql(DISCONNECT_OTHERS)
        for table, _ in WRITTEN:
            connection.exec_driver_sql(f"ALTER TABLE {table} SET TABLESPACE {tablespace}")


@contextmanager
def filled(disk: Path, server: Server, database: str) -> Iterator[None]:
    """Leave no room on a file system, as another program does, nor in the tables' last pages."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    with server.connected(database) as old, server.connected(database) as connection:
        # As long as it sees the old rows, there is no room for new ones in their place.
        old.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM batch")
        for table in WRITTEN:
            with suppress(sa.exc.DBAPIError):
                while True:
                    connection.exec_driver_sql(NEW_ROW_VERSION.format(*table))
        yield
        ballast.unlink()
        old.exec_driver_sql("ROLLBACK")


@contextmanager
def no_connection_left(server: Server, database: str) -> Iterator[None]:
    """Take all connections that the server has, in place of those of the sender."""
    with server.connected(database) as control, ExitStack() as taken:
        for _ in range(2):
            control.exec_driver_sql(DISCONNECT_OTHERS)
            server.take_connections(taken)
        yield


@contextmanager
def started(sender_project: SenderProject, sends: str) -> Iterator[ForkedCommand]:
    """Start a send, by a worker or without one; some requests were made within the context."""
    sender_project.write_issue(ISSUE)
    sender_project.double.inject_faults(*[faults.slow_response(0.1)] * 20)
    with ExitStack() as stack:
        if sends == "worker":
            sender = stack.enter_context(running_worker(sender_project, "--concurrency", "2"))
            assert sender_project.run("send", ISSUE, "--yes")[0] == 0
        else:
            sender = sender_project.start("send", ISSUE, "--yes", "--concurrency", "2")
        sender_project.double.wait_for_requests(4)
        yield sender
        code, output = sender_project.run("status", ISSUE, "--watch")
        assert code == 0, output


def let_last(sender: ForkedCommand) -> None:
    with suppress(subprocess.TimeoutExpired):
        sender.wait(OUTAGE_SECONDS)


def check_each_has_one_copy(sender_project: SenderProject, sender: ForkedCommand, log: str) -> None:
    text = " ".join(sender.communicate(timeout=60)[1].split())
    assert log in text, text
    assert "bug" not in text
    assert sender_project.states(ISSUE) == {"accepted": READERS}
    counts = sender_project.count_copies(ISSUE)
    assert set(counts.values()) == {1}
    assert len(counts) == READERS


@pytest.mark.parametrize("sends", ["worker", "in process"])
def test_sender_waits_until_there_is_room_on_the_disk(
    small_disk: Path,
    sender_project: SenderProject,
    postgres_server: Server,
    database: str,
    sends: str,
) -> None:
    with (
        started(sender_project, sends) as sender,
        filled(small_disk, postgres_server, database),
    ):
        let_last(sender)
        sent = len(sender_project.double.requests)
        let_last(sender)
        assert len(sender_project.double.requests) == sent < BATCHES
    check_each_has_one_copy(sender_project, sender, "the disk of the PostgreSQL server is full")


def test_lane_waits_for_a_connection(
    sender_project: SenderProject, postgres_server: Server, database: str
) -> None:
    with (
        started(sender_project, "worker") as sender,
        no_connection_left(postgres_server, database),
    ):
        let_last(sender)
        sent = len(sender_project.double.requests)
        let_last(sender)
        assert len(sender_project.double.requests) == sent < BATCHES
    check_each_has_one_copy(sender_project, sender, "the database can be written again")


def test_commands_and_a_starting_worker_say_what_to_do(
    sender_project: SenderProject, postgres_server: Server, database: str
) -> None:
    with no_connection_left(postgres_server, database):
        for command in ("status", "worker"):
            code, output = sender_project.run(command)
            words = " ".join(output.split())
            assert (code, "raise the server's max_connections" in words) == (1, True), output
            assert "Traceback" not in output
