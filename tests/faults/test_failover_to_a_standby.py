"""The server is killed in mid-send, and a standby takes over that may lack the last commits."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from forked_command import ForkedCommand
from postgres_server import Server, server_in_new_folder
from sender_process import PER_BATCH, READERS, SenderProject
from worker_process import running_worker

from newsletter.sending.rehearsal.fake_sendgrid import faults

ISSUE = "2026-12-01-letter"
BATCHES = READERS // PER_BATCH
HELD = "the database has failed over to another server"


@pytest.fixture
def standby(postgres_server: Server, postgres_url: str) -> Iterator[Server]:
    """A standby of the server, which takes over; in the end the server is there again."""
    assert postgres_url
    with server_in_new_folder() as standby:
        standby.create_standby_of(postgres_server)
        standby.start()
        yield standby
        standby.stop()
        if not (postgres_server.folder / "data" / "postmaster.pid").exists():
            postgres_server.start()


@pytest.fixture
def database_url(postgres_server: Server, standby: Server, postgres_url: str) -> str:
    """The URL that docs/how-to/postgresql.md names for servers that fail over."""
    name = sa.make_url(postgres_url).database
    hosts = f"{postgres_server.folder},{standby.folder}"
    return f"postgresql://postgres@/{name}?host={hosts}&target_session_attrs=read-write"


def fail_over_without_the_last_commits(
    sender_project: SenderProject, primary: Server, standby: Server
) -> None:
    sender_project.double.wait_for_requests(4)
    standby.stop()  # what is committed from now on, it never gets
    sender_project.double.wait_for_requests(12)
    primary.stop()
    standby.start()
    standby.promote()


def switch_over(sender_project: SenderProject, primary: Server, standby: Server) -> None:
    sender_project.double.wait_for_requests(4)
    primary.stop("fast")
    standby.promote()


def wait_until_held(sender_project: SenderProject, standby: Server, sender: ForkedCommand) -> None:
    """Wait until the sender has held the send: no other command notices the failover here."""
    name = str(sa.make_url(sender_project.url).database)
    state = ""
    while state not in {"needs_review", "done"}:
        with suppress(subprocess.TimeoutExpired):
            sender.wait(0.1)
        with standby.connected(name) as connection:
            state = connection.exec_driver_sql("SELECT state FROM send").scalar_one()


def check_each_has_one_copy(sender_project: SenderProject) -> None:
    assert sender_project.states(ISSUE) == {"accepted": READERS}
    counts = sender_project.count_copies(ISSUE)
    assert set(counts.values()) == {1}
    assert len(counts) == READERS


@pytest.mark.parametrize("sends", ["worker", "in process"])
def test_nothing_that_the_lost_commits_recorded_is_sent_again(
    sender_project: SenderProject,
    postgres_server: Server,
    standby: Server,
    tmp_path: Path,
    sends: str,
) -> None:
    sender_project.write_issue(ISSUE)
    sender_project.double.inject_faults(*[faults.slow_response(0.1)] * BATCHES)
    if sends == "worker":
        with running_worker(sender_project, "--concurrency", "2") as sender:
            assert sender_project.run("send", ISSUE, "--yes")[0] == 0
            fail_over_without_the_last_commits(sender_project, postgres_server, standby)
            wait_until_held(sender_project, standby, sender)
        log = sender.communicate()[1]
    else:
        sender = sender_project.start("send", ISSUE, "--yes", "--concurrency", "2")
        fail_over_without_the_last_commits(sender_project, postgres_server, standby)
        log = sender.communicate(timeout=60)[1]
        assert sender.returncode == 1
    assert HELD in " ".join(log.split()), log
    sent = len(sender_project.double.requests)
    assert sent < BATCHES
    states = sender_project.states(ISSUE)
    assert set(states) == {"accepted", "unknown"}
    code, output = sender_project.run("resume", ISSUE)
    assert (code, HELD in " ".join(output.split())) == (1, True), output
    assert len(sender_project.double.requests) == sent

    assert sender_project.run("db", "adopt", "--yes")[0] == 0
    sender_project.write_events(tmp_path / "events.jsonl")
    sender_project.run("reconcile", ISSUE, "--events", str(tmp_path / "events.jsonl"))
    assert sender_project.states(ISSUE)["accepted"] == len(sender_project.double.accepted)
    assert sender_project.run("resolve", ISSUE, "--resend", "--yes")[0] == 0
    code, output = sender_project.run("resume", ISSUE)
    assert code == 0, output
    check_each_has_one_copy(sender_project)


def test_planned_switchover_goes_on_after_one_command(
    sender_project: SenderProject, postgres_server: Server, standby: Server
) -> None:
    sender_project.write_issue(ISSUE)
    sender_project.double.inject_faults(*[faults.slow_response(0.1)] * BATCHES)
    with running_worker(sender_project, "--concurrency", "2") as worker:
        assert sender_project.run("send", ISSUE, "--yes")[0] == 0
        switch_over(sender_project, postgres_server, standby)
        wait_until_held(sender_project, standby, worker)
        code, output = sender_project.run("db", "adopt", "--nothing-lost", "--yes")
        assert code == 0, output
        code, output = sender_project.run("status", ISSUE, "--watch")
        assert code == 0, output
    check_each_has_one_copy(sender_project)
