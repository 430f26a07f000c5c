"""Report of a send: time and peak memory, against a bare SELECT.

``python benchmarks/bench_report.py [READERS] [sqlite|postgresql]``; both databases without the
second argument; three to four events per reader, opens and clicks among them. The baseline fetches
type, address and time of the send's events with the bare driver, and does nothing with them.
"""

import datetime
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "plugins"))

from made_up_send import AT, SampleSend, make_send
from postgres_server import running_server

from newsletter.config.load import load_config
from newsletter.db import open_database, read_transaction
from newsletter.reports.comparison import list_started_sends
from newsletter.reports.report import build_send_report

CONFIG = Path(__file__).parent.parent / "newsletter.yml"
BASELINE_QUERY = "SELECT type, address_key, at FROM event WHERE send_id = 1"


def run_child(job: str, url: str, folder: Path) -> None:
    """Run one job in its own process, so that its memory can be measured."""
    start = time.perf_counter()
    count = {"report": run_report, "bare": run_baseline}[job](url, folder)
    seconds = time.perf_counter() - start
    # Not getrusage, which includes the parent's memory before exec.
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
    print(json.dumps({"count": count, "seconds": seconds, "peak": peak}))


def run_report(url: str, folder: Path) -> int:
    engine = open_database(url, folder)
    with read_transaction(engine) as connection:
        now = AT + datetime.timedelta(days=7)
        (send,) = list_started_sends(connection, now)
        report = build_send_report(connection, send, load_config(CONFIG, {}), now)
    assert report.counts.delivery.total == report.sent
    return report.sent


def run_baseline(url: str, folder: Path) -> int:
    if url.startswith("sqlite"):
        connection = sqlite3.connect(folder / "report.db")
        return sum(1 for _ in connection.execute(BASELINE_QUERY))
    import psycopg

    with psycopg.connect(url) as bare, bare.cursor(name="all") as cursor:
        cursor.itersize = 5_000
        cursor.execute(BASELINE_QUERY)
        return sum(1 for _ in cursor)


def measure(job: str, url: str, folder: Path) -> tuple[int, float, int]:
    """Return the count, the seconds, and the peak memory in MB."""
    command = [sys.executable, __file__, "--child", job, url, str(folder)]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(process.stdout)
    return result["count"], result["seconds"], result["peak"]


def run_benchmark(name: str, url: str, folder: Path, readers: int) -> None:
    engine = open_database(url, folder)
    make_send(engine, SampleSend(readers=readers))
    if name == "PostgreSQL":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")
    engine.dispose()
    events, baseline_seconds, baseline_peak = measure("bare", url, folder)
    _, seconds, peak = measure("report", url, folder)
    print(f"{name}, {readers:,} readers, {events:,} events")
    print(f"  {'report':<34}{seconds:8.2f} s  {seconds / baseline_seconds:5.2f} x  {peak:>5} MB")
    print(f"    {'bare SELECT':<32}{baseline_seconds:8.2f} s{'':10}{baseline_peak:>5} MB")


def main(readers: int, databases: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if "sqlite" in databases:
            run_benchmark("SQLite", "sqlite:///report.db", Path(folder), readers)
        if "postgresql" in databases:
            with running_server() as server:
                run_benchmark(
                    "PostgreSQL", server.url(server.new_database()), Path(folder), readers
                )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        run_child(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
    else:
        counts = [int(arg.replace(",", "")) for arg in sys.argv[1:] if arg[0].isdigit()]
        databases = [arg for arg in sys.argv[1:] if not arg[0].isdigit()]
        main(counts[0] if counts else 50_000, databases or ["sqlite", "postgresql"])
