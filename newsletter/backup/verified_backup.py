"""Open a backup: copy it beside the database, and check it."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from newsletter.db import open_database, read_transaction
from newsletter.db.errors import primary_result_code
from newsletter.db.identity import find_retirement, other_owner_error, read_owner
from newsletter.db.migrate import LEGACY_VERSION_TABLE
from newsletter.db.schema import VERSION_TABLE
from newsletter.db.sqlite_copy import (
    CORRUPTION_CODES,
    copy_snapshot,
    database_files,
    delete_leftovers,
    find_corruption,
    temporary_file_beside,
    translate_sqlite_errors,
)
from newsletter.errors import DatabaseError, Location, display_path

REPLACED_SUFFIX = ".before-restore"


@dataclass(frozen=True, slots=True)
class VerifiedBackup:
    """A backup that was copied beside the database and passed the checks.

    Attributes:
        copy: the copy.
        file_id: device and inode of the copy's file.
        engine: an engine on the copy.
        database: the database file that the copy will replace.
        live_damage: what is wrong with the present database; empty if nothing.
    """

    copy: Path
    file_id: tuple[int, int]
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
        status = copy.stat()
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
            file_id = (status.st_dev, status.st_ino)
            yield VerifiedBackup(copy, file_id, engine, database, damage[0] if damage else "")
        finally:
            engine.dispose()


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
    if "subscriber" not in tables or not tables & {VERSION_TABLE, LEGACY_VERSION_TABLE}:
        raise DatabaseError(
            "the file is not a backup of a newsletter",
            where=where,
            remedy="Name a file that was made by: newsletter backup",
        )


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
        DatabaseError: it belongs to another newsletter, or is retired.
    """
    engine = open_database(f"sqlite:///{database.name}", database.parent)
    try:
        with read_transaction(engine) as connection:
            owner = read_owner(connection)
    finally:
        engine.dispose()
    if retired := find_retirement(engine):
        raise retired
    if newsletter_id and owner not in {"", newsletter_id}:
        raise other_owner_error(owner, Location(display_path(database)))
