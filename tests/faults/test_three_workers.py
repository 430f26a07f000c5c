"""Three workers send while something stops, fails or misleads them."""

import datetime
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

import pytest
import sqlalchemy as sa
from forked_command import ForkedCommand
from frozen_proxy import FreezableProxy
from postgres_server import DISCONNECT_OTHERS, Server
from sender_process import HELD, LONG_AGO, OK, PER_BATCH, READERS, SenderProject
from shifted_clock import shift_clock
from worker_process import SendWatch, running_worker, running_workers, watch_send

from newsletter.db.schema import batch, provider_pause, send_recipient
from newsletter.sending.lanes.sweep import sweep
from newsletter.sending.ledger.record import Ledger
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

WORKERS = 3
HOUR = 3600
# Each worker has one request in flight.
OPTIONS = ("--concurrency", "1")
REVOKED = faults.error_response(401, "The provided authorization grant is invalid")
ALL_ACCEPTED = {"accepted": READERS}
STOP_LISTENING = sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                         "WHERE query LIKE 'LISTEN %'")  # fmt: skip
FORGET_JOBS = sa.text("DELETE FROM procrastinate_jobs")
WAITING_LOCKS = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
LATEST_PERIODIC_JOB = sa.text(
    "SELECT max(defer_timestamp) - extract(epoch FROM now()) FROM procrastinate_periodic_defers"
)


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture
def workers(sender_project: SenderProject) -> Iterator[list[ForkedCommand]]:
    with running_workers([sender_project] * WORKERS, *OPTIONS) as workers:
        yield workers


@contextmanager
def interrupted_send(
    sender_project: SenderProject, issue: str, *responses: InjectedFault
) -> Iterator[SendWatch]:
    """Start a send, and yield once each worker's second request has met one of the responses."""
    double = sender_project.double
    double.released.clear()
    double.inject_faults(*[OK] * WORKERS, *responses)
    count = len(double.requests)
    with ExitStack() as stack:
        watch = stack.enter_context(watch_send(sender_project, issue))
        stack.callback(double.released.set)  # or no worker could be stopped after a failure
        watch.start()
        double.wait_for_requests(count + WORKERS + len(responses))
        watch.wait_until(lambda: watch.count_batches("accepted") == WORKERS)
        yield watch


def check_result(watch: SendWatch, state: str, **counts: int) -> None:
    """Check the state of the send, and how many batches have recipients in each state."""
    states = watch.sender_project.states(watch.issue)
    assert (watch.state(), states) == (
        state,
        {name: count * PER_BATCH for name, count in counts.items()},
    )


def execute(watch: SendWatch, statement: sa.Executable) -> None:
    with watch.engine.begin() as connection:
        connection.execute(statement)


def test_what_stops_a_send_reaches_all_workers_before_their_next_claim(
    sender_project: SenderProject, workers: list[ForkedCommand]
) -> None:
    double, batches = sender_project.double, READERS // PER_BATCH

    def run(*args: str) -> None:
        code, output = sender_project.run(*args)
        assert code == 0, output

    with interrupted_send(sender_project, "2026-12-01-paused", *[HELD] * 3) as watch:
        run("pause", watch.issue)
        double.released.set()
        watch.wait_until(lambda: not watch.count_lanes(workers))
        check_result(watch, "paused", accepted=6, pending=batches - 6)
        run("resume", watch.issue)
        watch.finish(workers)
        check_result(watch, "done", accepted=batches)
        watch.check_copies()

    with interrupted_send(sender_project, "2026-12-02-cancelled", *[HELD] * 3) as watch:
        run("cancel", watch.issue)
        double.released.set()
        watch.wait_until(lambda: not watch.count_lanes(workers))
        check_result(watch, "cancelled", accepted=6, dropped=batches - 6)

    with interrupted_send(sender_project, "2026-12-03-refused", HELD, HELD, REVOKED) as watch:
        watch.wait_until(lambda: watch.state() == "blocked")
        double.released.set()
        watch.wait_until(lambda: not watch.count_lanes(workers))
        check_result(watch, "blocked", accepted=5, pending=batches - 5)
        run("resume", watch.issue)
        watch.finish(workers)
        check_result(watch, "done", accepted=batches)
        watch.check_copies()

    in_an_hour = datetime.datetime.now(datetime.UTC).timestamp() + HOUR
    throttled = faults.rate_limit_response(in_an_hour)
    with interrupted_send(sender_project, "2026-12-04-throttled", HELD, HELD, throttled) as watch:
        watch.wait_until(lambda: not watch.count_batches("claimed") and has_pause(watch))
        double.released.set()
        # The lane that was throttled waits; the others end.
        watch.wait_until(lambda: watch.count_lanes(workers) == 1)
        check_result(watch, "running", accepted=5, pending=batches - 5)
        execute(watch, sa.update(provider_pause).values(paused_until=LONG_AGO))
        execute(watch, sa.update(batch).values(retry_at=None))
        watch.finish(workers)
        check_result(watch, "done", accepted=batches)
        watch.check_copies()


def has_pause(watch: SendWatch) -> bool:
    with watch.engine.connect() as connection:
        return connection.execute(sa.select(provider_pause.c.id)).first() is not None


def test_workers_behind_a_pooler_that_drops_listen_say_so_and_send(
    sender_project: SenderProject, postgres_server: Server
) -> None:
    def drop_listen(data: bytes) -> bytes:
        return data.replace(b"LISTEN ", b"NOTIFY ")  # as long, and it has no effect

    with FreezableProxy(str(postgres_server.folder / ".s.PGSQL.5432"), drop_listen) as pooler:
        address = f"@127.0.0.1:{pooler.port}"
        project = replace(
            sender_project, url=sender_project.url.partition("?")[0].replace("@", address)
        )
        with (
            running_workers([project] * WORKERS, *OPTIONS) as workers,
            watch_send(sender_project, "2026-12-01-letter") as watch,
        ):
            watch.start()
            watch.finish(workers)
            watch.check_copies()
        for worker in workers:
            assert "LISTEN has no effect here" in worker.communicate()[1]
    assert sender_project.states(watch.issue) == ALL_ACCEPTED


def test_clocks_an_hour_apart_end_no_lease(sender_project: SenderProject) -> None:
    with ExitStack() as stack:
        watch = stack.enter_context(watch_send(sender_project, "2026-12-01-letter"))
        first = stack.enter_context(running_worker(sender_project, *OPTIONS))
        stack.callback(sender_project.double.released.set)
        sender_project.double.inject_faults(OK, HELD)
        watch.start()
        sender_project.double.wait_for_requests(2)
        shifted = [
            replace(sender_project, prepare=partial(shift_clock, seconds))
            for seconds in (HOUR, -HOUR)
        ]
        others = stack.enter_context(running_workers(shifted, *OPTIONS))
        watch.wait_until(lambda: watch.count_batches("accepted") == READERS // PER_BATCH - 1)
        watch.wait_until(lambda: not watch.count_lanes(others))
        with watch.engine.connect() as connection:
            assert connection.execute(LATEST_PERIODIC_JOB).scalar_one() > HOUR / 2
        assert watch.count_batches("in_flight") == 1
        sender_project.double.released.set()
        watch.finish([first, *others])
        assert sender_project.states(watch.issue) == ALL_ACCEPTED
        watch.check_copies()


def test_workers_that_are_stopped_record_long_requests_though_their_jobs_are_lost(
    sender_project: SenderProject, workers: list[ForkedCommand]
) -> None:
    with interrupted_send(sender_project, "2026-12-01-letter", *[HELD] * 3) as watch:
        for worker in workers[:2]:
            worker.send_signal(signal.SIGTERM)
        # They give no sign of life to the job queue any more, so their jobs are given up.
        execute(watch, FORGET_JOBS)
        assert sweep(Ledger(watch.engine)).unknown_recipients == 0
        sender_project.double.released.set()
        watch.finish(workers[2:])
        assert sender_project.states(watch.issue) == ALL_ACCEPTED
        watch.check_copies()
        for worker in workers[:2]:
            _, log = worker.communicate(timeout=60)
            assert (worker.returncode, "Traceback" in log) == (0, False), log


def test_a_sweeper_that_is_killed_in_a_transaction_changes_nothing(
    sender_project: SenderProject,
) -> None:
    with ExitStack() as stack:
        sweeping = running_worker(sender_project, *OPTIONS)
        others = stack.enter_context(
            running_workers([sender_project] * 2, *OPTIONS, "--queues", "sends")
        )
        sweeper = stack.enter_context(sweeping)
        watch = stack.enter_context(
            interrupted_send(sender_project, "2026-12-01-letter", *[HELD] * 3)
        )
        one = sa.select(sa.func.min(batch.c.id)).where(batch.c.state == "in_flight")
        lost = sa.update(batch).where(batch.c.id == one.scalar_subquery())
        with watch.engine.begin() as connection:
            batch_id = connection.scalar(lost.values(lease_until=LONG_AGO).returning(batch.c.id))
        readers = sa.select(send_recipient.c.subscriber_id).where(
            send_recipient.c.batch_id == batch_id
        )
        with watch.engine.begin() as connection:
            connection.execute(readers.with_for_update())
            watch.wait_until(lambda: bool(connection.scalar(WAITING_LOCKS)))
            sweeper.kill()
        watch.wait_until(lambda: watch.count_batches("in_flight") == 3)
        third = stack.enter_context(running_worker(sender_project, *OPTIONS))
        watch.wait_until(lambda: watch.count_batches("unknown") == 1)
        sender_project.double.released.set()
        watch.finish([*others, third])
        # One batch was given up, and the sweeper had another one in flight, if not the same.
        assert sender_project.states(watch.issue)["unknown"] in {PER_BATCH, 2 * PER_BATCH}
        watch.check_copies()


def test_workers_that_lose_their_connections_and_get_no_others_go_on(
    sender_project: SenderProject, postgres_server: Server, workers: list[ForkedCommand]
) -> None:
    with watch_send(sender_project, "2026-12-01-not-woken") as watch:
        execute(watch, STOP_LISTENING)
        watch.start()
        watch.finish(workers)
        assert sender_project.states(watch.issue) == ALL_ACCEPTED
        watch.check_copies()

    issue = "2026-12-02-not-connected"
    with interrupted_send(sender_project, issue, *[HELD] * 3) as watch, ExitStack() as stack:
        with watch.engine.connect() as connection:
            postgres_server.take_connections(stack)
            connection.execute(sa.text(DISCONNECT_OTHERS))
            for _ in range(20):  # as fast as the workers, which want them again
                threading.Event().wait(0.01)
                postgres_server.take_connections(stack)
            sender_project.double.released.set()
            threading.Event().wait(1)
        stack.close()
        watch.finish(workers)
        assert sender_project.states(issue) == ALL_ACCEPTED
        watch.check_copies()
        for worker in workers:
            assert worker.returncode is None
