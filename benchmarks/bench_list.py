"""Subscriber list: import, export, audience and count; speed and memory.

``python benchmarks/bench_list.py [READERS] [sqlite|postgresql]``; both databases without the second
argument. The baselines do only the database's part of each job, with the bare driver.
"""

import csv
import datetime
import json
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "plugins"))

from postgres_server import Server, running_server

from newsletter.config.load import load_config
from newsletter.db import open_database, read_transaction
from newsletter.db.schema import subscriber, subscriber_tag
from newsletter.subscribers import count_subscribers, iter_audience
from newsletter.subscribers.export import ExportOptions, export_subscribers
from newsletter.subscribers.importing.import_list import ListImportOptions, import_subscriber_file
from newsletter.subscribers.segments import find_segment

NOW = datetime.datetime(2026, 11, 22, 9, tzinfo=datetime.UTC)
HEADER = ("email", "name", "city", "age")
COLUMNS = ("address", "address_key", "name", "status", "attributes", "token", "source", "joined_at",
           "confirmed_at", "soft_bounces", "updated_at")  # fmt: skip
MAX_RATIO = 3.0
MAX_MEMORY_MB = 150
MAX_COUNT_MS = 100.0
CONFIG = Path(__file__).parent.parent / "newsletter.yml"


def iter_people(first: int, last: int) -> Iterator[tuple[str, str, str, str]]:
    cities = ("Bergen", "Oslo", "Troms\u00f8", "Bod\u00f8")
    for number in range(first, last):
        address = f"reader.{number}@{'example' if number % 3 else 'quay'}{number % 50}.org"
        yield address, f"Ada {number} O'Neill", cities[number % 4], str(18 + number % 70)


def write_csv(path: Path, first: int, last: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(iter_people(first, last))


def make_rows(first: int, last: int) -> list[tuple[Any, ...]]:
    """Return the same readers as rows of the table."""
    now = NOW.isoformat(timespec="microseconds")
    return [
        (address, address, name, "active", f'{{"city":"{city}","age":{age}}}',
         secrets.token_urlsafe(16), f"import readers.csv:{line}", now, None, 0, now)
        for line, (address, name, city, age) in enumerate(iter_people(first, last), 2)
    ]  # fmt: skip


# The measured jobs, each in its own process.


def do_import(url: str, folder: Path, path: str) -> int:
    engine = open_database(url, folder)
    return import_subscriber_file(
        engine, Path(path), now=NOW, options=ListImportOptions(tags=())
    ).rows


def do_export(url: str, folder: Path, kind: str) -> int:
    engine = open_database(url, folder)
    with read_transaction(engine) as connection, (folder / f"out.{kind}").open("wb") as file:
        return export_subscribers(
            connection, file, ExportOptions("csv" if kind == "csv" else "jsonl")
        )


def do_audience(url: str, folder: Path, _: str) -> int:
    engine = open_database(url, folder)
    with read_transaction(engine) as connection:
        return sum(1 for _ in iter_audience(connection))


JOBS = {"import": do_import, "export": do_export, "audience": do_audience}


def run_child(job: str, url: str, folder: str, argument: str) -> None:
    start = time.perf_counter()
    count = JOBS[job](url, Path(folder), argument)
    seconds = time.perf_counter() - start
    # Not getrusage, which includes the parent's memory before exec.
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
    print(json.dumps({"count": count, "seconds": seconds, "peak": peak}))


def measure(job: str, url: str, folder: Path, argument: str = "") -> tuple[float, int]:
    """Return the seconds and the peak memory in MB."""
    command = [sys.executable, __file__, "--child", job, url, str(folder), argument]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(process.stdout)
    return result["seconds"], result["peak"]


def measure_seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# The baselines.


class Sqlite:
    name = "SQLite"
    baseline = "bare sqlite3 executemany"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = "sqlite:///list.db"
        open_database("sqlite:///bare.db", folder).dispose()
        self.bare = sqlite3.connect(folder / "bare.db", isolation_level=None)
        self.bare.execute("PRAGMA synchronous = FULL")

    def insert(self, readers: list[tuple[Any, ...]]) -> None:
        placeholders = ", ".join("?" * len(COLUMNS))
        self.bare.execute("BEGIN IMMEDIATE")
        self.bare.executemany(
            f"INSERT OR IGNORE INTO subscriber ({', '.join(COLUMNS)}) VALUES ({placeholders})",  # noqa: S608
            readers,
        )
        self.bare.execute("COMMIT")

    def select(self, columns: str) -> Iterator[tuple[Any, ...]]:
        yield from self.bare.execute(f"SELECT {columns} FROM subscriber ORDER BY id")  # noqa: S608


class Postgresql:
    name = "PostgreSQL"
    baseline = "bare COPY"

    def __init__(self, folder: Path, server: Server) -> None:
        import psycopg

        self.folder = folder
        self.url = server.url(server.new_database())
        bare = server.url(server.new_database())
        open_database(bare, folder).dispose()
        self.bare = psycopg.connect(bare)

    def insert(self, readers: list[tuple[Any, ...]]) -> None:
        columns = ", ".join(COLUMNS)
        with self.bare.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE staged (LIKE subscriber) ON COMMIT DROP")
            cursor.execute("ALTER TABLE staged DROP COLUMN id")
            with cursor.copy(f"COPY staged ({columns}) FROM STDIN") as copy:
                for row in readers:
                    copy.write_row(row)
            cursor.execute(
                f"INSERT INTO subscriber ({columns}) SELECT {columns} FROM staged "  # noqa: S608
                "ON CONFLICT (address_key) DO NOTHING"
            )
        self.bare.commit()

    def select(self, columns: str) -> Iterator[tuple[Any, ...]]:
        with self.bare.cursor(name="all") as cursor:
            cursor.itersize = 5_000
            cursor.execute(f"SELECT {columns} FROM subscriber ORDER BY id")  # noqa: S608
            yield from cursor


def dump_csv(base: Sqlite | Postgresql) -> None:
    with (base.folder / "bare.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(base.select(", ".join(COLUMNS)))


def print_result(
    job: str, result: tuple[float, int], baseline: str, baseline_seconds: float, goal: str = ""
) -> None:
    seconds, peak = result
    memory = f"{peak} MB"
    print(f"  {job:<34}{seconds:8.2f} s  {seconds / baseline_seconds:5.2f} x  {memory:>7}  {goal}")
    print(f"    {baseline:<32}{baseline_seconds:8.2f} s")


def count_segment(base: Sqlite | Postgresql, query: str) -> float:
    """Return the median of nine counts in milliseconds."""
    config = load_config(CONFIG, {})
    engine = open_database(base.url, base.folder)
    times = []
    for _ in range(9):
        with read_transaction(engine) as connection:
            segment = find_segment(connection, query, config, NOW)
            times.append(measure_seconds(lambda: count_subscribers(connection, segment.condition)))  # noqa: B023
    engine.dispose()
    return sorted(times)[4] * 1000


def tag_readers(base: Sqlite | Postgresql) -> None:
    """Tag one reader in fifty."""
    engine = open_database(base.url, base.folder)
    with engine.begin() as connection:
        tags = sa.select(subscriber.c.id, sa.literal("vip")).where(subscriber.c.id % 50 == 0)
        connection.execute(sa.insert(subscriber_tag).from_select(["subscriber_id", "tag"], tags))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()


def run_benchmark(base: Sqlite | Postgresql, count: int) -> None:
    first, second = base.folder / "readers.csv", base.folder / "again.csv"
    write_csv(first, 0, count)
    write_csv(second, count // 2, count + count // 2)
    goal = f"goal {MAX_RATIO:.0f} x, {MAX_MEMORY_MB} MB"
    print(f"{base.name}, {count:,} readers")
    readers = make_rows(0, count)
    baseline_seconds = measure_seconds(lambda: base.insert(readers))
    result = measure("import", base.url, base.folder, str(first))
    print_result("import into an empty list", result, base.baseline, baseline_seconds, goal)
    readers = make_rows(count // 2, count + count // 2)
    baseline_seconds = measure_seconds(lambda: base.insert(readers))
    result = measure("import", base.url, base.folder, str(second))
    print_result(
        "import, half of them already there",
        result,
        f"{base.baseline}, or ignore",
        baseline_seconds,
        goal,
    )
    readers.clear()
    baseline_seconds = measure_seconds(lambda: dump_csv(base))
    for kind in ("csv", "jsonl"):
        result = measure("export", base.url, base.folder, kind)
        print_result(f"export, {kind}", result, "bare SELECT and csv.writer", baseline_seconds)
    columns = "id, address, address_key, token, name, attributes"
    baseline_seconds = measure_seconds(lambda: sum(1 for _ in base.select(columns)))
    result = measure("audience", base.url, base.folder)
    print_result("select the audience", result, "bare SELECT", baseline_seconds)
    tag_readers(base)
    for query in ("status:bounced", "tag:vip", "joined >= 2026-11-23"):
        milliseconds = count_segment(base, query)
        print(f"  {'count ' + query:<34}{milliseconds:8.1f} ms{'':16}goal {MAX_COUNT_MS:.0f} ms")


def main(count: int, databases: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if "sqlite" in databases:
            run_benchmark(Sqlite(Path(folder)), count)
        if "postgresql" in databases:
            with running_server() as server:
                run_benchmark(Postgresql(Path(folder), server), count)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        run_child(*sys.argv[2:])
    else:
        counts = [int(arg.replace(",", "")) for arg in sys.argv[1:] if arg[0].isdigit()]
        databases = [arg for arg in sys.argv[1:] if not arg[0].isdigit()]
        main(counts[0] if counts else 200_000, databases or ["sqlite", "postgresql"])
