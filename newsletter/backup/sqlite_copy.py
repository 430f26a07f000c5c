"""Copy a SQLite database while others write to it, and put it back.

By SQLite's own backup API.

A copy is one file, whole and checked, or none at all.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from newsletter.db.errors import database_error, primary_result_code, translate_sqlite_error
from newsletter.errors import DatabaseError, Location, display_path

ProgressCallback = Callable[[int], None]

PAGES_PER_STEP = 2_000
# How long a restore waits for a command that is about to end.
LOCK_TIMEOUT_SECONDS = 2.0
CORRUPTION_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def back_up(database: Path, target: Path, progress: ProgressCallback = lambda _: None) -> None:
    """Copy a database into a file that only its owner can read, and check the copy.

    The copy is the database of one moment; a send or an import may go on writing meanwhile.

    Args:
        database: the file of the database.
        target: the copy; replaced if it is there.
        progress: called with the hundredths just copied.

    Raises:
        DatabaseError: there is no such database, or it is damaged, or the copy can't be written.
    """
    if not database.exists():
        raise database_error(
            "there is no database yet", Location(display_path(database)), "Nothing to back up."
        )
    with temporary_file_beside(target) as copy:
        with translate_sqlite_errors(target), closing(_connect(database)) as source:
            copy_snapshot(source, copy, progress)
        complaints = find_corruption(copy) or find_orphan_rows(copy)
        if complaints:
            raise database_error(
                f"the database is damaged, so that no backup of it was kept: {complaints[0]}",
                Location(display_path(database)),
                "Restore an earlier backup with: newsletter restore FILE",
            )
        move_into_place(copy, target)


def copy_snapshot(
    source: sqlite3.Connection, copy: Path, progress: ProgressCallback = lambda _: None
) -> None:
    """Copy what ``source`` holds at this moment into the file ``copy``."""
    # One read transaction over all steps: without it every write of another would make the
    # copy begin anew, and a busy list would never be backed up.
    source.execute("BEGIN")
    source.execute("SELECT 1 FROM sqlite_master")
    try:
        with closing(_connect(copy)) as made:
            source.backup(made, pages=PAGES_PER_STEP, progress=_percent_progress(progress))
            # One file holds it all, and can be read where nothing can be written.
            made.execute("PRAGMA journal_mode = DELETE")
    finally:
        source.execute("ROLLBACK")


def find_corruption(path: Path) -> list[str]:
    """What SQLite finds wrong with a database, at most ten things; none if it is whole.

    Raises:
        DatabaseError: it can't be read at all, for other reasons than damage.
    """
    with translate_sqlite_errors(path), closing(_connect(path)) as connection:
        try:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(10)")]
        except sqlite3.DatabaseError as error:
            if primary_result_code(error) in CORRUPTION_CODES:
                return [str(error)]
            raise
    return [line for line in found if line != "ok"]


def find_orphan_rows(path: Path) -> list[str]:
    """Rows of a whole database that belong to a row that isn't there, at most ten."""
    with translate_sqlite_errors(path), closing(_connect(path)) as connection:
        found = connection.execute("PRAGMA foreign_key_check").fetchmany(10)
    return [f"a row of {table} belongs to a {parent} that is gone" for table, _, parent, _ in found]


@contextmanager
def open_exclusive(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection beside which no other can read or write, for the length of a ``with`` block.

    Raises:
        DatabaseError: somebody else has the database open.
    """
    with (
        translate_sqlite_errors(database),
        closing(_connect(database, LOCK_TIMEOUT_SECONDS)) as connection,
    ):
        # Without this, the lock would go with each transaction; and nobody may have the
        # database open when the write-ahead log is put away.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        yield connection


def overwrite_database(live: sqlite3.Connection, source: Path) -> None:
    """Make ``live`` hold what ``source`` holds, in one transaction."""
    with closing(_connect(source)) as content:
        content.backup(live)


@contextmanager
def temporary_file_beside(target: Path) -> Iterator[Path]:
    """An empty file beside ``target`` for its next content; gone at the end, unless it was put."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise database_error(
            f"no file can be made there: {(error.strerror or str(error)).lower()}",
            Location(display_path(target)),
            "Name a file in a folder that is there and that you may write to.",
        ) from error
    os.close(handle)
    path = Path(name)
    try:
        yield path
    finally:
        for part in database_files(path):
            part.unlink(missing_ok=True)


def move_into_place(copy: Path, target: Path) -> None:
    """Give a finished file its name, such that a power cut leaves it whole or not there."""
    with copy.open("rb") as file:
        os.fsync(file.fileno())
    copy.replace(target)
    with suppress(OSError):  # a folder can't be synced everywhere
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def database_files(path: Path) -> tuple[Path, ...]:
    """A database and the files that SQLite keeps beside it."""
    return (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")))


@contextmanager
def translate_sqlite_errors(path: Path) -> Iterator[None]:
    """SQLite's complaints about ``path`` as ``DatabaseError``."""
    try:
        yield
    except sqlite3.Error as error:
        problem: DatabaseError | None = translate_sqlite_error(error, Location(display_path(path)))
        if problem is None:
            raise
        raise problem from error


def _percent_progress(progress: ProgressCallback) -> Callable[[int, int, int], None]:
    done = 0

    def step(_status: int, left: int, total: int) -> None:
        nonlocal done
        now = 100 * (total - left) // max(total, 1)
        progress(now - done)
        done = now

    return step


def _connect(path: Path, timeout: float = 30.0) -> sqlite3.Connection:
    # By itself the driver would begin transactions, late.
    return sqlite3.connect(path, timeout=timeout, isolation_level=None)
