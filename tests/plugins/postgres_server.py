"""Fixtures: a real PostgreSQL server, started on first use; one database reused.

Creating and migrating a database takes a third of a second, emptying one a twentieth of that.
"""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from newsletter.db import open_database
from newsletter.db.postgresql.roles import JOB_QUEUE_TABLES, ROLES, roles_script
from newsletter.db.schema import metadata

# Of hosts in namespaces that a test has made; outside them the server listens on no address.
HOSTS_NETWORK = "10.231.7.0/24"
# Text is sorted as people sort it, on most servers and not on SQLite: "b" before "C", "_" ignored.
LINGUISTIC_ORDER = ("--locale-provider=icu", "--icu-locale=de-DE")
# Of the roles of these names: before the rule by which everybody else is trusted.
ACCESS_RULES = f"""\
local all with_password scram-sha-256
local all rejected reject
host all all {HOSTS_NETWORK} trust
"""
SETTINGS = "-c fsync=off -c max_connections=50"


@dataclass
class Server:
    """A running server, reached through its Unix socket.

    Attributes:
        programs: the folder of ``initdb``, ``pg_ctl`` and ``pg_basebackup``.
        folder: data, socket and log; short, since a socket's path is limited to 107 bytes.
        account: the user that runs it, if not the current one: PostgreSQL refuses to run as root.
    """

    programs: Path
    folder: Path
    account: str | None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _engines: dict[str, sa.Engine] = field(default_factory=dict)

    def url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def create(self) -> None:
        self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8",
                  "--locale=C", *LINGUISTIC_ORDER, "--no-sync")  # fmt: skip
        rules = self.folder / "data" / "pg_hba.conf"
        rules.write_text(ACCESS_RULES + rules.read_text())

    def create_standby_of(self, primary: "Server") -> None:
        self._run("pg_basebackup", f"--host={primary.folder}", "--username=postgres",
                  "--write-recovery-conf", "--checkpoint=fast", "--no-sync")  # fmt: skip

    def start(self, namespace: Path | None = None, address: str = "") -> None:
        """Start it; perhaps in a network namespace, where it listens on an address as well."""
        self._run("pg_ctl", "--wait", "--silent", f"--log={self.folder / 'log'}",
                  f"--options=-k {self.folder} -c listen_addresses={address} {SETTINGS}", "start",
                  namespace=namespace)  # fmt: skip

    def stop(self, mode: str = "immediate") -> None:
        """Stop it, as kill -9 does; or by ``fast``, once a standby has received everything."""
        self._run("pg_ctl", "--wait", "--silent", f"--mode={mode}", "stop")

    def promote(self) -> None:
        """Make a standby the primary server."""
        self._run("pg_ctl", "--wait", "--silent", "promote")

    def new_database(self) -> str:
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        with self.connected("postgres") as connection:
            connection.exec_driver_sql(statement)

    @contextmanager
    def connected(self, name: str) -> Iterator[sa.Connection]:
        """A connection to one of its databases, in autocommit mode."""
        # A new engine would ask each time what server it is.
        if name not in self._engines:
            self._engines[name] = sa.create_engine(
                sa.make_url(self.url(name)).set(drivername="postgresql+psycopg"),
                isolation_level="AUTOCOMMIT",
                poolclass=sa.NullPool,
            )
        with self._engines[name].connect() as connection:
            yield connection

    def take_connections(self, stack: ExitStack) -> None:
        """Open connections until the server refuses one more; the stack closes them."""
        conninfo = f"host={self.folder} user=postgres dbname=postgres"
        try:
            while True:
                stack.enter_context(psycopg.connect(conninfo))
        except psycopg.OperationalError as error:
            if "too many clients" not in str(error):
                raise

    def _run(self, program: str, *arguments: str, namespace: Path | None = None) -> None:
        user = pwd.getpwnam(self.account) if self.account else None
        command: list[str | Path] = [
            self.programs / program,
            "--pgdata",
            self.folder / "data",
            *arguments,
        ]
        if namespace and user:  # only root can enter it, so the program can't be run as the user
            ids = f"--setuid={user.pw_uid}", f"--setgid={user.pw_gid}"
            command, user = ["nsenter", f"--net={namespace}", *ids, *map(str, command)], None
        with (self.folder / "setup.log").open("ab") as log:
            code = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", check=False,
                user=user and user.pw_name, group=user and user.pw_gid,
                extra_groups=() if user else None,
            ).returncode  # fmt: skip
        if code:
            logs = "".join(path.read_text() for path in sorted(self.folder.glob("*log")))
            pytest.fail(f"{program} failed:\n{logs}", pytrace=False)


def programs() -> Path:
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not packaged:
        pytest.fail("no PostgreSQL server here: apt-get install postgresql", pytrace=False)
    return packaged[-1].parent


def account() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def server_in_new_folder() -> Iterator[Server]:
    server = Server(programs(), Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp")), account())
    try:
        if server.account:
            shutil.chown(server.folder, server.account)
        yield server
    finally:
        shutil.rmtree(server.folder)


@contextmanager
def running_server() -> Iterator[Server]:
    with server_in_new_folder() as server:
        server.create()
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def standby_server(postgres_server: Server, postgres_url: str) -> Iterator[Server]:
    """A hot standby of the server, with the database of ``postgres_url``."""
    assert postgres_url
    with server_in_new_folder() as standby:
        standby.create_standby_of(postgres_server)
        standby.start()
        yield standby
        standby.stop()


# What a test may change: columns, constraints, indexes, triggers, functions, rules, settings.
SCHEMA_HASH = """
SELECT md5(string_agg(part, ',' ORDER BY part)) FROM (
  SELECT concat_ws('|', 'column', c.relname, a.attname, a.atttypid, a.atttypmod, a.attnotnull,
                   a.attisdropped, c.relrowsecurity, pg_get_expr(d.adbin, d.adrelid))
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws('|', 'constraint', conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws('|', 'index', indexdef) FROM pg_indexes WHERE schemaname = 'public'
  UNION ALL SELECT concat_ws('|', 'trigger', pg_get_triggerdef(oid), tgenabled)
    FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL SELECT concat_ws('|', 'function', proname, prosrc)
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws('|', 'rule', rulename, definition)
    FROM pg_rules WHERE schemaname = 'public'
  UNION ALL SELECT concat_ws('|', 'schema', nspname) FROM pg_namespace WHERE nspname !~ '^pg_'
  UNION ALL SELECT concat_ws('|', 'setting', setconfig::text) FROM pg_db_role_setting
  UNION ALL SELECT concat_ws('|', 'version', version_num) FROM newsletter_version
) AS parts(part)
"""
DISCONNECT_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
ALL_TABLES = (*metadata.tables, *JOB_QUEUE_TABLES)
TRUNCATE_ALL = f"TRUNCATE {', '.join(ALL_TABLES)} RESTART IDENTITY CASCADE"
# Takes a thirtieth of the time, since no file is made anew. What is deleted stays in the file, so
# tables of more than a page are truncated: there, rows would no longer lie in the order of inserts.
DELETE_ALL = ";".join(
    f"DELETE FROM {name}"  # noqa: S608 - names of ours
    for name in ALL_TABLES
)
RESTART_IDENTITY = """
SELECT setval(oid::regclass, 1, false)
FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace
"""
HAS_LARGE_TABLE = """
SELECT count(*) > 0 FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 8192
"""


class ReusedDatabase:
    """A database at the newest schema; if a test has changed its schema, it is replaced."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._name = ""
        self._schema_hash = ""

    def reset(self) -> str:
        """Remove all rows and connections of the previous test; return the URL."""
        if not (self._name and self._try_truncate()):
            self._name = self._server.new_database()
            open_database(self._server.url(self._name), Path()).dispose()
            with self._server.connected(self._name) as connection:
                self._schema_hash = connection.exec_driver_sql(SCHEMA_HASH).scalar_one()
        return self._server.url(self._name)

    def _try_truncate(self) -> bool:
        """Remove all rows; return ``False`` if the schema has been changed."""
        with self._server.connected(self._name) as connection:
            connection.exec_driver_sql(DISCONNECT_OTHERS)
            connection.exec_driver_sql("SET session_replication_role = replica")
            try:
                schema_hash = connection.exec_driver_sql(SCHEMA_HASH).scalar()
            except sa.exc.ProgrammingError:  # the table of the migrations' version is gone
                schema_hash = None
            if schema_hash == self._schema_hash:
                # The triggers that keep the journal append-only are disabled in this session.
                is_large = connection.exec_driver_sql(HAS_LARGE_TABLE).scalar_one()
                statements = [TRUNCATE_ALL] if is_large else [DELETE_ALL, RESTART_IDENTITY]
                for statement in statements:
                    connection.exec_driver_sql(statement)
                return True
        self._server.drop(self._name)
        return False


@pytest.fixture(scope="session")
def reused_database(postgres_server: Server) -> ReusedDatabase:
    return ReusedDatabase(postgres_server)


@pytest.fixture
def postgres_url(reused_database: ReusedDatabase) -> str:
    """The URL of an empty database at the newest schema."""
    return reused_database.reset()


@pytest.fixture
def new_postgres_url(postgres_server: Server) -> Iterator[str]:
    """The URL of a database without tables."""
    name = postgres_server.new_database()
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Run the test twice: on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return "sqlite:///newsletter.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file at the newest schema, for copying."""
    folder = tmp_path_factory.mktemp("migrated")
    open_database("sqlite:///newsletter.db", folder).dispose()
    return folder / "newsletter.db"


@pytest.fixture
def engine(database_url: str, tmp_path: Path, migrated_file: Path) -> Iterator[sa.Engine]:
    """An empty database at the newest schema, on SQLite and on PostgreSQL."""
    if database_url.startswith("sqlite"):
        shutil.copy(migrated_file, tmp_path)
    opened = open_database(database_url, tmp_path)
    yield opened
    opened.dispose()


@contextmanager
def login_in_role(server: Server, url: str, role: str, connection_limit: int = -1) -> Iterator[str]:
    """Yield the URL of a user in one of the roles of ``newsletter db roles``.

    Args:
        server: the server.
        url: the owner's, of a database with all tables.
        role: ``editor``, ``web`` or ``reader``.
        connection_limit: how many connections the user may have; -1 for as many as there are.
    """
    name = sa.make_url(url).database
    users = [f"{name}_{role}" for role in ROLES]
    login = f"{name}_user"
    with server.connected(str(name)) as connection:
        for _ in range(2):  # as after an update
            subprocess.run(
                [server.programs / "psql", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={url}"],
                input=roles_script(str(name)), text=True, check=True,
            )  # fmt: skip
        connection.exec_driver_sql(
            f"CREATE ROLE {login} LOGIN CONNECTION LIMIT {connection_limit} IN ROLE {name}_{role}"
        )
        try:
            yield url.replace("postgres@", f"{login}@")
        finally:
            connection.exec_driver_sql(DISCONNECT_OTHERS)
            for user in (*users, login):
                connection.exec_driver_sql(f"DROP OWNED BY {user}; DROP ROLE {user}")
