"""Transactions: read at one moment, write, write what was read.

Write in ``with engine.begin()``, read in ``with read_transaction(engine)``.
A write that depends on several queries uses ``with snapshot_write_transaction(engine)``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

_DEFERRED_OPTION = "newsletter_deferred"


@contextmanager
def read_transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that only reads, all of it at one moment.

    It neither waits for a writer nor makes one wait.
    """
    options: dict[str, Any] = {_DEFERRED_OPTION: True}
    if engine.dialect.name == "postgresql":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextmanager
def snapshot_write_transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that writes, and all of whose queries see the database of one moment."""
    # SQLite's always do: nobody else writes meanwhile.
    options = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def begin_sqlite(connection: sa.Connection) -> None:
    """SQLAlchemy's ``begin`` event on SQLite, whose driver is told to begin nothing by itself."""
    # A writer takes the lock at once: one that begins as a reader can't wait for it later.
    deferred = connection.get_execution_options().get(_DEFERRED_OPTION, False)
    connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")
