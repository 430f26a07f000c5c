"""``newsletter worker`` in processes of their own: they share a send, and stop cleanly."""

import json
import re
import signal
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import click
import pytest
import sqlalchemy as sa
import urllib3
from forked_command import ForkedCommand
from postgres_server import Server, login_in_role
from sender_process import HELD, OK, PER_BATCH, READERS, SenderProject
from worker_process import running_worker, watch_send

from newsletter.cli.project_database import COMMAND_CONNECTIONS
from newsletter.cli.worker.worker import QUEUE_NAMES, parse_metrics_port, worker_command
from newsletter.db import database_engine
from newsletter.db.migrate import HEAD_REVISION
from newsletter.db.schema import VERSION_TABLE
from newsletter.sending.lanes.worker_records import list_workers
from newsletter.sending.ledger.record import Ledger
from newsletter.web.server import open_public_socket
from newsletter.worker.worker_limits import count_worker_connections

ISSUE = "2026-12-01-letter"


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


def count_workers(sender_project: SenderProject) -> int:
    with database_engine(sender_project.url, sender_project.folder) as engine:
        return len(list_workers(Ledger(engine)))


def find_free_port() -> int:
    with open_public_socket("127.0.0.1", 0) as sock:
        port: int = sock.getsockname()[1]
    return port


def count_readers(metrics_port: int) -> int:
    """Return how many readers a worker has sent to, by its metrics."""
    page = urllib3.request("GET", f"http://127.0.0.1:{metrics_port}/metrics", timeout=60).data
    match = re.search(rb"^newsletter_worker_readers_total (\d+)", page, re.MULTILINE)
    assert match, page
    return int(match[1])


def load_log(worker: ForkedCommand) -> list[dict[str, Any]]:
    """Return what a worker has written to standard error: all of it is JSON."""
    return [json.loads(line) for line in worker.communicate()[1].splitlines()]


def test_a_worker_that_leaves_the_periodic_jobs_to_nobody_says_so(
    sender_project: SenderProject,
) -> None:
    warning = "No worker does the periodic jobs"
    with running_worker(sender_project, "--queues", "sends") as worker:
        assert warning in sender_project.run("status", "--workers")[1]
        with running_worker(sender_project, "--queues", "periodic") as other:
            assert warning not in sender_project.run("status", "--workers")[1]
    assert warning in worker.communicate()[1]
    assert warning not in other.communicate()[1]


def test_workers_share_a_send_and_stop_cleanly(
    sender_project: SenderProject, postgres_server: Server
) -> None:
    sender_project.write_issue(ISSUE)
    owner, limit = sender_project, count_worker_connections(QUEUE_NAMES, has_metrics=True)
    with (
        # Beside them, a command is run.
        login_in_role(
            postgres_server, owner.url, "editor", 2 * limit + COMMAND_CONNECTIONS
        ) as editor,
        ExitStack() as stack,
    ):
        sender_project = replace(owner, url=editor)
        ports = [find_free_port() for _ in range(2)]
        workers = [
            stack.enter_context(
                running_worker(sender_project, "--concurrency", "1", f"--metrics-port={port}")
            )
            for port in ports
        ]
        assert count_workers(owner) == 2
        code, output = sender_project.run("send", ISSUE, "--yes", "--wait")
        assert (code, f"Sent to {READERS} of {READERS} readers" in output) == (0, True), output
        assert sum(count_readers(port) for port in ports) == READERS
    assert [worker.returncode for worker in workers] == [0, 0]
    for worker in workers:
        assert load_log(worker)[-1]["message"] == "stopped"
    send_id = int(owner.send_id(ISSUE))
    requests = [
        line
        for worker in workers
        for text in worker.communicate()[1].splitlines()
        if "batch recorded" in text
        for line in [json.loads(text)]
    ]
    assert {line["send_id"] for line in requests} == {send_id}
    assert len({line["batch_id"] for line in requests}) == READERS / PER_BATCH
    assert len({line["worker"] for line in requests}) == len(workers)
    assert set(owner.count_copies(ISSUE).values()) == {1}
    assert owner.states(ISSUE) == {"accepted": READERS}
    assert count_workers(owner) == 0


def test_a_worker_whose_database_was_upgraded_records_its_requests_and_fails(
    sender_project: SenderProject,
) -> None:
    sender_project.double.inject_faults(OK, HELD)
    version = sa.table(VERSION_TABLE, sa.column("version_num"))
    with (
        running_worker(sender_project, "--concurrency", "1") as worker,
        watch_send(sender_project, ISSUE) as watch,
    ):
        watch.start()
        watch.wait_until(lambda: watch.count_batches("in_flight") == 1)
        watch.wait_until(lambda: len(sender_project.double.requests) == 2)
        with watch.engine.begin() as connection:
            connection.execute(sa.update(version).values(version_num="9999"))
        sender_project.double.released.set()
        worker.communicate(timeout=60)
        with watch.engine.begin() as connection:
            connection.execute(sa.update(version).values(version_num=HEAD_REVISION))
    assert worker.returncode == 1
    errors = [line["message"] for line in load_log(worker) if line["level"] == "error"]
    assert [("schema version 9999" in text, "start it" in text) for text in errors] == [
        (True, True)
    ]
    assert load_log(worker)[-1]["message"] == "stopped"
    assert sender_project.states(ISSUE) == {"accepted": 2 * PER_BATCH, "pending": READERS - 10}
    assert count_workers(sender_project) == 0


def test_a_send_goes_on_with_the_next_worker_though_none_does_the_periodic_jobs(
    sender_project: SenderProject,
) -> None:
    sender_project.double.inject_faults(OK, HELD)
    args = ("--queues", "sends", "--concurrency", "1")
    with watch_send(sender_project, ISSUE) as watch:
        with running_worker(sender_project, *args) as first:
            watch.start()
            watch.wait_until(lambda: len(sender_project.double.requests) == 2)
            first.send_signal(signal.SIGTERM)
            sender_project.double.released.set()
        with running_worker(sender_project, *args):
            watch.wait_until(lambda: watch.state() == "done")
        watch.check_copies()


def test_without_a_worker_send_says_so_and_sends(sender_project: SenderProject) -> None:
    sender_project.write_issue(ISSUE)
    code, output = sender_project.run("send", ISSUE, "--yes")
    assert (code, "No worker is running, so this command sends it." in output) == (0, True), output
    assert sender_project.states(ISSUE) == {"accepted": READERS}


@pytest.mark.parametrize(
    ("text", "port"),
    [("9101", 9101), ("9100+2", 9102), ("9100+12", 9112), ("0+1", 1), ("9100+mail", None),
     ("9100+", None), ("1+2+3", None), ("65535+1", None), ("0", None), ("-1", None)],
)  # fmt: skip
def test_the_port_for_metrics_can_be_that_of_an_instance(text: str, port: int | None) -> None:
    [option] = [option for option in worker_command.params if option.name == "metrics_port"]
    context = click.Context(worker_command)
    if port:
        assert parse_metrics_port(context, option, text) == port
        return
    with pytest.raises(click.BadParameter, match="is not a port"):
        parse_metrics_port(context, option, text)
