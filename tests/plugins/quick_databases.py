"""Fixture: in this process, engines share their SQL, and SQLite doesn't wait for the disk.

To make SQL was a third of the work of a test that calls commands: each of them opens the database
anew, and SQLAlchemy keeps the SQL of statements for each engine. And no test cuts the machine's
power: that SQLite is told to wait for the disk is tested, and in processes of their own it does.
"""

import sqlite3
from collections.abc import Hashable, Iterator
from contextlib import suppress

import pytest
import sqlalchemy as sa

MAX_STATEMENTS = 2_000


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
