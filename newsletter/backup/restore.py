"""Restore a backup, keeping later unsubscribes and the record of sends.

A backup lacks everything that came after it. So two things are carried over from the database
that it replaces: who must not be mailed any more (unsubscribed, bounced, complained, erased), and
what was sent, so that nothing is sent twice.
"""

import datetime
import re
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
    carry_over_unreadable_events,
    count_missing_subscribers,
    different_list_error,
    insert_missing_rows,
    reapply_erasures,
)
from newsletter.db import open_database, read_transaction
from newsletter.db.errors import primary_result_code
from newsletter.db.identity import (
    IDENTITY_KEYS,
    has_identity,
    mark_as_moved,
    other_owner_error,
    read_owner,
)
from newsletter.db.schema import attempt, batch, event, journal, metadata, send, setting
from newsletter.db.sqlite_copy import (
    CORRUPTION_CODES,
    copy_snapshot,
    database_files,
    delete_leftovers,
    find_corruption,
    open_exclusive,
    overwrite_database,
    temporary_file_beside,
    translate_sqlite_errors,
)
from newsletter.errors import DatabaseError, Location, display_path
from newsletter.private_files import move_into_place
from newsletter.subscribers import count_by_status
from newsletter.subscribers.send_names import RECALLED_MARK
from newsletter.subscribers.tracking_record import TRACKING_KEY_PREFIX

REPLACED_SUFFIX = ".before-restore"


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


@dataclass(frozen=True, slots=True)
class VerifiedBackup:
    """A backup that was copied beside the database and passed the checks.

    Attributes:
        copy: the copy.
        engine: an engine on the copy.
        database: the database file that the copy will replace.
        live_damage: what is wrong with the present database; empty if nothing.
    """

    copy: Path
    engine: sa.Engine
    database: Path
    live_damage: str


@contextmanager
def open_backup(file: Path, database: Path, newsletter_id: str = "") -> Iterator[VerifiedBackup]:
    """Copy a backup beside the database and check it; the copy is deleted at the end.

    Args:
        file: the backup.
        database: the database that it will replace.
        newsletter_id: ``id`` of newsletter.yml; empty if there is none.

    Raises:
        DatabaseError: the backup is damaged, is not of a newsletter, is of another newsletter, or
            is of a newer version of newsletter; or the present database is of another newsletter or
            of a newer version.
    """
    where = Location(display_path(file))
    name = re.escape(database.name)
    delete_leftovers(database.parent, rf"{name}({re.escape(REPLACED_SUFFIX)}(-\d+)?)?")
    with temporary_file_beside(database) as copy:
        _copy_and_check(file, copy, where)
        try:
            engine = open_database(f"sqlite:///{copy.name}", copy.parent, is_temporary=True)
        except DatabaseError as error:
            problem = error.problems[0]
            raise DatabaseError(problem.message, where=where, remedy=problem.remedy) from error
        try:
            _check_owner(engine, newsletter_id, where)
            damage = find_corruption(database) if database.exists() else []
            if database.exists() and not damage:
                _prepare_live_database(database, newsletter_id)
            yield VerifiedBackup(copy, engine, database, damage[0] if damage else "")
        finally:
            engine.dispose()


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
        DatabaseError: another process has it open, or the two are not states of one list.
            Nothing is changed then.
    """
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
        except BaseException:
            replaced_path.unlink()
            raise
        backup.engine.dispose()
        overwrite_database(live, backup.copy)
    return RestoreResult(carried_over, replaced_path)


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


def _copy_and_check(file: Path, copy: Path, where: Location) -> None:
    damage = _copy_backup(file, copy) or find_corruption(copy)
    if damage:
        raise DatabaseError(
            f"the file is damaged or is not a backup: {damage[0]}",
            where=where,
            remedy="Nothing was changed. Restore an earlier backup.",
        )
    with closing(sqlite3.connect(copy)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if not {"alembic_version", "subscriber"} <= tables:
        raise DatabaseError(
            "the file is not a backup of a newsletter",
            where=where,
            remedy="Name a file that was made by: newsletter backup",
        )


def _check_owner(engine: sa.Engine, newsletter_id: str, where: Location) -> None:
    with read_transaction(engine) as connection:
        owner = read_owner(connection)
    if newsletter_id and owner not in {"", newsletter_id}:
        raise DatabaseError(
            f"the backup is of another newsletter, with the id {owner}",
            where=where,
            remedy="Nothing was changed. Restore it in the folder of that newsletter; if it is "
            f"the same newsletter, set id: {owner} in newsletter.yml.",
        )


def _prepare_live_database(database: Path, newsletter_id: str) -> None:
    """Migrate it to the same version as the copy, to compare them; check that it may be replaced.

    Raises:
        DatabaseError: it belongs to another newsletter.
    """
    engine = open_database(f"sqlite:///{database.name}", database.parent)
    try:
        with read_transaction(engine) as connection:
            owner = read_owner(connection)
    finally:
        engine.dispose()
    if newsletter_id and owner not in {"", newsletter_id}:
        raise other_owner_error(owner, Location(display_path(database)))


def _copy_backup(file: Path, copy: Path) -> list[str]:
    """Copy a backup and return what is wrong with it; it may be on a read-only file system."""
    path = file.resolve()
    # A copied database file, other than a backup, is in WAL mode: unless it is opened as immutable,
    # SQLite makes a log and an index beside it, and leaves them there.
    is_unused = not any(beside.exists() for beside in database_files(path)[1:])
    uri = f"{path.as_uri()}?mode=ro{'&immutable=1' if is_unused else ''}"
    with (
        translate_sqlite_errors(file),
        closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as source,
    ):
        try:
            copy_snapshot(source, copy)
        except sqlite3.DatabaseError as error:
            if primary_result_code(error) in CORRUPTION_CODES:
                return [str(error)]
            raise
    return []


def _carry_over(engine: sa.Engine, live: Path, now: datetime.datetime) -> CarryOverResult:
    result = CarryOverResult()
    with _attach_live_database(engine, live) as connection:
        carry_over_subscribers(connection, result)
        if _has_sends(connection, attached_table(send)):
            result.sends = _carry_sends(connection)
            _carry_settings(connection)
        elif _has_sends(connection, send):
            # The backup's ledger is kept: the present database, as a new one on another machine,
            # knows nothing of what was sent since.
            mark_as_moved(connection)
        elif not has_identity(connection):
            _carry_settings(connection)
        insert_missing_rows(connection, event)
        carry_over_unreadable_events(connection)
    result.erased = reapply_erasures(engine, now)
    return result


def _has_sends(connection: sa.Connection, sends: sa.FromClause) -> bool:
    return bool(connection.scalar(sa.select(sa.func.count()).select_from(sends)))


def _carry_sends(connection: sa.Connection) -> list[str]:
    """Replace the backup's ledger by the present one, of which it must be an earlier state.

    Returns:
        The issues whose send was missing from the backup, or was in another state there.
    """
    present = attached_table(send)
    same_send = sa.and_(
        present.c.id == send.c.id,
        # A recalled send may have been renamed since.
        sa.or_(
            present.c.issue == send.c.issue,
            present.c.issue.startswith(send.c.issue.concat(RECALLED_MARK)),
        ),
        present.c.frozen_at == send.c.frozen_at,
    )
    in_mailed_batch = sa.and_(
        batch.c.send_id == send.c.id, batch.c.state.in_(("in_flight", "unknown", "accepted"))
    )
    is_lost = sa.or_(
        sa.and_(sa.exists().where(in_mailed_batch), ~sa.exists().where(same_send)),
        # The present database may know the send, and not that it has gone on: it is the older one.
        sa.exists().where(in_mailed_batch, batch.c.id == attempt.c.batch_id, _request_lost()),
    )
    lost = connection.scalars(sa.select(send.c.issue).where(is_lost))
    if issues := sorted(lost):
        raise different_list_error(
            f"the latter has no record that {', '.join(issues[:3])} was sent"
        )
    unchanged = sa.exists().where(same_send, present.c.state == send.c.state)
    changed = connection.scalars(
        sa.select(present.c.issue).where(~unchanged).order_by(present.c.id)
    ).all()
    for table in reversed(LEDGER_TABLES):
        connection.execute(sa.delete(table))
    for table in LEDGER_TABLES:
        insert_missing_rows(connection, table)
    return list(changed)


def _request_lost() -> sa.ColumnElement[bool]:
    """Return the condition that the present database lacks an attempt that may be with readers."""
    present = attached_table(attempt)
    same_attempt = (
        present.c[name] == attempt.c[name] for name in ("batch_id", "number", "body_sha")
    )
    return sa.and_(
        attempt.c.body_sha != "",  # not of a copy that held the batch: it made no request
        sa.or_(attempt.c.outcome.is_(None), attempt.c.outcome.in_(("accepted", "unknown"))),
        ~sa.exists().where(*same_attempt),
    )


def _carry_settings(connection: sa.Connection) -> None:
    """Replace by the present ones the settings that belong to the ledger.

    The identity, since with the present ledger the restored database is no more a copy than the
    present one is; and which sends were tracked.
    """
    present = attached_table(setting)
    is_carried, was_carried = (
        sa.or_(
            table.c.key.in_(IDENTITY_KEYS),
            table.c.key.startswith(TRACKING_KEY_PREFIX, autoescape=True),
        )
        for table in (present, setting)
    )
    connection.execute(sa.delete(setting).where(was_carried))
    columns = list(present.c.keys())
    rows = sa.select(present).where(is_carried)
    connection.execute(sa.insert(setting).from_select(columns, rows))


def _find_ledger_tables() -> list[sa.Table]:
    """Return ``send`` and all tables whose rows refer to a send, in the order to fill them in."""
    tables = [send]
    for table in metadata.sorted_tables:
        parents = {key.column.table for key in table.foreign_keys}
        if table is not send and parents & set(tables):
            tables.append(table)
    return tables


LEDGER_TABLES = _find_ledger_tables()


def _read_contents(connection: sa.Connection) -> DatabaseContents:
    subscribers = count_by_status(connection)
    sends = connection.scalar(sa.select(sa.func.count()).select_from(send)) or 0
    times = (
        connection.scalar(sa.select(sa.func.max(journal.c.at))),
        connection.scalar(sa.select(sa.func.max(send.c.frozen_at))),
    )
    return DatabaseContents(subscribers, sends, max(filter(None, times), default=None))


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
