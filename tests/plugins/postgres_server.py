"""A real PostgreSQL for the tests: started on first use, one new database a test."""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import open_database

SOCKET_ONLY = "-c listen_addresses= -c fsync=off -c max_connections=50"


@dataclass
class Server:
    """A running server, reached by its Unix socket.

    Attributes:
        programs: the folder of ``initdb`` and ``pg_ctl``.
        folder: data, socket and log; short, since a socket's path is limited to 107 bytes.
        account: who runs it: PostgreSQL refuses to run as root.
    """

    programs: Path
    folder: Path
    account: str | None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def start(self) -> None:
        self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8",
                  "--locale=C", "--no-sync")  # fmt: skip
        self._run("pg_ctl", "--wait", "--silent", f"--log={self.folder / 'log'}",
                  f"--options=-k {self.folder} {SOCKET_ONLY}", "start")  # fmt: skip

    def stop(self) -> None:
        self._run("pg_ctl", "--wait", "--silent", "--mode=immediate", "stop")

    def new_database(self) -> str:
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        engine = sa.create_engine(
            sa.make_url(self.url("postgres")).set(drivername="postgresql+psycopg"),
            isolation_level="AUTOCOMMIT",
        )
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def _run(self, program: str, *arguments: str) -> None:
        group = pwd.getpwnam(self.account).pw_gid if self.account else None
        with (self.folder / "setup.log").open("ab") as log:
            code = subprocess.run(
                [self.programs / program, "--pgdata", self.folder / "data", *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", check=False,
                user=self.account, group=group, extra_groups=() if self.account else None,
            ).returncode  # fmt: skip
        if code:
            said = "".join(path.read_text() for path in sorted(self.folder.glob("*log")))
            pytest.fail(f"{program} failed:\n{said}", pytrace=False)


def programs() -> Path:
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not packaged:
        pytest.fail("no PostgreSQL server here: apt-get install postgresql", pytrace=False)
    return packaged[-1].parent


def account() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    server = Server(programs(), Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp")), account())
    try:
        if server.account:
            shutil.chown(server.folder, server.account)
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(server.folder)


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """The URL of an empty database that this test has for itself."""
    name = postgres_server.new_database()
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Runs the test twice: on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return "sqlite:///newsletter.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def engine(database_url: str, tmp_path: Path) -> Iterator[sa.Engine]:
    """A new database at the newest schema; runs the test on SQLite and on PostgreSQL."""
    opened = open_database(database_url, tmp_path)
    yield opened
    opened.dispose()
