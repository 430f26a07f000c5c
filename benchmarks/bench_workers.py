"""Workers on PostgreSQL: how the speed of a send grows with their number.

1, 2 and 4 real ``newsletter worker`` processes against a sink that takes its time, each row beside
the baseline of the same run: one ``newsletter send`` in its own process, on SQLite, with the same
list and the same concurrency. PostgreSQL runs with fsync on. A send is timed by its ledger, from
the first attempt to the last recorded outcome; CPU by the kernel, in the same time.

    python benchmarks/bench_workers.py --readers 400000 --workers 1 2 4 --set 0.1:2 --set 1:8
"""

import argparse
import datetime
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.bench_list import write_csv
from benchmarks.command_line import CommandLine
from benchmarks.durable_server import (
    DurableServer,
    durable_server,
    get_cpu_seconds,
    get_machine_cpu_seconds,
)
from benchmarks.http_sink import HttpSink, running_sink

GOAL = 0.8
# Of the machine's CPU: from here on, more workers can't send more.
FULL = 0.9
BATCH = 1_000
POLL_SECONDS = 0.02
DATABASE = "notes"
TIMES = """
SELECT min(started_at), max(ended_at), count(*) FROM attempt JOIN batch ON batch.id = batch_id
WHERE send_id = (SELECT id FROM send WHERE issue = '{}')
"""
HAS_STARTED = """
SELECT count(*) FROM (SELECT 1 FROM batch WHERE state = 'in_flight' LIMIT 1) AS one
"""
OPEN_SENDS = "SELECT count(*) FROM send WHERE state <> 'done'"


class Load(NamedTuple):
    """A sink's latency in seconds, and the concurrency of each sender."""

    latency: float
    concurrency: int

    @classmethod
    def parse(cls, text: str) -> "Load":
        latency, _, concurrency = text.partition(":")
        return cls(float(latency), int(concurrency))


class Result(NamedTuple):
    """One send: its seconds and batches, and the CPU that was used meanwhile, by whom."""

    seconds: float
    batches: int
    cpu: dict[str, float]


Query = Callable[[str], list[tuple[Any, ...]]]


@dataclass
class Meter:
    """CPU seconds of groups of processes, and of the machine."""

    groups: dict[str, list[int]]

    def read(self) -> dict[str, float]:
        busy, all_seconds = get_machine_cpu_seconds()
        times = {name: get_cpu_seconds(*pids) for name, pids in self.groups.items()}
        return {**times, "machine": busy, "available": all_seconds}


def wait_for_send(query: Query, meter: Meter) -> dict[str, float]:
    """Wait until the send is over; return the CPU seconds from its first request on."""
    while not query(HAS_STARTED)[0][0]:
        time.sleep(POLL_SECONDS)
    before = meter.read()
    while query(OPEN_SENDS)[0][0]:
        time.sleep(POLL_SECONDS)
    after = meter.read()
    return {name: after[name] - before[name] for name in after}


def make_result(query: Query, issue: str, cpu: dict[str, float]) -> Result:
    started, ended, batches = query(TIMES.format(issue))[0]
    if isinstance(started, str):
        started, ended = map(datetime.datetime.fromisoformat, (started, ended))
    return Result((ended - started).total_seconds(), batches, cpu)


def send_with_workers(
    line: CommandLine, server: DurableServer, sink: HttpSink, workers: int, concurrency: int
) -> Result:
    import psycopg

    issue = make_issue(line)
    line.run("plan", issue, "--repeat-article")
    with (
        psycopg.connect(server.url(DATABASE), autocommit=True) as connection,
        line.running_workers(workers, concurrency) as running,
    ):

        def query(statement: str) -> list[tuple[Any, ...]]:
            return connection.execute(statement).fetchall()

        pids = [worker.pid for worker in running]
        meter = Meter({"senders": pids, "database": [server.pid], "sink": [sink.pid]})
        line.run("send", issue, "--yes")
        return make_result(query, issue, wait_for_send(query, meter))


def send_in_process(line: CommandLine, sink: HttpSink, concurrency: int) -> Result:
    issue = make_issue(line)
    line.run("plan", issue, "--repeat-article")
    with (
        closing(sqlite3.connect(line.folder / "newsletter.db")) as connection,
        line.started("send", issue, "--yes", "--concurrency", str(concurrency)) as process,
    ):

        def query(statement: str) -> list[tuple[Any, ...]]:
            if process.poll():
                raise RuntimeError("newsletter send has failed")
            return connection.execute(statement).fetchall()

        meter = Meter({"senders": [process.pid], "database": [], "sink": [sink.pid]})
        return make_result(query, issue, wait_for_send(query, meter))


def make_issue(line: CommandLine) -> str:
    """Write an issue that was not sent yet; return its name."""
    count = sum(1 for _ in (line.folder / "issues").glob("*"))
    name = f"2026-12-01-ice-{count}"
    line.write_issue(name)
    return name


def import_list(folder: Path, url: str, readers: Path) -> CommandLine:
    """Make a newsletter with a list."""
    line = CommandLine(folder, url, "http://127.0.0.1:9")
    line.make_folder()
    line.run("subscribers", "import", str(readers))
    return line


def print_row(
    name: str, result: Result, baseline: Result, alone: Result | None, count: int
) -> None:
    rate = result.batches / result.seconds
    shares = {key: value / result.seconds for key, value in result.cpu.items()}
    linear = f"{rate / (alone.batches / alone.seconds) / count:8.2f}" if alone else f"{'':8}"
    own = sum(shares[key] for key in ("senders", "database", "sink"))
    busy = result.cpu["machine"] / result.cpu["available"]
    note = ""
    if alone and count > 1 and rate / (alone.batches / alone.seconds) / count < GOAL:
        note = "CPU full" if busy >= FULL else "below the goal"
    print(
        f"{name:<22}{rate * BATCH:10,.0f}{rate:11.1f}"
        f"{rate * baseline.seconds / baseline.batches:10.2f}{linear}"
        f"{shares['senders']:10.2f}{shares['database']:10.2f}{shares['sink']:6.2f}{own:6.2f}"
        f"{100 * busy:9.0f} %  {note}",
        flush=True,
    )


def run_load(
    lines: tuple[CommandLine, CommandLine], server: DurableServer, load: Load, counts: list[int]
) -> None:
    on_sqlite, on_postgresql = lines
    with running_sink(load.latency) as sink:
        print(
            f"\nlatency {load.latency * 1000:.0f} ms, {load.concurrency} requests at once for each "
            "sender; CPU in processors\n"
            f"{'':22}{'readers/s':>10}{'batches/s':>11}{'x SQLite':>10}{'x linear':>8}"
            f"{'senders':>10}{'database':>10}{'sink':>6}{'all':>6}{'machine':>11}",
            flush=True,
        )
        line = replace(on_sqlite, provider=sink.url)
        baseline = send_in_process(line, sink, load.concurrency)
        print_row("one process, SQLite", baseline, baseline, None, 1)
        line = replace(on_postgresql, provider=sink.url)
        alone = None
        for count in counts:
            result = send_with_workers(line, server, sink, count, load.concurrency)
            alone = alone or result
            print_row(f"{count} worker{'s' * (count > 1)}", result, baseline, alone, count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=400_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument(
        "--set",
        type=Load.parse,
        action="append",
        metavar="LATENCY:CONCURRENCY",
        help="of the sink in seconds, and requests at once for each sender",
    )
    options = parser.parse_args()
    loads = options.set or [Load(0.1, 2), Load(1.0, 8), Load(0.1, 16)]
    with tempfile.TemporaryDirectory() as name, durable_server() as server:
        folder = Path(name)
        server.execute(f"CREATE DATABASE {DATABASE}")
        readers = folder / "readers.csv"
        write_csv(readers, 0, options.readers)
        print(f"{options.readers:,} readers in batches of {BATCH:,}; goal {GOAL} x linear until "
              f"the CPU is full\n{server.describe()}")  # fmt: skip
        on_sqlite = import_list(folder / "sqlite", "sqlite:///newsletter.db", readers)
        on_postgresql = import_list(folder / "pg", server.url(DATABASE), readers)
        for load in loads:
            run_load((on_sqlite, on_postgresql), server, load, sorted(options.workers))


if __name__ == "__main__":
    main()
