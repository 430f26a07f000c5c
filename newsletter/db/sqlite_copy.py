"""Copy a SQLite database in use, check it for damage, overwrite it.

Uses SQLite's online backup API. A copy is one file, complete and checked, or there is none.
"""

import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from newsletter.db.errors import database_error, primary_result_code, translate_sqlite_error
from newsletter.errors import DatabaseError, Location, display_path
from newsletter.private_files import create_temporary_beside, move_into_place

ProgressCallback = Callable[[int], None]

PAGES_PER_STEP = 2_000
# How long a restore waits for another command that is about to finish.
LOCK_TIMEOUT_SECONDS = 2.0
# How old a temporary file must be to count as left over.
LEFTOVER_SECONDS = 24 * 60 * 60
CORRUPTION_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def back_up(database: Path, target: Path, progress: ProgressCallback = lambda _: None) -> list[str]:
    """Copy a database to a file that only its owner can read, and check the copy.

    The copy is a snapshot of one moment; a send or an import may go on writing meanwhile.

    Args:
        database: the file of the database.
        target: the copy; replaced if it exists.
        progress: called with the percentage points copied since the last call.

    Returns:
        From ``find_orphan_rows``: they are no damage of the file, and a backup that has them as the
        database has them is worth keeping.

    Raises:
        DatabaseError: the database does not exist or is damaged, or the copy cannot be written.
    """
    if not database.exists():
        raise database_error(
            "the database does not exist yet",
            Location(display_path(database)),
            "There is nothing to back up.",
        )
    delete_leftovers(target.parent, re.escape(target.name))
    with temporary_file_beside(target) as copy:
        with translate_sqlite_errors(target), closing(_connect(database)) as source:
            copy_snapshot(source, copy, progress)
        if damage := find_corruption(copy):
            raise database_error(
                f"the database is damaged, so the backup was discarded: {damage[0]}",
                Location(display_path(database)),
                "Restore an earlier backup with: newsletter restore FILE",
            )
        orphan_rows = find_orphan_rows(copy)
        move_into_place(copy, target)
    return orphan_rows


def copy_snapshot(
    source: sqlite3.Connection, copy: Path, progress: ProgressCallback = lambda _: None
) -> None:
    """Copy a snapshot of ``source`` to the file ``copy``."""
    # One read transaction over all steps: without it, each write by another process would restart
    # the copy, and the backup of a busy list would never finish.
    source.execute("BEGIN")
    source.execute("SELECT 1 FROM sqlite_master")
    try:
        with closing(_connect(copy)) as target:
            source.backup(target, pages=PAGES_PER_STEP, progress=_percent_progress(progress))
            # Without WAL the copy is a single file, and readable on a read-only file system.
            target.execute("PRAGMA journal_mode = DELETE")
    finally:
        source.execute("ROLLBACK")


def find_corruption(path: Path) -> list[str]:
    """Return what SQLite's integrity check finds wrong, at most ten lines; none if it passes.

    Raises:
        DatabaseError: the database cannot be read, for other reasons than damage.
    """
    with translate_sqlite_errors(path), closing(_connect(path)) as connection:
        try:
            lines = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(10)")]
        except sqlite3.DatabaseError as error:
            if primary_result_code(error) in CORRUPTION_CODES:
                return [str(error)]
            raise
    return [line for line in lines if line != "ok"]


def find_orphan_rows(path: Path) -> list[str]:
    """Return a message for each foreign key without its parent row, at most ten.

    The database must be free of corruption.
    """
    with translate_sqlite_errors(path), closing(_connect(path)) as connection:
        rows = connection.execute("PRAGMA foreign_key_check").fetchmany(10)
    return [f"a row of {table} refers to a missing {parent}" for table, _, parent, _ in rows]


@contextmanager
def open_exclusive(database: Path) -> Iterator[sqlite3.Connection]:
    """Open a connection that locks all others out until the ``with`` block ends.

    Raises:
        DatabaseError: another process has the database open.
    """
    with (
        translate_sqlite_errors(database),
        closing(_connect(database, LOCK_TIMEOUT_SECONDS)) as connection,
    ):
        # In normal locking mode the lock would end with each transaction. Leaving WAL mode
        # requires that no other connection is open.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        yield connection


def overwrite_database(live: sqlite3.Connection, source: Path) -> None:
    """Replace the content of ``live`` by that of ``source``, in one transaction."""
    with closing(_connect(source)) as content:
        content.backup(live)


@contextmanager
def temporary_file_beside(target: Path) -> Iterator[Path]:
    """Create an empty file beside ``target``; delete it at the end unless it was moved."""
    try:
        descriptor, path = create_temporary_beside(target)
    except OSError as error:
        raise database_error(
            f"could not create the file: {(error.strerror or str(error)).lower()}",
            Location(display_path(target)),
            "Name a file in an existing folder that you can write to.",
        ) from error
    os.close(descriptor)
    try:
        yield path
    finally:
        for file in database_files(path):
            file.unlink(missing_ok=True)


def delete_leftovers(folder: Path, name: str) -> None:
    """Delete the temporary files of a program that was killed while it made a file.

    Those of the last day are left: another program may be making the same file now.

    Args:
        folder: the folder of the file.
        name: a regular expression for its name.
    """
    pattern = re.compile(rf"\.{name}\.\w{{8}}(-wal|-shm|-journal)?", re.ASCII)
    for path in folder.glob(".*"):
        if pattern.fullmatch(path.name):
            with suppress(OSError):
                if time.time() - path.lstat().st_mtime > LEFTOVER_SECONDS:
                    path.unlink()


def database_files(path: Path) -> tuple[Path, ...]:
    """Return the paths of a database and of the files that SQLite keeps beside it."""
    return (path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal")))


@contextmanager
def translate_sqlite_errors(path: Path) -> Iterator[None]:
    """Raise SQLite's errors about ``path`` as ``DatabaseError``."""
    try:
        yield
    except sqlite3.Error as error:
        translated: DatabaseError | None = translate_sqlite_error(
            error, Location(display_path(path))
        )
        if translated is None:
            raise
        raise translated from error


def _percent_progress(progress: ProgressCallback) -> Callable[[int, int, int], None]:
    reported = 0

    def report(_status: int, remaining: int, total: int) -> None:
        nonlocal reported
        percent = 100 * (total - remaining) // max(total, 1)
        progress(percent - reported)
        reported = percent

    return report


def _connect(path: Path, timeout: float = 30.0) -> sqlite3.Connection:
    # By default the driver begins transactions implicitly, and too late.
    return sqlite3.connect(path, timeout=timeout, isolation_level=None)
