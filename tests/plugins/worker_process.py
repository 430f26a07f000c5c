"""Workers in processes of their own, and what they do to a send."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from forked_command import ForkedCommand
from sender_process import READERS, SenderProject

from newsletter.db import database_engine
from newsletter.db.schema import batch, send
from newsletter.sending.lanes.lane_jobs import LANE_TASK, get_queue_name
from newsletter.sending.lanes.sweep import sweep
from newsletter.sending.lanes.worker_records import list_workers
from newsletter.sending.ledger.record import Ledger

POLL_SECONDS = 0.02
_OPEN_LANES = sa.text(
    "SELECT queue_name FROM procrastinate_jobs "
    "WHERE task_name = :task AND status IN ('todo', 'doing')"
)


@contextmanager
def running_worker(sender_project: SenderProject, *args: str) -> Iterator[ForkedCommand]:
    """Start ``newsletter worker ARGS``; it is on record within the context, and stopped after it.

    Args:
        sender_project: a project with a database on PostgreSQL.
        args: further arguments.
    """
    with running_workers([sender_project], *args) as [worker]:
        yield worker


@contextmanager
def running_workers(projects: Sequence[SenderProject], *args: str) -> Iterator[list[ForkedCommand]]:
    """Start a worker for each project, which may be the same, all at once; stop them in the end.

    Args:
        projects: projects with a database on PostgreSQL.
        args: further arguments of each worker.
    """
    with ExitStack() as stack:
        workers = []
        for sender_project in projects:
            workers.append(sender_project.start("worker", *args))
            stack.callback(workers[-1].communicate, timeout=60)
        stack.callback(_terminate, workers)
        for worker in workers:
            _wait_for_start(worker)
        yield workers


def _wait_for_start(worker: ForkedCommand) -> None:
    """Wait until a worker is on record; its log is read from now on."""
    lines = []
    while "a worker is running" not in (line := worker.stdout.readline()):
        lines.append(line)
        assert line, (lines, worker.stderr.read())
    with suppress(subprocess.TimeoutExpired):
        worker.communicate(timeout=0)  # it would wait on a full pipe


def _terminate(workers: Sequence[ForkedCommand]) -> None:
    for worker in workers:
        if worker.returncode is None:
            worker.send_signal(signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class SendWatch:
    """What the database says of an issue's send and of its workers.

    Attributes:
        engine: connected to the database.
        issue: the issue.
        sender_project: its project.
    """

    engine: sa.Engine
    issue: str
    sender_project: SenderProject

    def start(self, sender_project: SenderProject | None = None) -> None:
        """Hand the issue, a new one, over to the workers.

        Args:
            sender_project: of the host on which that is done; any by default.
        """
        self.sender_project.write_issue(self.issue)
        code, output = (sender_project or self.sender_project).run("send", self.issue, "--yes")
        # "3 workers send it now", "1 worker sends it now"
        assert (code, "it now." in output) == (0, True), output

    def state(self) -> str:
        """Return the state of the send."""
        query = sa.select(send.c.state).where(send.c.issue == self.issue)
        with self.engine.connect() as connection:
            return str(connection.execute(query).scalar_one())

    def count_batches(self, *states: str) -> int:
        """Return how many batches of the send are in one of the states."""
        joined = batch.join(send, send.c.id == batch.c.send_id)
        query = sa.select(sa.func.count()).select_from(joined).where(send.c.issue == self.issue)
        with self.engine.connect() as connection:
            return connection.execute(query.where(batch.c.state.in_(states))).scalar_one()

    def count_lanes(self, workers: Collection[ForkedCommand]) -> int:
        """Return how many lanes of the workers wait or run, of whatever send."""
        pids = {str(worker.pid) for worker in workers}
        queues = {
            get_queue_name(record.id)
            for record in list_workers(Ledger(self.engine))
            if record.name.rpartition(":")[2] in pids
        }
        with self.engine.connect() as connection:
            lanes = connection.scalars(_OPEN_LANES, {"task": LANE_TASK})
            return sum(queue in queues for queue in lanes)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds.

        Raises:
            TimeoutError: it doesn't within a minute.
        """
        deadline = time.monotonic() + 60
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.state()}, {self.sender_project.states(self.issue)}")
            threading.Event().wait(POLL_SECONDS)

    def finish(self, live: Collection[ForkedCommand]) -> None:
        """Wait until the send is over; the leases of dead workers end at once.

        Args:
            live: the workers that go on.
        """

        def is_over() -> bool:
            if self.state() != "running":
                return True
            # Live workers hold no batch once their lanes have ended.
            if not self.count_batches("ready") and not self.count_lanes(live):
                self.sender_project.let_leases_end()
                sweep(Ledger(self.engine))  # as a worker does every few seconds
            return False

        self.wait_until(is_over)

    def check_copies(self) -> None:
        """Check that the provider accepted one email for each reader who isn't unknown."""
        states = self.sender_project.states(self.issue)
        counts = self.sender_project.count_copies(self.issue)
        assert set(counts.values()) <= {1}, "somebody got it twice"
        assert states.total() == READERS, "somebody is lost"
        assert set(states) <= {"accepted", "unknown"}
        assert states["accepted"] <= len(counts) <= states["accepted"] + states["unknown"]

    def resolve_unknown(self, events: Path) -> None:
        """Resolve what is unknown by the provider's events; what has none is sent again."""
        if not self.sender_project.states(self.issue)["unknown"]:
            return
        self.sender_project.write_events(events)
        code, output = self.sender_project.run("reconcile", self.issue, "--events", str(events))
        assert code in {0, 1, 3}, output
        if self.sender_project.states(self.issue)["unknown"]:
            code, output = self.sender_project.run("resolve", self.issue, "--resend", "--yes")
            assert code == 0, output
            code, output = self.sender_project.run("send", self.issue, "--yes", "--wait", "--json")
            assert code == 0, output


@contextmanager
def watch_send(sender_project: SenderProject, issue: str) -> Iterator[SendWatch]:
    """Watch an issue's send within the context."""
    with database_engine(sender_project.url, sender_project.folder) as engine:
        yield SendWatch(engine, issue, sender_project)
