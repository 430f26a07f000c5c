"""Mark file beside a SQLite database, by which a copy is recognized.

One process at a time writes it, durably; it has the permissions of the database.
"""

import fcntl
import json
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import sqlalchemy as sa

from newsletter.db.errors import database_error
from newsletter.errors import DatabaseError, Location, display_path
from newsletter.private_files import replace_privately

MARK_SUFFIX = ".mark"
# Linux's FS_IOC_GETVERSION, _IOR('v', 1, long): the generation of an inode.
_GET_GENERATION = 0x80007601 | struct.calcsize("l") << 16


@dataclass(frozen=True, slots=True)
class DatabaseMark:
    """What is noted outside the database.

    Attributes:
        identity: the same as in the database; random.
        inode: of the database file.
        high_water: the number of the last group of requests.
    """

    identity: str
    inode: int
    high_water: int


def save_mark(engine: sa.Engine, mark: DatabaseMark) -> None:
    """Note where a SQLite database is now.

    Raises:
        DatabaseError: the mark can't be written.
    """
    try:
        with _mark_lock(engine):
            _write_mark(engine, mark)
    except OSError as error:
        raise database_error(
            f"could not write the file: {(error.strerror or str(error)).lower()}",
            Location(display_path(mark_path(_database_file(engine)))),
            "Check the folder and its permissions.",
        ) from error


def save_high_water(engine: sa.Engine, high_water: int | None) -> None:
    """Note the number beside the database, before the first byte of the requests is sent.

    Several senders note theirs in any order, one at a time: a lower number over a higher one would
    let an older copy of the file, put in its place, pass for it, and send the last groups again. A
    number that is behind since a sender was killed before this is harmless: nothing was sent yet.
    """
    if high_water is None:
        return
    # On a full disk the send goes on: only the recognition of a later copy is less exact.
    with suppress(OSError), _mark_lock(engine):
        mark = read_mark(engine)
        if mark is not None and high_water > mark.high_water:
            _write_mark(engine, DatabaseMark(mark.identity, mark.inode, high_water))


def read_mark(engine: sa.Engine) -> DatabaseMark | None:
    """Return what is noted beside a SQLite database; ``None`` if there is nothing readable."""
    try:
        return load_mark(engine)
    except DatabaseError:
        return None


def load_mark(engine: sa.Engine) -> DatabaseMark | None:
    """Return what is noted beside a SQLite database; ``None`` if nothing is, or no mark.

    A file that is empty or not a mark proves nothing about where the database is, as no file does.
    Nor does a copy of a mark: whoever restores a whole folder restores it with the database.
    One that can't be read may be a mark, and is an error: nothing may be concluded from it.

    Raises:
        DatabaseError: there is a file that can't be read.
    """
    if engine.dialect.name != "sqlite":
        return None
    path = mark_path(_database_file(engine))
    try:
        with path.open("rb") as file:
            data = json.loads(file.read())
            if data["mark_file"] != _identify_file(file.fileno()):
                return None
        return DatabaseMark(str(data["identity"]), int(data["inode"]), int(data["high_water"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise database_error(
            f"could not read the file: {(error.strerror or str(error)).lower()}",
            Location(display_path(path)),
            "It belongs to the database: the user who runs newsletter must be able to read and "
            "write it. Check its permissions and the disk, and run the same command again.",
        ) from error
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def mark_path(database: Path) -> Path:
    """Return the file beside a SQLite database in which its mark is noted."""
    return database.with_name(database.name + MARK_SUFFIX)


def find_inode(engine: sa.Engine) -> int:
    """Return the inode of a SQLite database's file."""
    return _database_file(engine).stat().st_ino


def _database_file(engine: sa.Engine) -> Path:
    return Path(str(engine.url.database))


def _identify_file(descriptor: int) -> str:
    """Return the inode of an open file and, where the file system has it, its generation.

    The inode of a deleted file is soon given to a new one, often to the next; then its generation
    is another. Not for the database: closing a descriptor of it would drop SQLite's locks.
    """
    inode = os.fstat(descriptor).st_ino
    try:
        answer = fcntl.ioctl(descriptor, _GET_GENERATION, bytes(struct.calcsize("l")))
    except OSError:
        return str(inode)
    return f"{inode}.{struct.unpack_from('I', answer)[0]}"


@contextmanager
def _mark_lock(engine: sa.Engine) -> Iterator[None]:
    """Keep other processes and threads from writing the mark until the ``with`` block ends."""
    folder = os.open(_database_file(engine).parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # until it is closed
        yield
    finally:
        os.close(folder)


def _write_mark(engine: sa.Engine, mark: DatabaseMark) -> None:
    """Write the mark durably: an empty one, after a power cut, would make the database a copy.

    If only its last change is lost, the number in it is lower than that in the database, which is
    the same as if the requests had not been counted yet.
    """
    database = _database_file(engine)
    with replace_privately(mark_path(database)) as file:
        _copy_permissions(database, file.fileno())
        content = asdict(mark) | {"mark_file": _identify_file(file.fileno())}
        file.write(json.dumps(content).encode())


def _copy_permissions(database: Path, handle: int) -> None:
    """Let whoever may use the database use its mark too, as SQLite does with its own files."""
    status = database.stat()
    os.fchmod(handle, status.st_mode & 0o666)
    if os.geteuid() == 0:
        os.fchown(handle, status.st_uid, status.st_gid)
