"""Which errors of PostgreSQL pass, which don't, and which are bugs."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from postgres_server import ReusedDatabase, Server

from newsletter.db import database_engine, read_transaction
from newsletter.db.bulk import insert_rows
from newsletter.db.errors import explain_missing_name
from newsletter.db.schema import setting
from newsletter.errors import (
    DatabaseChangedError,
    DatabaseError,
    DatabaseUnavailableError,
    Location,
)

TEMPORARY = (
    "08006", "08P01", "25006", "25P03", "40001", "40P01", "53100", "53200", "53300", "55000",
    "55006", "55P03", "57014", "57P01", "57P02", "57P03", "57P05", "58030",
)  # fmt: skip
PERMANENT = ("28000", "28P01", "42501", "57P04", "54000", "F0000")
# Of a table or column that the schema has, or of one that only a statement names.
MISSING = (
    ("SELECT * FROM worker", "worker"),
    ("SELECT 1 FROM setting WHERE fence > 0", "fence"),
    ("SELECT setting.fence FROM setting", "fence"),
    ("INSERT INTO setting (fence) VALUES (0)", "fence"),
)
NOT_OURS = (
    "SELECT * FROM nowhere",
    "SELECT setting.nothing FROM setting",
    "INSERT INTO setting (nothing) VALUES (0)",
)
# German, Spanish, French and Japanese, from PostgreSQL's translations.
TRANSLATED = (
    ("Relation »worker« existiert nicht", True),
    ("Spalte worker.fence existiert nicht", True),
    ("Spalte »fence« von Relation »worker« existiert nicht", True),
    ("Spalte »nothing« von Relation »worker« existiert nicht", False),
    ("fehlender Eintrag in FROM-Klausel für Tabelle »worker«", False),
    ("no existe la relación «public.worker»", True),
    ("la relation « worker » n'existe pas", True),
    ('リレーション"worker"は存在しません', True),
    ("列worker.fenceは存在しません", True),
    ("列worker.nothingは存在しません", False),
)
# SQLite says of it that there is no such column.
MISSING_FROM = "SELECT batch.fence FROM setting"
BUGS = ("0A000", "22012", "23505", "25P02", "42703", "42P01", "P0001", "XX000")


@pytest.fixture
def postgres_url(reused_database: ReusedDatabase) -> str:
    return reused_database.reset()


def fail_with(state: str, url: str, root: Path) -> None:
    """Let the server report an error."""
    with database_engine(url, root) as engine, engine.begin() as connection:
        connection.exec_driver_sql(
            f"DO $$ BEGIN RAISE EXCEPTION 'a test' USING ERRCODE = '{state}'; END $$"
        )


@pytest.mark.parametrize("state", TEMPORARY)
def test_error_that_passes_is_a_database_that_is_unavailable(
    state: str, postgres_url: str, tmp_path: Path
) -> None:
    with pytest.raises(DatabaseUnavailableError) as failed:
        fail_with(state, postgres_url, tmp_path)
    assert failed.value.problems[0].remedy


@pytest.mark.parametrize("state", PERMANENT)
def test_error_that_does_not_pass_is_a_database_error(
    state: str, postgres_url: str, tmp_path: Path
) -> None:
    with pytest.raises(DatabaseError) as failed:
        fail_with(state, postgres_url, tmp_path)
    assert not isinstance(failed.value, DatabaseUnavailableError)


@pytest.mark.parametrize("state", BUGS)
def test_bug_is_not_translated(state: str, postgres_url: str, tmp_path: Path) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="a test"):
        fail_with(state, postgres_url, tmp_path)


def test_a_table_or_column_that_the_schema_has_is_missing_only_if_it_was_changed(
    engine: sa.Engine,
) -> None:
    for statement, name in MISSING:
        with pytest.raises(DatabaseChangedError, match=f"do not fit.*{name}") as failed:
            execute(engine, "ALTER TABLE worker RENAME TO away", statement)
        assert "newsletter db upgrade" in failed.value.problems[0].remedy
    from_clause = (MISSING_FROM,) if engine.dialect.name == "postgresql" else ()
    for statement in (*NOT_OURS, *from_clause):
        with pytest.raises(sa.exc.DBAPIError):
            execute(engine, statement)


@pytest.mark.parametrize(("words", "is_ours"), TRANSLATED)
def test_what_is_missing_is_found_in_any_language(words: str, is_ours: bool) -> None:
    error = explain_missing_name(words, Location("postgresql://db/list"))
    assert (error is not None) == is_ours


def execute(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_write_in_a_read_transaction_is_a_bug(postgres_url: str, tmp_path: Path) -> None:
    with (
        database_engine(postgres_url, tmp_path) as engine,
        pytest.raises(sa.exc.InternalError, match="read-only transaction"),
        read_transaction(engine) as connection,
    ):
        connection.execute(sa.delete(setting))


@pytest.mark.parametrize("has_read", [False, True])
def test_standby_is_unavailable_for_writing(
    standby_server: Server,
    postgres_url: str,
    tmp_path: Path,
    has_read: bool,
) -> None:
    """After it has read, the driver asks for a writing transaction: another error."""
    name = sa.make_url(postgres_url).database
    assert name
    with database_engine(standby_server.url(name), tmp_path) as engine:
        if not has_read:
            engine.dispose()  # opening the database reads from it
        for _ in range(2):
            with (
                pytest.raises(DatabaseUnavailableError, match="a failover is under way") as failed,
                engine.begin() as connection,
            ):
                connection.execute(sa.delete(setting))
            assert "primary" in failed.value.problems[0].remedy
        with read_transaction(engine) as reading:
            assert reading.execute(sa.select(setting)).all() == []


@pytest.mark.parametrize("state", ["57P01", "25006"])
def test_error_in_a_bulk_insert_is_translated(
    state: str, postgres_url: str, tmp_path: Path
) -> None:
    body = f"BEGIN RAISE EXCEPTION 'a test' USING ERRCODE = '{state}'; END"
    fail = (
        f"CREATE FUNCTION pg_temp.fail() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$",
        "CREATE TEMPORARY TABLE setting (key text, value text)",
        "CREATE TRIGGER fail BEFORE INSERT ON setting EXECUTE FUNCTION pg_temp.fail()",
    )
    with database_engine(postgres_url, tmp_path) as engine, engine.begin() as connection:
        for statement in fail:
            connection.exec_driver_sql(statement)
        with pytest.raises(DatabaseUnavailableError):
            insert_rows(connection, setting, ["key", "value"], [("a", "b")])
