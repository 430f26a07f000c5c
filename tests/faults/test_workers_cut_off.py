"""Workers lose their connections or server, are suspended, or stop with requests in flight."""

import os
import random
import signal
from contextlib import ExitStack
from dataclasses import replace

import pytest
import sqlalchemy as sa
from forked_command import ForkedCommand
from postgres_server import DISCONNECT_OTHERS, Server
from sender_process import HELD, PER_BATCH, READERS, SenderProject
from worker_process import running_worker, running_workers, watch_send

from newsletter.db import database_engine
from newsletter.sending.rehearsal.fake_sendgrid import faults

ISSUE = "2026-12-01-letter"
BATCHES = READERS // PER_BATCH
# The full number is for `make faults`; each costs about two seconds.
DISCONNECTIONS = max(2, int(os.environ.get("FAULTS_KILLS", "2")) // 5)


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


def start_workers(
    sender_project: SenderProject, stack: ExitStack, count: int
) -> list[ForkedCommand]:
    sender_project.write_issue(ISSUE)
    projects = [sender_project] * count
    return stack.enter_context(running_workers(projects, "--concurrency", "1"))


def send(sender_project: SenderProject) -> None:
    code, output = sender_project.run("send", ISSUE, "--yes")
    assert (code, "send it now" in output or "sends it now" in output) == (0, True), output


def check_each_has_one_copy(sender_project: SenderProject, unknown: int = 0) -> None:
    """Wait until the send is over, and check what became of its recipients."""
    code, output = sender_project.run("status", ISSUE, "--watch")
    assert code == 0, output
    states = sender_project.states(ISSUE)
    assert states.total() == READERS
    assert set(states) <= {"accepted", "unknown"}
    assert states["unknown"] == unknown
    counts = sender_project.count_copies(ISSUE)
    assert set(counts.values()) == {1}
    assert len(counts) == READERS


def disconnect_all(sender_project: SenderProject) -> None:
    with (
        database_engine(sender_project.url, sender_project.folder) as engine,
        engine.connect() as connection,
    ):
        connection.execute(sa.text(DISCONNECT_OTHERS))


def test_lost_connections_double_and_lose_nobody(sender_project: SenderProject) -> None:
    rng = random.Random(20261204)
    with ExitStack() as stack:
        start_workers(sender_project, stack, 3)
        sender_project.double.inject_faults(*[faults.slow_response(0.1)] * BATCHES)
        send(sender_project)
        for count in sorted(rng.sample(range(1, BATCHES), DISCONNECTIONS)):
            sender_project.double.wait_for_requests(count)
            disconnect_all(sender_project)
        check_each_has_one_copy(sender_project)


def test_restart_of_the_server_before_the_responses_are_recorded(
    sender_project: SenderProject, postgres_server: Server
) -> None:
    with ExitStack() as stack:
        workers = start_workers(sender_project, stack, 3)
        sender_project.double.inject_faults(*[HELD] * len(workers))
        send(sender_project)
        sender_project.double.wait_for_requests(len(workers))
        postgres_server.stop()
        workers[0].kill()  # with it goes the response
        sender_project.double.released.set()
        postgres_server.start()
        # The others record theirs, and take what is left.
        sender_project.double.wait_for_requests(BATCHES)
        with watch_send(sender_project, ISSUE) as watch:
            watch.wait_until(lambda: watch.count_batches("accepted") == BATCHES - 1)
        sender_project.let_leases_end()
        check_each_has_one_copy(sender_project, unknown=PER_BATCH)


def test_worker_that_was_suspended_for_longer_than_its_lease_records_nothing(
    sender_project: SenderProject,
) -> None:
    with ExitStack() as stack:
        suspended, *_ = start_workers(sender_project, stack, 3)
        sender_project.double.inject_faults(*[faults.slow_response(1.0)] * 3)
        send(sender_project)
        sender_project.double.wait_for_requests(3)
        suspended.send_signal(signal.SIGSTOP)
        sender_project.double.wait_for_requests(BATCHES // 2)  # of the others
        sender_project.let_leases_end()
        check_each_has_one_copy(sender_project, unknown=PER_BATCH)
        suspended.send_signal(signal.SIGCONT)
        suspended.send_signal(signal.SIGTERM)
        _, log = suspended.communicate(timeout=60)
        assert "its outcome could not be recorded" in log
        check_each_has_one_copy(sender_project, unknown=PER_BATCH)


def give_up_soon() -> None:
    """Let a command wait no longer for a worker than it has to; called in its process."""
    from newsletter.cli.worker import hand_over

    hand_over.MAX_POLLS_WITHOUT_WORKER = 1


def test_the_last_worker_stops_cleanly_and_the_next_goes_on(sender_project: SenderProject) -> None:
    with ExitStack() as stack:
        [last] = start_workers(sender_project, stack, 1)
        sender_project.double.inject_faults(faults.slow_response(1.0))
        impatient = replace(sender_project, prepare=give_up_soon)
        waiting = impatient.start("send", ISSUE, "--yes", "--wait")
        sender_project.double.wait_for_requests(1)
        for _ in range(2):
            last.send_signal(signal.SIGTERM)
        _, log = last.communicate(timeout=60)
        assert (last.returncode, "Traceback" in log) == (0, False), log
        output = "".join(waiting.communicate(timeout=60))
        assert waiting.returncode == 1
        assert "No worker can be seen any more." in output
        assert sender_project.states(ISSUE) == {
            "accepted": PER_BATCH,
            "pending": READERS - PER_BATCH,
        }
        _, status = sender_project.run("status", ISSUE)
        assert "nobody sends it: no worker is running." in status
        stack.enter_context(running_worker(sender_project))
        check_each_has_one_copy(sender_project)
