"""The list, on both databases: import, import again, export, audience, count; speed and memory.

``python benchmarks/bench_list.py [READERS] [sqlite|postgresql]``; the baselines do the database's
part of each job with the bare driver, and nothing else.
"""

import csv
import datetime
import json
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "plugins"))

from postgres_server import Server, account, programs

from newsletter.config.load import load_config
from newsletter.db import open_database, read_transaction
from newsletter.db.schema import subscriber, subscriber_tag
from newsletter.subscribers import count_subscribers, iter_audience
from newsletter.subscribers.export import ExportOptions, export_subscribers
from newsletter.subscribers.importing.import_list import ListImportOptions, import_subscriber_file
from newsletter.subscribers.segments import find_segment

NOW = datetime.datetime(2026, 11, 22, 9, tzinfo=datetime.UTC)
HEADER = ("email", "name", "city", "age")
NAMES = ("address", "address_key", "name", "status", "attributes", "token", "source", "joined_at",
         "confirmed_at", "soft_bounces", "updated_at")  # fmt: skip
MOST_TIMES = 3.0
MOST_MEMORY = 150
MOST_COUNT = 100.0
CONFIG = Path(__file__).parent.parent / "newsletter.yml"


def people(first: int, last: int) -> Iterator[tuple[str, str, str, str]]:
    cities = ("Bergen", "Oslo", "Troms\u00f8", "Bod\u00f8")
    for number in range(first, last):
        address = f"reader.{number}@{'example' if number % 3 else 'quay'}{number % 50}.org"
        yield address, f"Ada {number} O'Neill", cities[number % 4], str(18 + number % 70)


def write_csv(path: Path, first: int, last: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(people(first, last))


def rows(first: int, last: int) -> list[tuple[Any, ...]]:
    """The same readers as rows of the table."""
    now = NOW.isoformat(timespec="microseconds")
    return [
        (address, address, name, "active", f'{{"city":"{city}","age":{age}}}',
         secrets.token_urlsafe(16), f"import readers.csv:{line}", now, None, 0, now)
        for line, (address, name, city, age) in enumerate(people(first, last), 2)
    ]  # fmt: skip


# What is measured, each in a process of its own.


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


def child(job: str, url: str, folder: str, argument: str) -> None:
    start = time.perf_counter()
    count = JOBS[job](url, Path(folder), argument)
    seconds = time.perf_counter() - start
    # Not getrusage, which counts what the parent had before exec.
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
    print(json.dumps({"count": count, "seconds": seconds, "peak": peak}))


def measured(job: str, url: str, folder: Path, argument: str = "") -> tuple[float, int]:
    """Seconds and peak memory in MB."""
    command = [sys.executable, __file__, "--child", job, url, str(folder), argument]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(run.stdout)
    return told["seconds"], told["peak"]


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# The baselines.


class Sqlite:
    name = "SQLite"
    how = "bare sqlite3 executemany"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = "sqlite:///list.db"
        open_database("sqlite:///bare.db", folder).dispose()
        self.bare = sqlite3.connect(folder / "bare.db", isolation_level=None)
        self.bare.execute("PRAGMA synchronous = FULL")

    def insert(self, readers: list[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * len(NAMES))
        self.bare.execute("BEGIN IMMEDIATE")
        self.bare.executemany(
            f"INSERT OR IGNORE INTO subscriber ({', '.join(NAMES)}) VALUES ({marks})",  # noqa: S608
            readers,
        )
        self.bare.execute("COMMIT")

    def select(self, columns: str) -> Iterator[tuple[Any, ...]]:
        yield from self.bare.execute(f"SELECT {columns} FROM subscriber ORDER BY id")  # noqa: S608


class Postgresql:
    name = "PostgreSQL"
    how = "bare COPY"

    def __init__(self, folder: Path, server: Server) -> None:
        import psycopg

        self.folder = folder
        self.url = server.url(server.new_database())
        bare = server.url(server.new_database())
        open_database(bare, folder).dispose()
        self.bare = psycopg.connect(bare)

    def insert(self, readers: list[tuple[Any, ...]]) -> None:
        listed = ", ".join(NAMES)
        with self.bare.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE staged (LIKE subscriber) ON COMMIT DROP")
            cursor.execute("ALTER TABLE staged DROP COLUMN id")
            with cursor.copy(f"COPY staged ({listed}) FROM STDIN") as copy:
                for row in readers:
                    copy.write_row(row)
            cursor.execute(
                f"INSERT INTO subscriber ({listed}) SELECT {listed} FROM staged "  # noqa: S608
                "ON CONFLICT (address_key) DO NOTHING"
            )
        self.bare.commit()

    def select(self, columns: str) -> Iterator[tuple[Any, ...]]:
        with self.bare.cursor(name="all") as cursor:
            cursor.itersize = 5_000
            cursor.execute(f"SELECT {columns} FROM subscriber ORDER BY id")  # noqa: S608
            yield from cursor


def dump(base: Sqlite | Postgresql) -> None:
    with (base.folder / "bare.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(base.select(", ".join(NAMES)))


def tell(what: str, ours: tuple[float, int], baseline: str, theirs: float, goal: str = "") -> None:
    seconds, peak = ours
    memory = f"{peak} MB"
    print(f"  {what:<34}{seconds:8.2f} s  {seconds / theirs:5.2f} x  {memory:>7}  {goal}")
    print(f"    {baseline:<32}{theirs:8.2f} s")


def count_segment(base: Sqlite | Postgresql, query: str) -> float:
    """Milliseconds, the median of nine."""
    config = load_config(CONFIG, {})
    engine = open_database(base.url, base.folder)
    times = []
    for _ in range(9):
        with read_transaction(engine) as connection:
            segment = find_segment(connection, query, config, NOW)
            times.append(timed(lambda: count_subscribers(connection, segment.condition)))  # noqa: B023
    engine.dispose()
    return sorted(times)[4] * 1000


def tag_some(base: Sqlite | Postgresql) -> None:
    """One reader in fifty is a VIP."""
    engine = open_database(base.url, base.folder)
    with engine.begin() as connection:
        some = sa.select(subscriber.c.id, sa.literal("vip")).where(subscriber.c.id % 50 == 0)
        connection.execute(sa.insert(subscriber_tag).from_select(["subscriber_id", "tag"], some))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()


def bench(base: Sqlite | Postgresql, count: int) -> None:
    first, second = base.folder / "readers.csv", base.folder / "again.csv"
    write_csv(first, 0, count)
    write_csv(second, count // 2, count + count // 2)
    goal = f"goal {MOST_TIMES:.0f} x, {MOST_MEMORY} MB"
    print(f"{base.name}, {count:,} readers")
    readers = rows(0, count)
    theirs = timed(lambda: base.insert(readers))
    ours = measured("import", base.url, base.folder, str(first))
    tell("import into an empty list", ours, base.how, theirs, goal)
    readers = rows(count // 2, count + count // 2)
    theirs = timed(lambda: base.insert(readers))
    ours = measured("import", base.url, base.folder, str(second))
    tell("import, half of them there", ours, f"{base.how}, or ignore", theirs, goal)
    readers.clear()
    theirs = timed(lambda: dump(base))
    for kind in ("csv", "jsonl"):
        ours = measured("export", base.url, base.folder, kind)
        tell(f"export, {kind}", ours, "bare SELECT and csv.writer", theirs)
    columns = "id, address, address_key, token, name, attributes"
    theirs = timed(lambda: sum(1 for _ in base.select(columns)))
    ours = measured("audience", base.url, base.folder)
    tell("select the audience", ours, "bare SELECT", theirs)
    tag_some(base)
    for query in ("status:bounced", "tag:vip", "joined >= 2026-11-23"):
        spent = count_segment(base, query)
        print(f"  {'count ' + query:<34}{spent:8.1f} ms{'':16}goal {MOST_COUNT:.0f} ms")


@contextmanager
def postgresql() -> Iterator[Server]:
    server = Server(programs(), Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp")), account())
    try:
        if server.account:
            shutil.chown(server.folder, server.account)
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(server.folder)


def main(count: int, databases: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if "sqlite" in databases:
            bench(Sqlite(Path(folder)), count)
        if "postgresql" in databases:
            with postgresql() as server:
                bench(Postgresql(Path(folder), server), count)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        numbers = [int(word.replace(",", "")) for word in sys.argv[1:] if word[0].isdigit()]
        named = [word for word in sys.argv[1:] if not word[0].isdigit()]
        main(numbers[0] if numbers else 200_000, named or ["sqlite", "postgresql"])
