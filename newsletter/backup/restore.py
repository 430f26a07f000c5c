"""Put a backup in the database's place.

Nobody is mailed who has left since, and nobody twice.

A backup knows nothing of what came after it. So what must not be forgotten is taken over from
the database that it replaces: who has left, and what was sent.
"""

import datetime
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from newsletter.backup.carry_over import (
    ATTACHED_SCHEMA,
    CarryOverResult,
    attached_table,
    carry_over_subscribers,
    count_missing_subscribers,
    different_list_error,
    insert_missing_rows,
    reapply_erasures,
)
from newsletter.backup.sqlite_copy import (
    CORRUPTION_CODES,
    copy_snapshot,
    database_files,
    find_corruption,
    move_into_place,
    open_exclusive,
    overwrite_database,
    temporary_file_beside,
    translate_sqlite_errors,
)
from newsletter.db import open_database, read_transaction
from newsletter.db.errors import primary_result_code
from newsletter.db.schema import batch, event, journal, metadata, send
from newsletter.errors import DatabaseError, Location, display_path
from newsletter.subscribers import count_by_status

REPLACED_SUFFIX = ".before-restore"


@dataclass(frozen=True, slots=True)
class DatabaseContents:
    """What is in a database.

    Attributes:
        subscribers: status -> how many.
        sends: how many.
        last_change_at: when a reader or a send was last written down; ``None`` if never.
    """

    subscribers: Mapping[str, int]
    sends: int
    last_change_at: datetime.datetime | None


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What a restore did.

    Attributes:
        carried_over: what was taken over; ``None`` if the present database could not be read, or
            was not there.
        replaced_path: where the present database is now; ``None`` if there was none.
    """

    carried_over: CarryOverResult | None
    replaced_path: Path | None


@dataclass(frozen=True, slots=True)
class VerifiedBackup:
    """A backup that was copied beside the database and found to be whole.

    Attributes:
        copy: the copy.
        engine: opens it.
        database: whose place it is to take.
        live_damage: what is wrong with the present one, if anything.
    """

    copy: Path
    engine: sa.Engine
    database: Path
    live_damage: str


@contextmanager
def open_backup(file: Path, database: Path) -> Iterator[VerifiedBackup]:
    """Copy a backup beside the database, and check it; the copy is gone at the end.

    Raises:
        DatabaseError: it is damaged, is no newsletter's, or is of a newer newsletter; or the
            present database is of a newer one.
    """
    where = Location(display_path(file))
    with temporary_file_beside(database) as copy:
        _copy_and_check(file, copy, where)
        try:
            engine = open_database(f"sqlite:///{copy.name}", copy.parent)
        except DatabaseError as error:
            problem = error.problems[0]
            raise DatabaseError(problem.message, where=where, remedy=problem.remedy) from error
        try:
            complaints = find_corruption(database) if database.exists() else []
            if database.exists() and not complaints:
                # To the same version as the copy: only then can they be compared.
                open_database(f"sqlite:///{database.name}", database.parent).dispose()
            yield VerifiedBackup(copy, engine, database, complaints[0] if complaints else "")
        finally:
            engine.dispose()


def compare_contents(
    backup: VerifiedBackup,
) -> tuple[DatabaseContents, DatabaseContents | None, int]:
    """What the backup has, what the present database has, and whom only that has.

    Returns:
        The backup's; the present database's, or ``None`` if it can't be read; and how many of
        its readers aren't in the backup.
    """
    with read_transaction(backup.engine) as connection:
        ours = _read_contents(connection)
    if backup.live_damage or not backup.database.exists():
        return ours, None, 0
    present = open_database(f"sqlite:///{backup.database.name}", backup.database.parent)
    try:
        with read_transaction(present) as connection:
            theirs = _read_contents(connection)
    finally:
        present.dispose()
    with _attach_live_database(backup.engine, backup.database) as connection:
        return ours, theirs, count_missing_subscribers(connection)


def restore_backup(backup: VerifiedBackup, now: datetime.datetime) -> RestoreResult:
    """Put the backup in the database's place; nobody else may have it open.

    Raises:
        DatabaseError: somebody has, or the two are not states of one list. Nothing is changed
            then.
    """
    database = backup.database
    kept = _unused_path(database)
    if not database.exists():
        # A log without its database would be written into the next one of that name.
        _move_away(database, kept)
        backup.engine.dispose()
        move_into_place(backup.copy, database)
        return RestoreResult(None, None)
    if backup.live_damage:
        return _replace_damaged(backup, kept, now)
    with open_exclusive(database) as live:
        with temporary_file_beside(kept) as copy:
            copy_snapshot(live, copy)
            move_into_place(copy, kept)
        try:
            carried = _carry_over(backup.engine, kept, now)
        except BaseException:
            kept.unlink()
            raise
        backup.engine.dispose()
        overwrite_database(live, backup.copy)
    return RestoreResult(carried, kept)


def _replace_damaged(
    backup: VerifiedBackup, replaced_path: Path, now: datetime.datetime
) -> RestoreResult:
    """A damaged file can't be written into; what can be read of it is taken over."""
    try:
        carried = _carry_over(backup.engine, backup.database, now)
    except (DatabaseError, sqlite3.DatabaseError):
        carried = None
    backup.engine.dispose()
    _move_away(backup.database, replaced_path)
    move_into_place(backup.copy, backup.database)
    return RestoreResult(carried, replaced_path)


def _move_away(database: Path, replaced_path: Path) -> None:
    for part, name in zip(database_files(database), database_files(replaced_path), strict=True):
        if part.exists():
            part.rename(name)


def _copy_and_check(file: Path, copy: Path, where: Location) -> None:
    complaints = _copy_backup(file, copy) or find_corruption(copy)
    if complaints:
        raise DatabaseError(
            f"this backup is damaged, or is none: {complaints[0]}",
            where=where,
            remedy="Nothing was changed. Take an earlier one.",
        )
    with closing(sqlite3.connect(copy)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if not {"alembic_version", "subscriber"} <= tables:
        raise DatabaseError(
            "this is no backup of a newsletter",
            where=where,
            remedy="Name a file that newsletter backup has made.",
        )


def _copy_backup(file: Path, copy: Path) -> list[str]:
    """Copy a backup, which may be where nothing can be written; what is wrong with it."""
    address = f"{file.resolve().as_uri()}?mode=ro"
    with (
        translate_sqlite_errors(file),
        closing(sqlite3.connect(address, uri=True, isolation_level=None)) as source,
    ):
        try:
            copy_snapshot(source, copy)
        except sqlite3.DatabaseError as error:
            if primary_result_code(error) in CORRUPTION_CODES:
                return [str(error)]
            raise
    return []


def _carry_over(engine: sa.Engine, live: Path, now: datetime.datetime) -> CarryOverResult:
    carried = CarryOverResult()
    with _attach_live_database(engine, live) as connection:
        carry_over_subscribers(connection, carried)
        carried.sends = _carry_sends(connection)
        insert_missing_rows(connection, event)
    carried.erased = reapply_erasures(engine, now)
    return carried


def _carry_sends(connection: sa.Connection) -> list[str]:
    """Replace the backup's ledger by the present one, of which it is an earlier state."""
    present = attached_table(send)
    if not connection.scalar(sa.select(sa.func.count()).select_from(present)):
        return []
    same = sa.and_(
        present.c.id == send.c.id,
        present.c.issue == send.c.issue,
        present.c.frozen_at == send.c.frozen_at,
    )
    mailed = sa.exists().where(
        batch.c.send_id == send.c.id, batch.c.state.in_(("in_flight", "unknown", "accepted"))
    )
    lost = connection.scalars(sa.select(send.c.issue).where(mailed, ~sa.exists().where(same)))
    if issues := sorted(lost):
        raise different_list_error(f"that doesn't know that {', '.join(issues[:3])} was sent")
    known = sa.exists().where(same, present.c.state == send.c.state)
    news = connection.scalars(sa.select(present.c.issue).where(~known).order_by(present.c.id)).all()
    for table in reversed(LEDGER_TABLES):
        connection.execute(sa.delete(table))
    for table in LEDGER_TABLES:
        insert_missing_rows(connection, table)
    return list(news)


def _find_ledger_tables() -> list[sa.Table]:
    """``send`` and every table whose rows belong to one, in the order in which to fill them."""
    found = [send]
    for table in metadata.sorted_tables:
        owners = {key.column.table for key in table.foreign_keys}
        if table is not send and owners & set(found):
            found.append(table)
    return found


LEDGER_TABLES = _find_ledger_tables()


def _read_contents(connection: sa.Connection) -> DatabaseContents:
    readers = count_by_status(connection)
    sends = connection.scalar(sa.select(sa.func.count()).select_from(send)) or 0
    moments = (
        connection.scalar(sa.select(sa.func.max(journal.c.at))),
        connection.scalar(sa.select(sa.func.max(send.c.frozen_at))),
    )
    return DatabaseContents(readers, sends, max(filter(None, moments), default=None))


def _unused_path(database: Path) -> Path:
    """What was kept by an earlier restore stays, too."""
    kept = database.with_name(database.name + REPLACED_SUFFIX)
    number = 2
    while kept.exists():
        kept = database.with_name(f"{database.name}{REPLACED_SUFFIX}-{number}")
        number += 1
    return kept


@contextmanager
def _attach_live_database(engine: sa.Engine, live: Path) -> Iterator[sa.Connection]:
    """A transaction on the backup's copy in which the present database can be read."""
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute(f"ATTACH DATABASE ? AS {ATTACHED_SCHEMA}", (str(live),))
        try:
            with connection.begin():
                yield connection
        finally:
            driver.execute(f"DETACH DATABASE {ATTACHED_SCHEMA}")
