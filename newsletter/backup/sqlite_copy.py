"""Copies of a SQLite database while others write to it, and their way back. SQLite's own API.

A copy is one file, whole and checked, or none at all.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from newsletter.db.errors import in_words, primary_code, refusal
from newsletter.errors import DatabaseError, Location, display_path

Progress = Callable[[int], None]

PAGES = 2_000
# How long a restore waits for a command that is about to end.
PATIENCE = 2.0
DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def back_up(database: Path, target: Path, progress: Progress = lambda _: None) -> None:
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
        raise refusal(
            "there is no database yet", Location(display_path(database)), "Nothing to back up."
        )
    with aside(target) as copy:
        with told(target), closing(_connect(database)) as source:
            snapshot(source, copy, progress)
        complaints = damage(copy) or orphans(copy)
        if complaints:
            raise refusal(
                f"the database is damaged, so that no backup of it was kept: {complaints[0]}",
                Location(display_path(database)),
                "Restore an earlier backup with: newsletter restore FILE",
            )
        put(copy, target)


def snapshot(source: sqlite3.Connection, copy: Path, progress: Progress = lambda _: None) -> None:
    """Copy what ``source`` holds at this moment into the file ``copy``."""
    # One read transaction over all steps: without it every write of another would make the
    # copy begin anew, and a busy list would never be backed up.
    source.execute("BEGIN")
    source.execute("SELECT 1 FROM sqlite_master")
    try:
        with closing(_connect(copy)) as made:
            source.backup(made, pages=PAGES, progress=_in_hundredths(progress))
            # One file holds it all, and can be read where nothing can be written.
            made.execute("PRAGMA journal_mode = DELETE")
    finally:
        source.execute("ROLLBACK")


def damage(path: Path) -> list[str]:
    """What SQLite finds wrong with a database, at most ten things; none if it is whole.

    Raises:
        DatabaseError: it can't be read at all, for other reasons than damage.
    """
    with told(path), closing(_connect(path)) as connection:
        try:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(10)")]
        except sqlite3.DatabaseError as error:
            if primary_code(error) in DAMAGE:
                return [str(error)]
            raise
    return [line for line in found if line != "ok"]


def orphans(path: Path) -> list[str]:
    """Rows of a whole database that belong to a row that isn't there, at most ten."""
    with told(path), closing(_connect(path)) as connection:
        found = connection.execute("PRAGMA foreign_key_check").fetchmany(10)
    return [f"a row of {table} belongs to a {parent} that is gone" for table, _, parent, _ in found]


@contextmanager
def alone(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection beside which no other can read or write, for the length of a ``with`` block.

    Raises:
        DatabaseError: somebody else has the database open.
    """
    with told(database), closing(_connect(database, PATIENCE)) as connection:
        # Without this, the lock would go with each transaction; and nobody may have the
        # database open when the write-ahead log is put away.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        yield connection


def overwrite(live: sqlite3.Connection, source: Path) -> None:
    """Make ``live`` hold what ``source`` holds, in one transaction."""
    with closing(_connect(source)) as content:
        content.backup(live)


@contextmanager
def aside(target: Path) -> Iterator[Path]:
    """An empty file beside ``target`` for its next content; gone at the end, unless it was put."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise refusal(
            f"no file can be made there: {(error.strerror or str(error)).lower()}",
            Location(display_path(target)),
            "Name a file in a folder that is there and that you may write to.",
        ) from error
    os.close(handle)
    path = Path(name)
    try:
        yield path
    finally:
        for part in parts(path):
            part.unlink(missing_ok=True)


def put(copy: Path, target: Path) -> None:
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


def parts(path: Path) -> tuple[Path, ...]:
    """A database and the files that SQLite keeps beside it."""
    return (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")))


@contextmanager
def told(path: Path) -> Iterator[None]:
    """SQLite's complaints about ``path`` as ``DatabaseError``."""
    try:
        yield
    except sqlite3.Error as error:
        problem: DatabaseError | None = in_words(error, Location(display_path(path)))
        if problem is None:
            raise
        raise problem from error


def _in_hundredths(progress: Progress) -> Callable[[int, int, int], None]:
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
