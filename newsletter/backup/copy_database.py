"""Copy everything into another database, and retire the source.

The source is locked against writes from the first row to the last, so that it is one snapshot, and
is retired by the same transaction. It is retired before the target is complete: at no moment can
both be sent from.
"""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from newsletter.backup.copied_rows import TableDigest, count_rows, read_last_ids
from newsletter.backup.copy_target import (
    COPIED_TABLES,
    CopyRecord,
    CopyTarget,
    ProgressCallback,
    disable_idle_timeout,
)
from newsletter.backup.retired_database import read_moved_to, retire
from newsletter.db import read_transaction, snapshot_write_transaction
from newsletter.db.errors import database_error
from newsletter.db.identity import (
    COPIED_KEY,
    compare_identity,
    locate_tables,
    other_owner_error,
    read_owner,
)
from newsletter.db.identity_mark import load_mark
from newsletter.db.schema import batch, metadata, send, subscriber
from newsletter.db.stored_settings import read_setting
from newsletter.errors import Location, Problem, SendRefusedError
from newsletter.wording import format_count

_BUSY_BATCH_STATES = ("claimed", "in_flight")


@dataclass(frozen=True, slots=True)
class DatabasePlace:
    """A database of ``newsletter db copy``.

    Attributes:
        engine: opened with ``is_copied``.
        url: in a form that may be displayed.
    """

    engine: sa.Engine
    url: str

    @property
    def where(self) -> Location:
        """The database, for messages."""
        return Location(self.url)


def count_copied_rows(source: sa.Engine) -> tuple[int, int]:
    """Return the number of subscribers, and that of all rows that would be copied."""
    with read_transaction(source) as connection:
        counts = {table.name: count_rows(connection, table) for table in COPIED_TABLES}
    return counts[subscriber.name], sum(counts.values())


def copy_database(
    source: DatabasePlace,
    target: DatabasePlace,
    newsletter_id: str,
    now: datetime.datetime,
    progress: ProgressCallback,
) -> dict[str, TableDigest]:
    """Copy all tables, compare them, and retire the source; or continue a copy that was stopped.

    Args:
        source: the database to copy.
        target: an empty database, or one into which this copy was begun.
        newsletter_id: ``id`` of newsletter.yml; empty if there is none.
        now: the time, which is noted in the source.
        progress: called with the number of rows just read; each row is read in both databases.

    Returns:
        The digest of each table, the same in both.

    Raises:
        DatabaseError: one of the databases can't be used for this, another program has the source
            locked, or a row can't be stored.
        SendRefusedError: a send is running, or the source is a copy that was not adopted.
        NothingToDoError: it was copied there before.
    """
    with _lock_source(source) as connection:
        moved_to = read_moved_to(connection)
        owner = read_owner(connection)
        _require_other_database(connection, source, target)
        if newsletter_id and owner not in {"", newsletter_id}:
            raise other_owner_error(owner, source.where)
        copied = CopyTarget(target.engine, target.where, CopyRecord(source.url, target.url, owner))
        if moved_to is None:
            _require_adopted_source(connection, source)
            _require_idle(connection)
        copied.begin(moved_to)
        if moved_to is None:
            # First, so that missing rights are an error before anything is copied.
            retire(connection, {"url": target.url, "at": now.isoformat(), "token": copied.token})
        digests = copied.load(connection, progress)
        last_ids = read_last_ids(connection)
    copied.complete(last_ids)
    return digests


@contextmanager
def _lock_source(source: DatabasePlace) -> Iterator[sa.Connection]:
    """Begin a transaction that sees one snapshot, and in which nobody else can write."""
    with snapshot_write_transaction(source.engine) as connection:
        if connection.dialect.name == "postgresql":
            disable_idle_timeout(connection)
            # Before the first query, which takes the snapshot. Others can read.
            tables = ", ".join(metadata.tables)
            connection.exec_driver_sql(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE")
        yield connection


def _require_other_database(
    connection: sa.Connection, source: DatabasePlace, target: DatabasePlace
) -> None:
    dialect = connection.dialect.name
    if target.engine.dialect.name != dialect:
        return
    if dialect == "sqlite":
        is_same = source.engine.url.database == target.engine.url.database
    else:
        with read_transaction(target.engine) as other:
            is_same = locate_tables(other) == locate_tables(connection)
    if is_same:
        raise database_error(
            "this is the database itself",
            target.where,
            "Name an empty database or a new file.",
        )


def _require_adopted_source(connection: sa.Connection, source: DatabasePlace) -> None:
    is_held = read_setting(connection, COPIED_KEY) is not None
    state = compare_identity(connection, load_mark(source.engine))
    if is_held or state in {"different", "failed_over"}:
        kind = "a copy" if state == "different" or is_held else "on a server that was promoted"
        raise SendRefusedError(
            f"{source.url} is itself {kind}, which was not adopted",
            remedy="If it takes the place of its original, set database: to it and run: "
            "newsletter db adopt",
        )


def _require_idle(connection: sa.Connection) -> None:
    """Refuse while something is being sent: its results could not be recorded.

    Raises:
        SendRefusedError: a send is running or has batches in flight.
    """
    is_busy = batch.c.state.in_(_BUSY_BATCH_STATES)
    count = sa.func.count(batch.c.id).filter(is_busy)
    rows = connection.execute(
        sa.select(send.c.issue, count)
        .join_from(send, batch, isouter=True)
        .where((send.c.state == "running") | is_busy)
        .group_by(send.c.id)
        .order_by(send.c.id)
    )
    problems = [
        Problem(
            f"{issue} is being sent, {format_count(batches, 'batch')} in flight",
            remedy=f"Wait until it has finished, or stop it with: newsletter pause {issue}. "
            f"If it was killed, finish it with: newsletter resume {issue}",
        )
        for issue, batches in rows
    ]
    if problems:
        raise SendRefusedError.from_problems(problems)
