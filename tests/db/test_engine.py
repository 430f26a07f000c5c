import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import database_engine, open_database, read_transaction, transaction
from newsletter.db.migrate import HEAD_REVISION, alembic_config
from newsletter.db.postgresql.roles import JOB_QUEUE_TABLES
from newsletter.db.schema import metadata, suppression
from newsletter.errors import DatabaseError, DatabaseUnavailableError

SQLITE = "sqlite:///newsletter.db"


@contextmanager
def unprivileged() -> Iterator[None]:
    """Run as an unprivileged user: file permissions don't apply to root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def open_error(url: str, root: Path) -> str:
    with pytest.raises(DatabaseError) as caught:
        open_database(url, root)
    (problem,) = caught.value.problems
    assert problem.remedy
    return str(problem)


def open_in_process(url: str, root: Path, *, modules: str = "") -> "subprocess.Popen[str]":
    code = (
        "import sys; from pathlib import Path; from newsletter.db import open_database;"
        f"open_database({url!r}, Path({str(root)!r})).dispose();"
        f"print([name for name in {modules.split()!r} if name in sys.modules])"
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def terminate(postgres_url: str, process: int | None) -> None:
    """End a session on the server, as a restart of the server does."""
    target = sa.make_url(postgres_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(target, poolclass=sa.NullPool)
    with engine.connect() as connection:
        # In milliseconds, how long to wait until it has ended.
        ended = sa.func.pg_terminate_backend(process, 10_000)
        assert connection.scalar(sa.select(ended))


def test_new_database_has_all_tables(engine: sa.Engine) -> None:
    with read_transaction(engine) as connection:
        tables = set(sa.inspect(connection).get_table_names())
    job_queue = set() if engine.dialect.name == "sqlite" else set(JOB_QUEUE_TABLES)
    assert tables == {*metadata.tables, "newsletter_version", *job_queue}


def test_opening_again_keeps_the_data(database_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        engine = open_database(database_url, tmp_path)
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE IF NOT EXISTS kept (id INTEGER)"))
            connection.execute(sa.text("INSERT INTO kept VALUES (1)"))
        engine.dispose()
    engine = open_database(database_url, tmp_path)
    with read_transaction(engine) as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM kept")) == 2
    engine.dispose()


def test_several_processes_may_create_the_database_at_once(
    database_url: str, tmp_path: Path
) -> None:
    runs = [open_in_process(database_url, tmp_path) for _ in range(4)]
    assert [run.communicate()[0] and run.returncode for run in runs] == [0] * 4
    open_database(database_url, tmp_path).dispose()


def test_opening_an_up_to_date_database_does_not_import_alembic(tmp_path: Path) -> None:
    first = open_in_process(SQLITE, tmp_path, modules="alembic").communicate()[0]
    second = open_in_process(SQLITE, tmp_path, modules="alembic").communicate()[0]
    assert (first.strip(), second.strip()) == ("['alembic']", "[]")


def test_head_revision_is_the_last_migration() -> None:
    from alembic.script import ScriptDirectory

    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [HEAD_REVISION]


def test_sqlite_is_configured_for_durability(tmp_path: Path) -> None:
    engine = open_database(SQLITE, tmp_path)
    engine.dispose()
    # A new connection as it is in commands; of others, these tests have changed the settings.
    with closing(engine.raw_connection()) as connection:
        settings = {
            name: connection.cursor().execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
    }


def test_sqlite_file_is_private(tmp_path: Path) -> None:
    engine = open_database(SQLITE, tmp_path)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE more (id INTEGER)"))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    engine.dispose()
    assert modes == dict.fromkeys(
        ("newsletter.db", "newsletter.db-shm", "newsletter.db-wal"), 0o600
    )


def test_absolute_path_is_not_relative_to_the_project(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path}/elsewhere.db", Path("/nowhere")).dispose()
    assert (tmp_path / "elsewhere.db").is_file()


def test_postgresql_session_time_zone_is_utc(postgres_url: str, tmp_path: Path) -> None:
    engine = open_database(postgres_url, tmp_path)
    with read_transaction(engine) as connection:
        assert connection.scalar(sa.text("SHOW timezone")) == "UTC"
    engine.dispose()


def test_vanished_postgresql_server_is_noticed_in_half_a_minute(
    postgres_url: str, tmp_path: Path
) -> None:
    url = f"{postgres_url}&keepalives_idle=7&connect_timeout=3"
    with database_engine(url, tmp_path) as engine, engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        options = driver.info.get_parameters()
    assert {name: options[name] for name in options if "timeout" in name or "alive" in name} == {
        "connect_timeout": "3",
        "keepalives_idle": "7",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "25000",
    }


def test_dead_pooled_connection_is_replaced(postgres_url: str, tmp_path: Path) -> None:
    with database_engine(postgres_url, tmp_path) as engine:
        with read_transaction(engine) as connection:
            pooled = connection.scalar(sa.text("SELECT pg_backend_pid()"))
        terminate(postgres_url, pooled)
        with engine.begin() as connection:
            assert connection.scalar(sa.text("SELECT pg_backend_pid()")) != pooled


def test_pool_opens_no_more_connections_than_it_says(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.db.postgresql.connection.LOCK_TIMEOUT_SECONDS", 0.1)
    own = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
    with (
        database_engine(postgres_url, tmp_path, pool_size=2) as engine,
        read_transaction(engine) as one,
    ):
        with (
            read_transaction(engine),
            pytest.raises(DatabaseUnavailableError, match="all 2 connections of this program"),
            read_transaction(engine),
        ):
            pass
        with read_transaction(engine):  # the second, again
            assert one.scalar(own) == 2


def test_connection_lost_in_a_transaction_is_a_database_error(
    postgres_url: str, tmp_path: Path
) -> None:
    with database_engine(postgres_url, tmp_path) as engine, engine.connect() as connection:
        terminate(postgres_url, connection.scalar(sa.text("SELECT pg_backend_pid()")))
        with pytest.raises(DatabaseError, match="the PostgreSQL server ended the connection"):
            connection.execute(sa.select(suppression))


def test_commit_waits_for_the_disk_whatever_the_server_is_set_to(
    new_postgres_url: str, tmp_path: Path
) -> None:
    name = sa.make_url(new_postgres_url).database
    with database_engine(new_postgres_url, tmp_path) as engine, engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with database_engine(new_postgres_url, tmp_path) as engine:
        with read_transaction(engine) as connection:
            assert connection.scalar(sa.text("SHOW synchronous_commit")) == "off"
        with engine.begin() as connection:
            assert connection.scalar(sa.text("SHOW synchronous_commit")) == "on"


def test_waiting_for_a_lock_ends_with_the_same_message_as_on_sqlite(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "LOCK_TIMEOUT_SECONDS", 0.1)
    lock = sa.text("LOCK TABLE suppression")
    with database_engine(postgres_url, tmp_path) as engine, engine.begin() as holder:
        holder.execute(lock)
        with (
            pytest.raises(DatabaseError, match="is locked by another program"),
            engine.begin() as connection,
        ):
            connection.execute(lock)


def test_lock_of_a_suspended_program_is_released(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = sa.text("LOCK TABLE suppression")

    def lock_while_suspended(engine: sa.Engine) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(transaction, "IDLE_TIMEOUT_SECONDS", 0.1)
            suspended = engine.connect()
            suspended.execute(lock)
        with engine.begin() as waiting:
            waiting.execute(lock)
        with suspended:
            suspended.execute(lock)

    with database_engine(postgres_url, tmp_path) as engine:
        with pytest.raises(DatabaseError, match="so PostgreSQL undid it"):
            lock_while_suspended(engine)
        with engine.begin() as connection:
            connection.execute(lock)


def test_failed_transaction_rolls_back_ddl_too(engine: sa.Engine) -> None:
    def write_and_fail() -> None:
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE half (id INTEGER)"))
            connection.execute(sa.text("INSERT INTO half VALUES (1)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    with read_transaction(engine) as connection:
        assert not sa.inspect(connection).has_table("half")


def test_read_transaction_sees_one_snapshot_without_waiting(engine: sa.Engine) -> None:
    count = sa.select(sa.func.count()).select_from(suppression)
    with read_transaction(engine) as reader:
        before = reader.scalar(count)
        with engine.begin() as writer:
            writer.execute(
                sa.text(
                    "INSERT INTO suppression (address_key, reason, since, source)"
                    " VALUES ('a@b.example', 'unsubscribed', CURRENT_TIMESTAMP, 'test')"
                )
            )
        after = reader.scalar(count)
    with read_transaction(engine) as reader:
        later = reader.scalar(count)
    assert (before, after, later) == (0, 0, 1)


def test_database_of_a_newer_version_is_refused(database_url: str, tmp_path: Path) -> None:
    engine = open_database(database_url, tmp_path)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE newsletter_version SET version_num = '9999'"))
    engine.dispose()
    assert "version 9999" in open_error(database_url, tmp_path)


def test_database_of_another_program_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "newsletter.db") as connection:
        connection.execute("CREATE TABLE bookmarks (id INTEGER)")
    connection.close()
    assert "another program's tables (bookmarks)" in open_error(SQLITE, tmp_path)


def test_postgresql_may_be_shared_unless_table_names_clash(
    postgres_url: str, tmp_path: Path
) -> None:
    engine = sa.create_engine(sa.make_url(postgres_url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE bookmarks (id INTEGER)"))
    open_database(postgres_url, tmp_path).dispose()
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE newsletter_version"))
    engine.dispose()
    assert "another program's tables" in open_error(postgres_url, tmp_path)


def test_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "newsletter.db").write_text("Dear diary, " * 1000)
    assert "newsletter.db: the file is not a SQLite database" in open_error(SQLITE, tmp_path)


def test_folder_instead_of_the_database_file(tmp_path: Path) -> None:
    (tmp_path / "newsletter.db").mkdir()
    assert "newsletter.db: the database can't be opened" in open_error(SQLITE, tmp_path)


def test_missing_folder_of_the_database_file(tmp_path: Path) -> None:
    message = open_error("sqlite:///data/newsletter.db", tmp_path)
    assert "data/newsletter.db: could not create the database: no such file" in message


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder that other users can read but not write, under parents that they can enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        yield Path(folder)
        Path(folder).chmod(0o700)


def test_folder_without_write_permission(read_only_folder: Path) -> None:
    with unprivileged():
        message = open_error(SQLITE, read_only_folder)
    assert "newsletter.db: could not create the database: permission denied" in message


@pytest.mark.parametrize(
    ("mode", "message"),
    [(0o000, "the database can't be opened"), (0o444, "the database is read-only")],
)
def test_file_without_read_or_write_permission(
    read_only_folder: Path, mode: int, message: str
) -> None:
    read_only_folder.chmod(0o755)
    (read_only_folder / "newsletter.db").touch()
    (read_only_folder / "newsletter.db").chmod(mode)
    with unprivileged():
        assert f"newsletter.db: {message}" in open_error(SQLITE, read_only_folder)


def test_later_errors_of_the_engine_are_translated(tmp_path: Path) -> None:
    engine = open_database(SQLITE, tmp_path)
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 30")
        with pytest.raises(DatabaseError, match="disk is full"):
            connection.exec_driver_sql("CREATE TABLE big AS SELECT randomblob(1000000)")
    engine.dispose()


def test_errors_in_our_own_sql_are_not_translated(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.DBAPIError), read_transaction(engine) as connection:
        connection.execute(sa.text("SELECT nothing FROM nowhere"))


def test_server_that_is_down(tmp_path: Path) -> None:
    message = open_error("postgresql://ada:s3cret@127.0.0.1:9/list?application_name=x", tmp_path)
    assert "postgresql://ada@127.0.0.1:9/list: can't connect to the PostgreSQL server" in message
    assert "refused" in message
    assert "s3cret" not in message


def test_short_password_hides_no_other_words(tmp_path: Path) -> None:
    message = open_error("postgresql://ada:s@127.0.0.1:9/list", tmp_path)
    assert 'the PostgreSQL server at "127.0.0.1", port 9: Connection refused. Start' in message


def test_database_missing_on_the_server(postgres_url: str, tmp_path: Path) -> None:
    assert '"nowhere" does not exist' in open_error(
        sa.make_url(postgres_url).set(database="nowhere").render_as_string(), tmp_path
    )


def test_missing_driver_message_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    message = open_error("postgresql://ada:s3cret@localhost/list", tmp_path)
    assert "pip install 'newsletter[postgres]'" in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("newsletter.db", "is not valid"),
        ("postgresql://ada:s3cret@localhost:port/list", "is not valid"),
        ("mysql://ada:s3cret@localhost/list", "'mysql' databases are not supported"),
        ("sqlite://", "has no file name"),
        ("sqlite:///:memory:", "has no file name"),
    ],
)
def test_invalid_database_url(url: str, expected: str, tmp_path: Path) -> None:
    message = open_error(url, tmp_path)
    assert expected in message
    assert "s3cret" not in message


def test_postgres_scheme_means_postgresql(tmp_path: Path) -> None:
    message = open_error("postgres://127.0.0.1:9/list", tmp_path)
    assert "postgresql://127.0.0.1:9/list: can't connect to the PostgreSQL server" in message
