"""What an administrator is told when PostgreSQL refuses: what, where, and what to do next."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from postgres_server import ReusedDatabase, Server

from newsletter.cli.main import run_cli
from newsletter.db import database_engine, open_database
from newsletter.db.postgresql.server_errors import translate_postgresql_error
from newsletter.db.schema import setting, subscriber
from newsletter.errors import DatabaseError, DatabaseUnavailableError, Location

ROLES = ("limited", "with_password", "rejected")


@pytest.fixture(scope="module")
def server(postgres_server: Server) -> Iterator[Server]:
    for role in ROLES:
        postgres_server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 's3cret'")
    yield postgres_server
    for role in ROLES:
        postgres_server.execute(f"DROP ROLE {role}")


@pytest.fixture
def url(server: Server, reused_database: ReusedDatabase) -> str:
    assert server.folder.is_dir()
    return reused_database.reset()


@pytest.fixture
def new_url(server: Server, new_postgres_url: str) -> str:
    """A database without tables."""
    assert server.folder.is_dir()
    return new_postgres_url


def name_of(url: str) -> str:
    return str(sa.make_url(url).database)


def as_role(url: str, role: str) -> str:
    return url.replace("postgres@", f"{role}:s3cret@")


def fail_to_open(url: str, root: Path) -> DatabaseError:
    with pytest.raises(DatabaseError) as caught:
        open_database(url, root)
    (problem,) = caught.value.problems
    assert problem.remedy
    assert problem.where
    assert str(sa.make_url(url).database) in str(problem.where)
    assert "s3cret" not in str(problem)
    return caught.value


UNUSABLE_URLS = {
    "a role with a wrong password": (
        lambda url: as_role(url, "with_password").replace("s3cret", "s3cretive"),
        'password authentication failed for user "with_password". Correct the user and the',
    ),
    "no password": (
        lambda url: url.replace("postgres@", "with_password@"),
        "no password supplied. Correct the user and the password",
    ),
    "a role that pg_hba.conf rejects": (
        lambda url: as_role(url, "rejected"),
        "Let pg_hba.conf on the server allow this role",
    ),
    "no such role": (lambda url: as_role(url, "nobody"), 'role "nobody" does not exist. Create it'),
    "no such database": (
        lambda url: str(sa.make_url(url).set(database="nowhere")),
        'database "nowhere" does not exist. Create it: createdb --encoding=UTF8',
    ),
    "an unknown option": (lambda url: f"{url}&pool=3", "has an unknown option: pool. Take it out"),
    "a misspelled option": (lambda url: f"{url}&sslmod=x", "option: sslmod. Did you mean sslmode?"),
    "an argument of the driver": (
        lambda url: f"{url}&row_factory=x",
        "has an unknown option: row_factory",
    ),
    "an option twice": (lambda url: f"{url}&sslmode=a&sslmode=b", "sslmode more than once"),
    "an option's wrong value": (
        lambda url: f"{url}&sslmode=x",
        'invalid sslmode value: "x". Correct the options in the URL',
    ),
    "not a number": (
        lambda url: f"{url}&connect_timeout=x",
        "bad value for connect_timeout: 'x'. Correct the options in the URL",
    ),
    "a setting that the server doesn't know": (
        lambda url: f"{url}&options=-cnothing%3D1",
        "Correct the options in the URL",
    ),
    "when to prepare": (
        lambda url: f"{url}&prepare_threshold=-1",
        "neither none nor a number: -1",
    ),
}


@pytest.mark.parametrize(("change", "expected"), UNUSABLE_URLS.values(), ids=UNUSABLE_URLS)
def test_url_that_can_not_be_used(
    change: Callable[[str], str], expected: str, url: str, tmp_path: Path
) -> None:
    error = fail_to_open(change(url), tmp_path)
    assert expected in str(error)
    assert not isinstance(error, DatabaseUnavailableError)


ATTEMPT = 'connection to server at "::1", port 5432 failed: '
REFUSAL = 'password authentication failed for user "ada"'


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (f"{ATTEMPT}FATAL:  {REFUSAL}\n{ATTEMPT}FATAL:  {REFUSAL}", f"{REFUSAL}. Correct"),
        (f"{ATTEMPT}closed\n\tThis probably means the server terminated", "closed. Start"),
    ],
)
def test_failure_is_displayed_once(words: str, expected: str) -> None:
    """With sslmode=prefer the client library tries twice, with and without TLS."""
    where = Location("newsletter.yml")
    error = psycopg.OperationalError(f"connection failed: {words}")
    translated = translate_postgresql_error(error, "", where, "", None)
    assert f'server at "::1", port 5432: {expected}' in str(translated)


@pytest.mark.parametrize(
    ("statement", "undo", "expected"),
    [
        (
            "ALTER ROLE limited CONNECTION LIMIT 0",
            "ALTER ROLE limited CONNECTION LIMIT -1",
            'too many connections for role "limited". End other programs that use it, or raise',
        ),
        (
            "ALTER DATABASE {name} ALLOW_CONNECTIONS false",
            "ALTER DATABASE {name} ALLOW_CONNECTIONS true",
            "is not currently accepting connections. Wait until the server is up",
        ),
    ],
)
def test_server_that_takes_no_connection_now(
    statement: str, undo: str, expected: str, server: Server, url: str, tmp_path: Path
) -> None:
    server.execute(statement.format(name=name_of(url)))
    try:
        error = fail_to_open(as_role(url, "limited"), tmp_path)
    finally:
        server.execute(undo.format(name=name_of(url)))
    assert expected in str(error)
    assert isinstance(error, DatabaseUnavailableError)


def test_server_without_tls(server: Server, url: str, tmp_path: Path) -> None:
    """The server answers on its socket; the driver asks for TLS only over TCP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def refuse_tls() -> None:
            client, _ = listener.accept()
            with client, socket.socket(socket.AF_UNIX) as real:
                real.connect(f"{server.folder}/.s.PGSQL.5432")
                real.sendall(client.recv(8))  # SSLRequest
                client.sendall(real.recv(1))

        relay = threading.Thread(target=refuse_tls)
        relay.start()
        address = f"postgresql://ada:s3cret@127.0.0.1:{port}/{name_of(url)}?sslmode=verify-full"
        expected = "server does not support SSL, but SSL was required. Turn TLS on at the server"
        assert expected in str(fail_to_open(f"{address}&sslrootcert=system", tmp_path))
        relay.join()


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_database_in_another_encoding(encoding: str, server: Server, tmp_path: Path) -> None:
    name = f"in_{encoding.lower()}"
    server.execute(
        f"CREATE DATABASE {name} ENCODING {encoding} TEMPLATE template0 LOCALE_PROVIDER libc"
    )
    error = fail_to_open(server.url(name), tmp_path)
    server.drop(name)
    assert f"the encoding of the database is {encoding}" in str(error)
    assert "createdb --encoding=UTF8" in str(error)


def test_client_encoding_of_the_role_is_overridden(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with database_engine(f"{url}&client_encoding=LATIN1", tmp_path) as engine:
        with engine.begin() as connection:
            connection.execute(sa.insert(setting).values(key="name", value="Łódź"))
        with engine.connect() as connection:
            assert connection.scalar(sa.select(setting.c.value)) == "Łódź"


RIGHTS = {
    "connect": (
        "REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
        'permission denied for database "{name}". As the owner of the database: GRANT CONNECT',
    ),
    "a table": (
        "GRANT USAGE ON SCHEMA public TO limited",
        "the role may not do this: permission denied for table",
    ),
    "the schema": (
        "REVOKE USAGE ON SCHEMA public FROM PUBLIC",
        "the role may use no schema in which the tables could be",
    ),
    "a schema of this name": (
        "ALTER ROLE limited IN DATABASE {name} SET search_path = nowhere",
        "its search_path names none. Correct its search_path",
    ),
}


@pytest.mark.parametrize(("statement", "expected"), RIGHTS.values(), ids=RIGHTS)
def test_role_without_the_right_to(
    statement: str, expected: str, server: Server, new_url: str, tmp_path: Path
) -> None:
    open_database(new_url, tmp_path).dispose()
    name = name_of(new_url)
    with server.connected(name) as connection:
        connection.exec_driver_sql(statement.format(name=name))
    error = fail_to_open(as_role(new_url, "limited"), tmp_path)
    assert expected.format(name=name) in str(error)
    assert f"postgresql://limited@/{name}?host={server.folder}: " in str(error)
    assert not isinstance(error, DatabaseUnavailableError)
    with server.connected(name) as connection:
        connection.exec_driver_sql("DROP OWNED BY limited")


def test_role_that_may_not_make_the_tables(new_url: str, tmp_path: Path) -> None:
    error = fail_to_open(as_role(new_url, "limited"), tmp_path)
    assert "which this role may not do: permission denied for schema public" in str(error)
    assert "Run newsletter db upgrade as the owner of the database" in str(error)


def test_role_that_may_only_read_writes(url: str, tmp_path: Path) -> None:
    """A session of a server that may write: it is no standby."""
    options = "options=-cdefault_transaction_read_only%3Don"
    with database_engine(f"{url}&{options}", tmp_path) as engine:
        with pytest.raises(DatabaseUnavailableError) as failed, engine.begin() as connection:
            connection.execute(sa.delete(setting))
        with engine.connect() as reading:
            assert reading.execute(sa.select(subscriber)).all() == []
    assert "the role may only read: default_transaction_read_only is on" in str(failed.value)


@pytest.mark.parametrize("statement", ["PREPARE _pg3_0 AS SELECT 1", "DEALLOCATE ALL"])
def test_pooler_that_mixes_up_prepared_statements(statement: str, url: str, tmp_path: Path) -> None:
    """Statements as another client of the pooler runs them, on what was this one's connection."""
    query = sa.select(subscriber.c.id)

    def read_repeatedly(connection: sa.Connection) -> None:
        for _ in range(3):
            connection.execute(query)

    with database_engine(f"{url}&prepare_threshold=1", tmp_path) as engine:
        engine.dispose()
        with engine.connect() as connection:
            if statement == "DEALLOCATE ALL":
                read_repeatedly(connection)
            driver: Any = connection.connection.driver_connection
            driver.pgconn.exec_(statement.encode())  # the driver does not notice
            with pytest.raises(DatabaseUnavailableError) as failed:
                read_repeatedly(connection)
        with engine.connect() as again:
            assert again.execute(query).all() == []
    assert "mixes up prepared statements: prepared statement" in str(failed.value)
    assert "Add ?prepare_threshold=none" in str(failed.value)


def test_query_that_takes_too_long(url: str, tmp_path: Path) -> None:
    with (
        database_engine(url, tmp_path) as engine,
        pytest.raises(DatabaseUnavailableError) as failed,
        engine.begin() as connection,
    ):
        connection.exec_driver_sql("SET LOCAL statement_timeout = 1; SELECT pg_sleep(60)")
    assert "canceling statement due to statement timeout" in str(failed.value)
    assert "raise the role's statement_timeout" in str(failed.value)


@pytest.mark.usefixtures("project_folder")
def test_command_prints_one_error(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEWSLETTER_DATABASE", as_role(url, "limited"))
    assert run_cli(["subscribers", "list"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("newsletter: postgresql://limited@/")
    assert "bug" not in output.err
