"""Fixtures: in this process, engines share their SQL, and SQLite files are made quickly.

To make SQL was a third of the work of a test that calls commands: each of them opens the database
anew, and SQLAlchemy keeps the SQL of statements for each engine. And no test cuts the machine's
power: that SQLite is told to wait for the disk is tested, and in processes of their own it does.

The migrations take thirty times as long as to execute the SQL that they leave in a new file. Each
process runs them once, and those of a file or a server that is upgraded always.
"""

import sqlite3
from collections.abc import Hashable, Iterator
from contextlib import suppress

import pytest
import sqlalchemy as sa

from newsletter.db import migrate
from newsletter.db.schema import VERSION_TABLE
from newsletter.errors import Location

MAX_STATEMENTS = 2_000
# Before triggers and indexes there are their tables; SQLite makes its own.
SCHEMA = "SELECT sql FROM sqlite_master WHERE sql <> '' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"


class SqlByDialect(dict[tuple[Hashable, ...], object]):
    """A cache of compiled statements for all engines of a kind, not only for one of them."""

    def get(self, key: tuple[Hashable, ...], default: object = None) -> object:
        return super().get(_name_dialect(key), default)

    def __setitem__(self, key: tuple[Hashable, ...], compiled: object) -> None:
        if len(self) >= MAX_STATEMENTS:
            self.clear()
        super().__setitem__(_name_dialect(key), compiled)


def _name_dialect(key: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    """Return a key in which the engine's own dialect object is replaced by its name."""
    dialect, *statement = key
    return getattr(dialect, "name", ""), *statement


@pytest.fixture(scope="session", autouse=True)
def quick_databases() -> Iterator[None]:
    cache = SqlByDialect()

    def prepare(connection: sa.Connection) -> None:
        connection.execution_options(compiled_cache=cache)
        if connection.dialect.name == "sqlite":
            with suppress(sqlite3.Error):  # a damaged file; the test's own statements fail too
                connection.connection.cursor().execute("PRAGMA synchronous = OFF")

    sa.event.listen(sa.Engine, "engine_connect", prepare)
    yield
    sa.event.remove(sa.Engine, "engine_connect", prepare)


def has_rows(table: str) -> sa.Select[tuple[bool]]:
    return sa.select(sa.exists().select_from(sa.table(table)))


class RecordedMigrations:
    """What the migrations make of a new SQLite file: recorded once, repeated in the others."""

    def __init__(self) -> None:
        self._run = migrate.run_migrations
        self._schema: list[str] = []

    def run(self, connection: sa.Connection, revision: str | None, where: Location) -> None:
        """Run the pending migrations, or what is recorded of them."""
        if revision is not None or connection.dialect.name != "sqlite":
            self._run(connection, revision, where)
            return
        if self._schema:
            for statement in self._schema:
                connection.exec_driver_sql(statement)
            version = sa.table(VERSION_TABLE, sa.column("version_num"))
            connection.execute(sa.insert(version).values(version_num=migrate.HEAD_REVISION))
            return
        self._run(connection, revision, where)
        tables = sa.inspect(connection).get_table_names()
        filled = [name for name in tables if connection.scalar(has_rows(name))]
        assert filled == [VERSION_TABLE], "the migrations insert rows: they are to be recorded too"
        self._schema = list(connection.exec_driver_sql(SCHEMA).scalars())


@pytest.fixture(scope="session", autouse=True)
def recorded_migrations() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "run_migrations", RecordedMigrations().run)
        yield
