"""Read transactions and transactions on one snapshot of the database.

Write within ``with engine.begin()``, read within ``with read_transaction(engine)``. A write that
depends on several queries belongs in ``with snapshot_write_transaction(engine)``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa

from newsletter.errors import DatabaseUnavailableError

T = TypeVar("T")
_DEFERRED_OPTION = "newsletter_deferred"
# How long PostgreSQL lets a write transaction wait for a lock, as long as a writer on SQLite waits.
LOCK_TIMEOUT_SECONDS = 30
# How long it lets a write transaction do nothing: the locks of a program that was suspended in its
# middle are released before those who wait for them give up.
IDLE_TIMEOUT_SECONDS = 20


def call_twice_if_lost(function: Callable[[], T]) -> T:
    """Call a function, and once more if the database was unavailable, as when a connection is lost.

    Args:
        function: reads, or changes what may be changed twice, in transactions of its own.

    Raises:
        DatabaseUnavailableError: it was unavailable both times.
    """
    try:
        return function()
    except DatabaseUnavailableError:
        return function()


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


@contextmanager
def without_nested_loops(connection: sa.Connection) -> Iterator[None]:
    """Let PostgreSQL join by hashing in a ``with`` block, which executes one query over a send.

    The rows of a new send are not in its statistics. It expects a single one, and would read all
    events again for each recipient: for 20,000 of them 44 seconds instead of half a second.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    connection.exec_driver_sql("SET LOCAL enable_nestloop = off")
    yield
    connection.exec_driver_sql("SET LOCAL enable_nestloop = DEFAULT")


def forbid_parallel_plans(connection: sa.Connection) -> None:
    """Let PostgreSQL execute the queries of a transaction in one process; to be called first.

    For the recipients of a batch, it would start two more processes: they cost more than the query.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL max_parallel_workers_per_gather = 0")


def lift_statement_timeout(connection: sa.Connection) -> None:
    """Let the statements of a transaction on PostgreSQL take as long as a large list needs.

    The role's ``statement_timeout`` is meant for the queries of a site. To be called first.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def is_read_only(connection: sa.Connection) -> bool:
    """Return whether a transaction was begun by ``read_transaction``."""
    return bool(connection.get_execution_options().get(_DEFERRED_OPTION, False))


def begin_sqlite(connection: sa.Connection) -> None:
    """Begin a transaction on SQLite: the handler of SQLAlchemy's ``begin`` event.

    The driver's own implicit transactions are turned off.
    """
    # A writer takes the lock at once: SQLite can't wait for it after a transaction has read.
    connection.exec_driver_sql("BEGIN" if is_read_only(connection) else "BEGIN IMMEDIATE")


def begin_postgresql(connection: sa.Connection) -> None:
    """Configure a write transaction on PostgreSQL: the handler of SQLAlchemy's ``begin`` event.

    With ``synchronous_commit = off`` a crash of the server loses rows that were committed, and a
    lost row is a duplicate email; so a commit waits for the disk whatever the server's default is.

    The settings are the transaction's own (``SET LOCAL``), since a connection pooler may give
    the next transaction another session. ``SET`` takes no snapshot, so that a transaction can still
    lock a table before its snapshot is taken.
    """
    if is_read_only(connection):
        return  # it only reads: it has nothing to lose, and holds up nobody
    driver: Any = connection.connection.driver_connection
    if driver.read_only is False:  # as SQLAlchemy leaves it behind a transaction that only read
        driver.read_only = None  # BEGIN READ WRITE would override a role's default to only read
    connection.exec_driver_sql(
        "SET LOCAL synchronous_commit = on;"
        f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s';"
        f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_TIMEOUT_SECONDS}s'"
    )
