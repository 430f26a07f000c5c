"""A PostgreSQL server as in use, with fsync on, and the CPU time of processes."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "plugins"))

from postgres_server import Server, account, programs

SHOWN_SETTINGS = ("server_version", "fsync", "synchronous_commit", "shared_buffers",
                  "max_wal_size", "work_mem", "autovacuum")  # fmt: skip
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class DurableServer(Server):
    """A server on a Unix socket whose commits survive a crash, unlike that of the tests.

    Attributes:
        settings: of postgresql.conf, other than the defaults.
    """

    settings: Mapping[str, str] = field(default_factory=dict)

    def create(self) -> None:
        self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8",
                  "--locale=C.UTF-8")  # fmt: skip

    def start(self, namespace: Path | None = None, address: str = "") -> None:
        settings = {"listen_addresses": address, **self.settings}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._run("pg_ctl", "--wait", "--silent", f"--log={self.folder / 'log'}",
                  f"--options=-k {self.folder} {options}", "start",
                  namespace=namespace)  # fmt: skip

    def stop(self, mode: str = "fast") -> None:
        super().stop(mode)

    @property
    def pid(self) -> int:
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def query(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        """Execute one statement, in a connection of its own."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def describe(self) -> str:
        values = [f"{name} {self.query('postgres', f'SHOW {name}')[0][0]}"
                  for name in SHOWN_SETTINGS]  # fmt: skip
        return "PostgreSQL: " + ", ".join(values)


@contextmanager
def durable_server(
    settings: Mapping[str, str] | None = None, folder: Path | None = None
) -> Iterator[DurableServer]:
    """Run a server.

    Args:
        settings: of postgresql.conf.
        folder: of its data, which is kept, and used again if it has some; its path must be short.
            By default a temporary one.
    """
    # A benchmark that is killed must not leave a server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    place = folder or Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    place.mkdir(parents=True, exist_ok=True)
    server = DurableServer(programs(), place, account(), settings=settings or {})
    try:
        if server.account:
            shutil.chown(place, server.account)
        if not (place / "data" / "PG_VERSION").exists():
            server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        if folder is None:
            shutil.rmtree(place)


def get_cpu_seconds(*roots: int) -> float:
    """Return the CPU seconds that processes and all their descendants have used so far.

    Of those that have ended, what their parents have waited for is counted.
    """
    times: dict[int, tuple[int, float, float]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text()
            except OSError:
                continue  # it has ended
            fields = text.rpartition(")")[2].split()
            own, waited = (sum(map(int, fields[at : at + 2])) / _TICKS for at in (11, 13))
            times[int(folder.name)] = int(fields[1]), own, waited
    included = set(roots)
    found = True
    while found:
        found = False
        for pid, (parent, _, _) in times.items():
            if parent in included and pid not in included:
                included.add(pid)
                found = True
    return sum(times[pid][1] + times[pid][2] for pid in included if pid in times)


def get_machine_cpu_seconds() -> tuple[float, float]:
    """Return the CPU seconds that the whole machine was busy, and those that there were."""
    values = [int(text) for text in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    idle = values[3] + values[4]
    return (sum(values) - idle) / _TICKS, sum(values) / _TICKS
