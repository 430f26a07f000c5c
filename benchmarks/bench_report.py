"""A report on both databases: time and peak memory, beside a bare SELECT over the same events.

``python benchmarks/bench_report.py [READERS] [sqlite|postgresql]``; three to four events a reader,
opens and clicks among them. The baseline fetches type, address and time of the send's events with
the bare driver, and does nothing with them.
"""

import datetime
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "plugins"))

from made_up_send import AT, MadeUp, make_send
from postgres_server import Server, account, programs

from newsletter.config.load import load_config
from newsletter.db import open_database, read_transaction
from newsletter.reports.comparison import list_started_sends
from newsletter.reports.report import build_send_report

CONFIG = Path(__file__).parent.parent / "newsletter.yml"
BARE = "SELECT type, address_key, at FROM event WHERE send_id = 1"


def child(job: str, url: str, folder: Path) -> None:
    """One job in a process of its own, so that its memory is its own."""
    start = time.perf_counter()
    count = {"report": reported, "bare": fetched}[job](url, folder)
    seconds = time.perf_counter() - start
    # Not getrusage, which counts what the parent had before exec.
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
    print(json.dumps({"count": count, "seconds": seconds, "peak": peak}))


def reported(url: str, folder: Path) -> int:
    engine = open_database(url, folder)
    with read_transaction(engine) as connection:
        (of,) = list_started_sends(connection)
        config = load_config(CONFIG, {})
        found = build_send_report(connection, of, config, AT + datetime.timedelta(days=7))
    assert found.counts.delivery.total == found.sent
    return found.sent


def fetched(url: str, folder: Path) -> int:
    if url.startswith("sqlite"):
        connection = sqlite3.connect(folder / "report.db")
        return sum(1 for _ in connection.execute(BARE))
    import psycopg

    with psycopg.connect(url) as bare, bare.cursor(name="all") as cursor:
        cursor.itersize = 5_000
        cursor.execute(BARE)
        return sum(1 for _ in cursor)


def measured(job: str, url: str, folder: Path) -> tuple[int, float, int]:
    """How many, seconds, and peak memory in MB."""
    command = [sys.executable, __file__, "--child", job, url, str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(run.stdout)
    return told["count"], told["seconds"], told["peak"]


def bench(name: str, url: str, folder: Path, readers: int) -> None:
    engine = open_database(url, folder)
    make_send(engine, MadeUp(readers=readers))
    if name == "PostgreSQL":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")
    engine.dispose()
    events, theirs, least = measured("bare", url, folder)
    _, ours, peak = measured("report", url, folder)
    print(f"{name}, {readers:,} readers, {events:,} events")
    print(f"  {'report':<34}{ours:8.2f} s  {ours / theirs:5.2f} x  {peak:>5} MB")
    print(f"    {'bare SELECT':<32}{theirs:8.2f} s{'':10}{least:>5} MB")


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


def main(readers: int, databases: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if "sqlite" in databases:
            bench("SQLite", "sqlite:///report.db", Path(folder), readers)
        if "postgresql" in databases:
            with postgresql() as server:
                bench("PostgreSQL", server.url(server.new_database()), Path(folder), readers)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
    else:
        numbers = [int(word.replace(",", "")) for word in sys.argv[1:] if word[0].isdigit()]
        named = [word for word in sys.argv[1:] if not word[0].isdigit()]
        main(numbers[0] if numbers else 50_000, named or ["sqlite", "postgresql"])
