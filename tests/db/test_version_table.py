"""The schema's version is in a table of our own, and older databases are recognized."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from newsletter.db import open_database, read_transaction
from newsletter.db.migrate import HEAD_REVISION, alembic_config
from newsletter.db.schema import setting
from newsletter.errors import DatabaseError

LEGACY = "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"


def run(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def versions(engine: sa.Engine) -> dict[str, set[str]]:
    """Return the rows of each table of versions."""
    with read_transaction(engine) as connection:
        return {
            name: set(connection.scalars(sa.text(f"SELECT version_num FROM {name}")))  # noqa: S608 - its own name
            for name in sa.inspect(connection).get_table_names()
            if name.endswith("_version")
        }


@pytest.mark.parametrize(
    ("others", "left"),
    [((), {}), (("c0ffee",), {"alembic_version": {"c0ffee"}})],
)
def test_version_of_an_older_database_is_taken_over(
    others: tuple[str, ...],
    left: dict[str, set[str]],
    empty_database: sa.Engine,
    database_url: str,
    tmp_path: Path,
) -> None:
    """The other rows are those of a program that shares the schema, and the table."""
    config = alembic_config()
    with empty_database.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
    rows = [f"INSERT INTO alembic_version VALUES ('{row}')" for row in (*others, "0006")]  # noqa: S608 - a constant
    run(empty_database, "DROP TABLE newsletter_version", LEGACY, *rows)
    run(empty_database, "INSERT INTO setting (key, value) VALUES ('kept', 'yes')")
    for _ in range(2):
        open_database(database_url, tmp_path).dispose()
    assert versions(empty_database) == {"newsletter_version": {HEAD_REVISION}, **left}
    with read_transaction(empty_database) as connection:
        assert connection.scalar(sa.select(setting.c.value)) == "yes"


@pytest.mark.parametrize("revision", ["0006", "c0ffee"])
def test_version_of_another_program_is_not_ours(
    revision: str, empty_database: sa.Engine, database_url: str, tmp_path: Path
) -> None:
    run(empty_database, LEGACY, f"INSERT INTO alembic_version VALUES ('{revision}')")  # noqa: S608 - a constant
    if database_url.startswith("sqlite"):
        with pytest.raises(DatabaseError, match=r"another program's tables \(alembic_version\)"):
            open_database(database_url, tmp_path)
        assert versions(empty_database) == {"alembic_version": {revision}}
        return
    for _ in range(2):
        open_database(database_url, tmp_path).dispose()
    both = {"newsletter_version": {HEAD_REVISION}, "alembic_version": {revision}}
    assert versions(empty_database) == both


def test_tables_of_the_same_names_are_not_ours_without_a_revision_of_ours(
    engine: sa.Engine, database_url: str, tmp_path: Path
) -> None:
    row = "INSERT INTO alembic_version VALUES ('0007')"  # never written into this table by us
    run(engine, "DROP TABLE newsletter_version", LEGACY, row)
    with pytest.raises(DatabaseError, match="another program's tables"):
        open_database(database_url, tmp_path)


def test_older_dump_restored_over_a_newer_schema_is_recognized(
    engine: sa.Engine, database_url: str, tmp_path: Path
) -> None:
    run(engine, LEGACY, "INSERT INTO alembic_version VALUES ('0005')")
    open_database(database_url, tmp_path).dispose()  # the columns are those of the newest schema
    run(engine, "ALTER TABLE subscriber DROP COLUMN opens_consent")
    with pytest.raises(DatabaseError, match=r"an older backup, at version 0005.*empty database"):
        open_database(database_url, tmp_path)


def test_tables_left_of_a_newer_schema_are_named(
    empty_database: sa.Engine, database_url: str, tmp_path: Path
) -> None:
    open_database(database_url, tmp_path).dispose()
    if database_url.startswith("sqlite"):
        return  # the file of a backup replaces the whole database
    run(empty_database, "UPDATE newsletter_version SET version_num = '0005'")
    with pytest.raises(DatabaseError, match=r"tables of a newer version are left .*opens_consent"):
        open_database(database_url, tmp_path)


def test_role_that_may_not_read_the_version_of_another_program(
    engine: sa.Engine, database_url: str, tmp_path: Path
) -> None:
    run(engine, LEGACY, "INSERT INTO alembic_version VALUES ('c0ffee')")
    if database_url.startswith("sqlite"):
        return  # it has no rights
    run(engine, "CREATE ROLE guest LOGIN", "GRANT SELECT ON newsletter_version, setting TO guest")
    open_database(database_url.replace("postgres@", "guest@"), tmp_path).dispose()
    run(engine, "DROP OWNED BY guest", "DROP ROLE guest")
