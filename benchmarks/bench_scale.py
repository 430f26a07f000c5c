"""A whole send on PostgreSQL, list by list ten times as long: what a reader costs.

``python benchmarks/bench_scale.py [READERS ...]``; 10,000 to 1,000,000 without arguments, and
10,000,000 takes half an hour and 30 GB. Every phase is the real command in a process of its own;
the send is made by two workers, to a sink without delay. A list of 100 readers comes first: what
a command takes for it is its fixed cost, which is subtracted before costs per reader are compared;
where it is most of the cost, a dash is printed. Events are of as many readers as ``--delivered``
says.

    python benchmarks/bench_scale.py 10000000 --keep /var/tmp/scale --shared-buffers 2GB

With ``--keep`` the data stays there, and phases that were completed are not repeated. A peak below
that of this process, about 75 MB, can't be seen: the kernel counts what a process had before exec.
"""

import argparse
import datetime
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.bench_list import write_csv
from benchmarks.command_line import CommandLine, CommandResult
from benchmarks.durable_server import DurableServer, durable_server, get_cpu_seconds
from benchmarks.http_sink import HttpSink, running_sink

DEFAULT_LISTS = (10_000, 100_000, 1_000_000)
SMALL_LIST = 100
WORKERS, CONCURRENCY = 2, 16
# When a worker starts, it does the periodic jobs that were due before.
SETTLING_SECONDS = 3
ISSUE = "2026-12-01-ice"
MAX_GROWTH = 1.5
# Of 10,000,000 readers: seconds, MB.
GOALS = {"plan": (60, 300), "status": (1, None), "report": (30, None)}
PER_READER = ("import", "plan", "send", "events", "who", "report")
# Of a phase, for each reader: time, CPU of the command and the database, CPU of the database.
COSTS = ("seconds", "cpu", "server_cpu")
HEADINGS = (
    f"{'':31}{'CPU seconds':>18}{'':28}us for each reader without the fixed cost, x of the first\n"
    f"{'readers':>11} {'phase':<7}{'seconds':>11}{'client':>9}{'server':>9}{'peak':>10}"
    f"{'WAL':>13}{'time':>9}{'x':>6}{'CPU':>9}{'x':>6}{'server':>9}{'x':>6}"
)
STATEMENTS = """
SELECT round(total_exec_time)::bigint, calls, rows, pg_size_pretty(wal_bytes),
       left(regexp_replace(query, '\\s+', ' ', 'g'), 150)
FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT {}
"""
SIZES = """
SELECT coalesce(
         (SELECT inhparent FROM pg_inherits WHERE inhrelid = c.oid), c.oid)::regclass::text AS name,
       sum(pg_table_size(c.oid))::bigint, sum(pg_indexes_size(c.oid))::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND nspname NOT IN ('pg_catalog', 'information_schema')
GROUP BY 1 HAVING sum(pg_total_relation_size(c.oid)) > 4000000 ORDER BY 2 DESC
"""
INDEX_SIZES = """
SELECT i.indexrelid::regclass::text, pg_relation_size(i.indexrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
AND pg_relation_size(i.indexrelid) > 4000000 ORDER BY 2 DESC
"""
SEND_TIMES = """
SELECT extract(epoch FROM max(ended_at) - min(started_at))::float, count(*) FROM attempt
"""
DELIVERED = """
SELECT r.subscriber_id, r.address_key, r.send_id, r.batch_id FROM send_recipient r
ORDER BY r.subscriber_id LIMIT {}
"""


@dataclass
class Figures:
    """What was measured, a phase of a list at a time; kept in a file, to go on from there."""

    path: Path
    rows: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)

    def load(self) -> None:
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                row = json.loads(line)
                self.rows[row["readers"], row["phase"]] = row

    def add(self, row: dict[str, Any]) -> None:
        self.rows[row["readers"], row["phase"]] = row
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


@dataclass
class Benchmark:
    """A list of one length, in a database of its own."""

    server: DurableServer
    sink: HttpSink
    folder: Path
    figures: Figures
    readers: int
    delivered: float
    statements: int

    @property
    def database(self) -> str:
        return f"notes_{self.readers}"

    @property
    def line(self) -> CommandLine:
        url = self.server.url(self.database)
        return CommandLine(self.folder / self.database, url, self.sink.url)

    def run(self) -> None:
        databases = self.server.query("postgres", "SELECT datname FROM pg_database")
        if (self.database,) not in databases:
            self.server.execute(f"CREATE DATABASE {self.database}")
        self.line.make_folder()
        self.line.write_issue(ISSUE)
        events = self.line.folder / "events.jsonl"
        for phase, work in self._phases(events):
            if (self.readers, phase) not in self.figures.rows:
                self._measure(phase, work)
            print_phase(self.figures, self.readers, phase)
        if (self.readers, "size") not in self.figures.rows:
            self._measure_size()
        print_size(self.figures.rows[self.readers, "size"])

    def _phases(self, events: Path) -> Iterator[tuple[str, Callable[[], CommandResult]]]:
        line = self.line
        readers = line.folder / "readers.csv"
        if not readers.exists():
            write_csv(readers, 0, self.readers)
        yield "import", lambda: line.run("subscribers", "import", str(readers))
        yield "plan", lambda: line.run("plan", ISSUE)
        yield "send", self._send
        if not events.exists():
            self._write_events(events)
        yield "events", lambda: line.run("events", "import", str(events))
        yield "status", lambda: line.run("status", ISSUE)
        yield "who", lambda: line.run("who", ISSUE, "--missed")
        yield "report", lambda: line.run("report", ISSUE)

    def _send(self) -> CommandResult:
        """Send by workers; the seconds are from the first attempt to the last outcome on record."""
        line = self.line
        with (
            line.running_workers(WORKERS, CONCURRENCY) as workers,
            closing(psycopg.connect(self.server.url(self.database), autocommit=True)) as watcher,
        ):
            time.sleep(SETTLING_SECONDS)
            pids = [worker.pid for worker in workers]
            before = get_cpu_seconds(*pids), get_cpu_seconds(self.server.pid)
            line.run("send", ISSUE, "--yes")
            while watcher.execute("SELECT state FROM send").fetchone() != ("done",):
                time.sleep(0.05)
            after = get_cpu_seconds(*pids), get_cpu_seconds(self.server.pid)
            [(seconds, _)] = watcher.execute(SEND_TIMES).fetchall()
            peak = max(worker.get_peak() for worker in workers)
        cpu, server_cpu = (end - start for start, end in zip(before, after, strict=True))
        return CommandResult(seconds, cpu, peak, server_cpu=server_cpu)

    def _write_events(self, path: Path) -> None:
        """Write a delivered event for a part of the readers."""
        now = int(datetime.datetime.now(datetime.UTC).timestamp())
        partial = path.with_suffix(".part")
        with (
            psycopg.connect(self.server.url(self.database)) as connection,
            connection.cursor(name="recipients") as cursor,
            partial.open("w") as file,
        ):
            cursor.itersize = 10_000
            cursor.execute(DELIVERED.format(round(self.readers * self.delivered)))
            for reader, address, send, batch in cursor:
                event = {
                    "email": address,
                    "event": "delivered",
                    "timestamp": now,
                    "response": "250 OK",
                    "sg_event_id": f"ZGVsaXZlcmVkLTAtMTIzNDU2Nzg5LTk4NzY1NDMyMS0w-{reader}",
                    "sg_message_id": f"sink.recvd-5d9f4b6c8f-abcde-1-6565{batch:06}-1.0",
                    "smtp-id": f"<{reader}@geopod-ismtpd-12>",
                    "nl_send": str(send),
                    "nl_batch": str(batch),
                    "nl_attempt": "1",
                    "nl_subscriber": str(reader),
                }
                file.write(json.dumps(event) + "\n")
        partial.rename(path)

    def _measure(self, phase: str, work: Callable[[], CommandResult]) -> None:
        if self.statements:
            self.server.query(self.database, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            self.server.query(self.database, "SELECT pg_stat_statements_reset()")
        wal, cpu = self._wal_position(), get_cpu_seconds(self.server.pid)
        sent = self.sink.totals[1]
        result = work()
        used = get_cpu_seconds(self.server.pid) - cpu
        row = {
            "readers": self.readers,
            "phase": phase,
            "seconds": result.seconds,
            "cpu": result.cpu,
            "server_cpu": used if result.server_cpu is None else result.server_cpu,
            "peak": result.peak,
            "wal": self._wal_position() - wal,
            "sent_bytes": self.sink.totals[1] - sent,
            "delivered": self.delivered,
        }
        if self.statements:
            row["statements"] = self.server.query(self.database, STATEMENTS.format(self.statements))
        self.figures.add(row)

    def _wal_position(self) -> int:
        statement = "SELECT (pg_current_wal_lsn() - '0/0')::bigint"
        return int(self.server.query("postgres", statement)[0][0])

    def _measure_size(self) -> None:
        total = self.server.query(self.database, f"SELECT pg_database_size('{self.database}')")
        self.figures.add(
            {
                "readers": self.readers,
                "phase": "size",
                "total": total[0][0],
                "tables": self.server.query(self.database, SIZES),
                "indexes": self.server.query(self.database, INDEX_SIZES),
            }
        )


def get_cost(row: dict[str, Any], key: str) -> float:
    """Return the seconds of a phase; of CPU time, the command's and the server's together."""
    return float(row["cpu"] + row["server_cpu"] if key == "cpu" else row[key])


def get_reader_cost(figures: Figures, readers: int, phase: str, key: str) -> float | None:
    """Return what a reader costs in a phase, without the fixed cost of the command.

    ``None`` if the fixed cost is most of it: then the difference says nothing.
    """
    row, small = (figures.rows.get((count, phase)) for count in (readers, SMALL_LIST))
    if row is None or small is None or get_cost(row, key) < 2 * get_cost(small, key):
        return None
    return (get_cost(row, key) - get_cost(small, key)) / (readers - SMALL_LIST)


def get_growth(figures: Figures, readers: int, phase: str, key: str) -> tuple[float, int] | None:
    """Return how many times what it costs on the shortest list a reader costs; and that list."""
    cost = get_reader_cost(figures, readers, phase, key)
    lists = sorted(count for count, name in figures.rows if name == phase)
    for shortest in lists:
        first = get_reader_cost(figures, shortest, phase, key)
        if cost is not None and first is not None:
            return cost / first, shortest
    return None


def print_phase(figures: Figures, readers: int, phase: str) -> None:
    row = figures.rows[readers, phase]
    text = (
        f"{readers:>11,} {phase:<7}{row['seconds']:9.2f} s{row['cpu']:9.2f}{row['server_cpu']:9.2f}"
        f"{row['peak']:7} MB{row['wal'] / 1e6:10,.1f} MB"
    )
    for key in COSTS if phase in PER_READER else ():
        cost = get_reader_cost(figures, readers, phase, key)
        growth = get_growth(figures, readers, phase, key)
        text += f"{cost * 1e6:9.1f}" if cost is not None else f"{'-':>9}"
        text += f"{growth[0]:6.2f}" if growth else f"{'-':>6}"
    print(f"{text}  {judge(row)}".rstrip(), flush=True)
    for milliseconds, calls, rows, wal, query in row.get("statements", ()):
        print(f"{'':12}{milliseconds:>9,} ms {calls:>8,} x {rows:>11,} rows {wal:>9}  {query}")


def judge(row: dict[str, Any]) -> str:
    """Return the goal of a phase, and whether it is reached; for 10,000,000 readers or fewer."""
    if row["phase"] not in GOALS or row["readers"] == SMALL_LIST:
        return ""
    seconds, peak = GOALS[row["phase"]]
    reached = row["seconds"] <= seconds and (peak is None or row["peak"] <= peak)
    goal = f"goal {seconds} s" + (f", {peak} MB" if peak else "")
    return goal if reached else f"{goal}: NOT reached"


def print_size(row: dict[str, Any]) -> None:
    if row["readers"] == SMALL_LIST:
        return
    millions = row["readers"] / 1e6
    print(f"{'':12}database {row['total'] / 1e6:,.0f} MB, per million readers "
          f"{row['total'] / 1e6 / millions:,.0f} MB; of which:")  # fmt: skip
    for name, table, indexes in row["tables"]:
        print(f"{'':14}{name:<30}{table / 1e6 / millions:8,.0f} MB, its indexes "
              f"{indexes / 1e6 / millions:,.0f} MB")  # fmt: skip
    for name, size in row["indexes"]:
        print(f"{'':16}{name:<44}{size / 1e6 / millions:8,.0f} MB")


def print_growth(figures: Figures, readers: int) -> None:
    print(f"CPU time a reader on the longest list, against the shortest; goal {MAX_GROWTH} x")
    for phase in PER_READER:
        for key, name in (("cpu", ""), ("server_cpu", ", the database's")):
            growth = get_growth(figures, readers, phase, key)
            if growth and growth[1] != readers:
                note = "" if growth[0] <= MAX_GROWTH else ": NOT reached"
                print(f"  {phase:<7}{growth[0]:6.2f} x of {growth[1]:,} readers{name}{note}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("readers", nargs="*", type=lambda text: int(text.replace(",", "")))
    parser.add_argument(
        "--delivered", type=float, default=0.1, metavar="SHARE", help="of readers with an event"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="a short path, for all data")
    parser.add_argument("--shared-buffers", default="128MB")
    parser.add_argument("--max-wal-size", default="1GB")
    parser.add_argument("--statements", type=int, default=0, metavar="N",
                        help="print the N slowest statements of each phase")  # fmt: skip
    options = parser.parse_args()
    lists = sorted(options.readers or DEFAULT_LISTS)
    settings = {
        "shared_buffers": options.shared_buffers,
        "max_wal_size": options.max_wal_size,
    }
    if options.statements:
        settings |= {
            "shared_preload_libraries": "pg_stat_statements",
            "pg_stat_statements.track": "all",
        }
    with (
        tempfile.TemporaryDirectory() as temporary,
        durable_server(settings, options.keep) as server,
        running_sink(0.0) as sink,
    ):
        folder = (options.keep or Path(temporary)) / "newsletters"
        folder.mkdir(exist_ok=True)
        figures = Figures(folder / "figures.jsonl")
        figures.load()
        print(
            f"{server.describe()}\nsend by {WORKERS} workers, each with {CONCURRENCY} requests at "
            f"once; delivered events of {options.delivered:.0%} of the readers\n{HEADINGS}"
        )
        for readers in (SMALL_LIST, *lists):
            benchmark = Benchmark(
                server, sink, folder, figures, readers, options.delivered, options.statements
            )
            benchmark.run()
            if not options.keep:
                server.drop(benchmark.database)
        print_growth(figures, lists[-1])


if __name__ == "__main__":
    main()
