"""Read transactions and transactions on one snapshot of the database.

Write within ``with engine.begin()``, read within ``with read_transaction(engine)``. A write that
depends on several queries belongs in ``with snapshot_write_transaction(engine)``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

_DEFERRED_OPTION = "newsletter_deferred"


@contextmanager
def read_transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Begin a read-only transaction, all of whose queries see one snapshot.

    It neither waits for a writer nor makes one wait.
    """
    options: dict[str, Any] = {_DEFERRED_OPTION: True}
    if engine.dialect.name == "postgresql":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextmanager
def snapshot_write_transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Begin a writing transaction, all of whose queries see one snapshot."""
    # On SQLite they always do: a writing transaction excludes all other writers.
    options = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def begin_sqlite(connection: sa.Connection) -> None:
    """Begin a transaction on SQLite: the handler of SQLAlchemy's ``begin`` event.

    The driver's own implicit transactions are turned off.
    """
    # A writer takes the lock at once: SQLite can't wait for it after a transaction has read.
    deferred = connection.get_execution_options().get(_DEFERRED_OPTION, False)
    connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")
