"""Restore a backup, keeping later unsubscribes and the record of sends.

A backup lacks everything that came after it. So two things are carried over from the database
that it replaces: who must not be mailed any more (unsubscribed, bounced, complained, erased), and
what was sent, so that nothing is sent twice.
"""

import datetime
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from newsletter.backup.carry_over import (
    ATTACHED_SCHEMA,
    CarryOverResult,
    attached_table,
    carry_over_subscribers,
    carry_over_unreadable_events,
    count_missing_subscribers,
    insert_missing_rows,
    reapply_erasures,
)
from newsletter.backup.carry_over_sends import carry_over_sends, carry_over_settings
from newsletter.backup.verified_backup import REPLACED_SUFFIX, VerifiedBackup
from newsletter.db import open_database, read_transaction
from newsletter.db.identity import (
    has_identity,
    mark_as_moved,
)
from newsletter.db.schema import event, journal, send
from newsletter.db.sqlite_copy import (
    copy_snapshot,
    database_files,
    open_exclusive,
    overwrite_database,
    temporary_file_beside,
)
from newsletter.errors import DatabaseError, Location, display_path
from newsletter.private_files import move_into_place
from newsletter.subscribers import count_by_status


@dataclass(frozen=True, slots=True)
class DatabaseContents:
    """A summary of what is in a database.

    Attributes:
        subscribers: status -> number of subscribers.
        sends: number of sends.
        last_change_at: when a subscriber or a send was last recorded; ``None`` if never.
    """

    subscribers: Mapping[str, int]
    sends: int
    last_change_at: datetime.datetime | None


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What a restore did.

    Attributes:
        carried_over: what was carried over; ``None`` if the replaced database could not be read
            or did not exist.
        replaced_path: where the replaced database is now; ``None`` if there was none.
    """

    carried_over: CarryOverResult | None
    replaced_path: Path | None


def compare_contents(
    backup: VerifiedBackup,
) -> tuple[DatabaseContents, DatabaseContents | None, int]:
    """Return the contents of the backup and of the present database, to compare them.

    Returns:
        The backup's contents; the present database's, or ``None`` if it does not exist or cannot
        be read; and how many of the latter's subscribers are missing from the backup.
    """
    with read_transaction(backup.engine) as connection:
        backup_contents = _read_contents(connection)
    if backup.live_damage or not backup.database.exists():
        return backup_contents, None, 0
    live_engine = open_database(f"sqlite:///{backup.database.name}", backup.database.parent)
    try:
        with read_transaction(live_engine) as connection:
            live_contents = _read_contents(connection)
    finally:
        live_engine.dispose()
    with _attach_live_database(backup.engine, backup.database) as connection:
        return backup_contents, live_contents, count_missing_subscribers(connection)


def restore_backup(backup: VerifiedBackup, now: datetime.datetime) -> RestoreResult:
    """Replace the database by the backup; no other process may have the database open.

    Raises:
        DatabaseError: another process has it open, the two are not states of one list, or the copy
            is gone. Nothing is changed then.
    """
    _require_copy(backup)
    database = backup.database
    replaced_path = _unused_path(database)
    if not database.exists():
        # SQLite would replay a leftover write-ahead log into the next database of that name.
        _move_away(database, replaced_path)
        _put_into_place(backup)
        return RestoreResult(None, None)
    if backup.live_damage:
        return _replace_damaged(backup, replaced_path, now)
    with open_exclusive(database) as live:
        with temporary_file_beside(replaced_path) as copy:
            copy_snapshot(live, copy)
            move_into_place(copy, replaced_path)
        try:
            carried_over = _carry_over(backup.engine, replaced_path, now)
            _require_copy(backup)
        except BaseException:
            replaced_path.unlink()
            raise
        backup.engine.dispose()
        overwrite_database(live, backup.copy)
    return RestoreResult(carried_over, replaced_path)


def _require_copy(backup: VerifiedBackup) -> None:
    """Refuse if the checked copy is gone: SQLite would make an empty database in its place.

    A command that waits for its answer for more than a day loses it to another one, to which it is
    a file that was left over.

    Raises:
        DatabaseError: it has been deleted or replaced.
    """
    with suppress(FileNotFoundError):
        status = backup.copy.stat()
        if (status.st_dev, status.st_ino) == backup.file_id:
            return
    raise DatabaseError(
        "the checked copy of the backup has been deleted meanwhile",
        where=Location(display_path(backup.copy)),
        remedy="Nothing was changed. Run it again.",
    )


def _replace_damaged(
    backup: VerifiedBackup, replaced_path: Path, now: datetime.datetime
) -> RestoreResult:
    """Move a damaged database away, after carrying over from it what can still be read."""
    try:
        carried_over = _carry_over(backup.engine, backup.database, now)
    except (DatabaseError, sqlite3.DatabaseError):
        carried_over = None
    _move_away(backup.database, replaced_path)
    _put_into_place(backup)
    return RestoreResult(carried_over, replaced_path)


def _put_into_place(backup: VerifiedBackup) -> None:
    """Move the copy where no database is; what was sent since the backup may be missing from it."""
    with backup.engine.begin() as connection:
        mark_as_moved(connection)
    backup.engine.dispose()
    move_into_place(backup.copy, backup.database)


def _move_away(database: Path, replaced_path: Path) -> None:
    for file, target in zip(database_files(database), database_files(replaced_path), strict=True):
        if file.exists():
            file.rename(target)


def _carry_over(engine: sa.Engine, live: Path, now: datetime.datetime) -> CarryOverResult:
    result = CarryOverResult()
    with _attach_live_database(engine, live) as connection:
        carry_over_subscribers(connection, result)
        if _has_sends(connection, attached_table(send)):
            result.sends = carry_over_sends(connection)
            carry_over_settings(connection)
        elif _has_sends(connection, send):
            # The backup's ledger is kept: the present database, as a new one on another machine,
            # knows nothing of what was sent since.
            mark_as_moved(connection)
        elif not has_identity(connection):
            carry_over_settings(connection)
        insert_missing_rows(connection, event)
        carry_over_unreadable_events(connection)
    result.erased = reapply_erasures(engine, now)
    return result


def _read_contents(connection: sa.Connection) -> DatabaseContents:
    subscribers = count_by_status(connection)
    sends = connection.scalar(sa.select(sa.func.count()).select_from(send)) or 0
    times = (
        connection.scalar(sa.select(sa.func.max(journal.c.at))),
        connection.scalar(sa.select(sa.func.max(send.c.frozen_at))),
    )
    return DatabaseContents(subscribers, sends, max(filter(None, times), default=None))


def _has_sends(connection: sa.Connection, sends: sa.FromClause) -> bool:
    return bool(connection.scalar(sa.select(sa.func.count()).select_from(sends)))


def _unused_path(database: Path) -> Path:
    """Return a free path to keep the replaced database at; those of earlier restores stay, too."""
    path = database.with_name(database.name + REPLACED_SUFFIX)
    number = 2
    while path.exists():
        path = database.with_name(f"{database.name}{REPLACED_SUFFIX}-{number}")
        number += 1
    return path


@contextmanager
def _attach_live_database(engine: sa.Engine, live: Path) -> Iterator[sa.Connection]:
    """Begin a transaction on the backup's copy in which the present database can be read."""
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute(f"ATTACH DATABASE ? AS {ATTACHED_SCHEMA}", (str(live),))
        try:
            with connection.begin():
                yield connection
        finally:
            driver.execute(f"DETACH DATABASE {ATTACHED_SCHEMA}")
