"""``newsletter db copy``, from SQLite to PostgreSQL and back, against bare COPY of the same rows.

``python benchmarks/bench_db_copy.py [READERS]``: a list with its consents, and an issue planned for
all of it. The baseline moves the rows with the bare drivers, into tables with the same indexes; it
compares nothing, and can't go on where it was stopped. PostgreSQL runs with fsync on.
"""

# ruff: noqa: S608 - the names are those of the schema

import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg

from benchmarks.bench_list import write_csv
from benchmarks.command_line import CommandLine
from benchmarks.durable_server import DurableServer, durable_server, get_cpu_seconds
from newsletter.db import open_database
from newsletter.db.schema import metadata

ISSUE = "2026-12-01-ice"
PAGE = 10_000
BOOLEANS = {
    (table.name, column.name)
    for table in metadata.tables.values()
    for column in table.columns
    if column.type.__class__.__name__ == "Boolean"
}
Measured = tuple[float, float]


def measure(work: Callable[[], object], server: DurableServer) -> Measured:
    """Return the seconds, and the CPU seconds of this process, its children and the server."""

    def cpu() -> float:
        return sum(os.times()[:4]) + get_cpu_seconds(server.pid)

    before, start = cpu(), time.perf_counter()
    work()
    return time.perf_counter() - start, cpu() - before


def list_tables(file: Path) -> list[tuple[str, list[str]]]:
    """Return the tables that have rows, parents first, each with its columns."""
    with closing(sqlite3.connect(file)) as connection:
        return [
            (table.name, [column.name for column in table.columns])
            for table in metadata.sorted_tables
            if connection.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone()
        ]


def copy_bare(file: Path, url: str) -> int:
    """Copy all rows into PostgreSQL, in one transaction."""
    count = 0
    with closing(sqlite3.connect(file)) as source, psycopg.connect(url) as target:
        target.execute("SET session_replication_role = replica")
        for name, columns in list_tables(file):
            target.execute(f"TRUNCATE {name} CASCADE")
            names = ", ".join(f'"{column}"' for column in columns)
            with (
                target.cursor() as cursor,
                cursor.copy(f"COPY {name} ({names}) FROM STDIN") as copy,
            ):
                for row in source.execute(f"SELECT {names} FROM {name}"):
                    copy.write_row(row)
                    count += 1
    return count


def copy_bare_back(url: str, file: Path) -> None:
    """Copy all rows into SQLite, in one transaction."""
    with psycopg.connect(url) as source, closing(sqlite3.connect(file)) as target:
        target.execute("PRAGMA synchronous = FULL")
        for table in metadata.sorted_tables:
            columns = [
                f"{column.name}::int"
                if (table.name, column.name) in BOOLEANS
                else f'"{column.name}"::text'
                for column in table.columns
            ]
            target.execute(f"DELETE FROM {table.name}")
            insert = f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(columns))})"
            with source.cursor(name="all") as cursor:
                cursor.itersize = PAGE
                cursor.execute(f"SELECT {', '.join(columns)} FROM {table.name}")
                while rows := cursor.fetchmany(PAGE):
                    target.executemany(insert, rows)
        target.commit()


def print_rows(job: str, result: Measured, baseline: str, bare: Measured) -> None:
    seconds, cpu = result
    print(f"  {job:<34}{seconds:8.2f} s {seconds / bare[0]:6.2f} x   CPU {cpu:7.2f} s "
          f"{cpu / bare[1]:6.2f} x\n    {baseline:<32}{bare[0]:8.2f} s {'':12}CPU {bare[1]:7.2f} s",
          flush=True)  # fmt: skip


def main(readers: int) -> None:
    with tempfile.TemporaryDirectory() as name, durable_server() as server:
        for database in ("notes", "bare"):
            server.execute(f"CREATE DATABASE {database}")
        folder = Path(name)
        file, bare_file = folder / "newsletter.db", folder / "bare.db"
        line = CommandLine(folder, "sqlite:///newsletter.db", "http://127.0.0.1:9")
        line.make_folder()
        line.write_issue(ISSUE)
        write_csv(folder / "readers.csv", 0, readers)
        line.run("subscribers", "import", "readers.csv")
        line.run("plan", ISSUE)
        shutil.copy(file, bare_file)
        open_database(server.url("bare"), folder).dispose()
        open_database("sqlite:///bare-back.db", folder).dispose()

        count = 0

        def run_bare() -> None:
            nonlocal count
            count = copy_bare(bare_file, server.url("bare"))

        bare = measure(run_bare, server)
        print(f"{readers:,} readers, {count:,} rows\n{server.describe()}")
        url = server.url("notes")
        result = measure(lambda: line.run("db", "copy", line.database, url, "--yes"), server)
        print_rows("db copy, SQLite to PostgreSQL", result, "SELECT and COPY", bare)
        bare = measure(lambda: copy_bare_back(server.url("bare"), folder / "bare-back.db"), server)
        result = measure(lambda: line.run("db", "copy", url, "sqlite:///back.db", "--yes"), server)
        print_rows("db copy, PostgreSQL to SQLite", result, "SELECT and executemany", bare)


if __name__ == "__main__":
    main(int(sys.argv[1].replace(",", "")) if sys.argv[1:] else 200_000)
