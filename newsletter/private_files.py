"""Create files and folders that only their owner can read.

Whatever holds readers' data is written through these functions. The mode is given when a file is
created, whatever the umask: with a later chmod, another user could have opened the file before.
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from newsletter.special_files import is_special_file

FILE_MODE = 0o600
FOLDER_MODE = 0o700
_TEMPORARY_PREFIX = "newsletter-private-"


def make_private_folder(folder: Path, *, exist_ok: bool = False) -> None:
    """Create a folder that only its owner can enter; the folder above it must exist.

    Args:
        folder: the path.
        exist_ok: whether it may exist already; its mode is then left to whoever has made it.

    Raises:
        FileExistsError: it exists, or is a file.
    """
    folder.mkdir(FOLDER_MODE, exist_ok=exist_ok)


@contextmanager
def temporary_private_folder() -> Iterator[Path]:
    """Create a temporary folder for readers' data, deleted at the end.

    If the program is killed, the next ``delete_leftover_folders`` deletes it: a lock on it ends
    with the program. It gets its name once it is locked. The lock is on its parent, which has
    nothing else in it: a SQLite database locks the folder that it is in.
    """
    delete_leftover_folders()
    unlocked = Path(tempfile.mkdtemp(prefix=f".{_TEMPORARY_PREFIX}"))
    descriptor = os.open(unlocked, os.O_RDONLY)
    try:
        with suppress(OSError):  # not every file system has locks; none is deleted there
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        folder = unlocked.rename(unlocked.with_name(unlocked.name.removeprefix(".")))
        try:
            inner = folder / "files"
            inner.mkdir(0o700)
            yield inner
        finally:
            shutil.rmtree(folder)
    finally:
        os.close(descriptor)


def delete_leftover_folders() -> None:
    """Delete the temporary folders of programs of this user that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY_PREFIX}*"):
        with suppress(OSError):  # another program is just deleting it, or it is somebody else's
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)
            finally:
                os.close(descriptor)


def create_private_file(path: Path) -> BinaryIO:
    """Create and open a file that only its owner can read.

    Raises:
        FileExistsError: there is a file already, or a symbolic link, wherever it leads.
    """
    return open(path, "xb", opener=_open_privately)


def create_temporary_beside(target: Path) -> tuple[int, Path]:
    """Create an empty private file beside ``target`` and return its descriptor and its path."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    return descriptor, Path(name)


@contextmanager
def replace_privately(target: Path) -> Iterator[BinaryIO]:
    """Open a private file that takes the place of ``target`` once it is complete.

    A file that is there may be open to others; the new one is not. A symbolic link is replaced, not
    followed; a device or a pipe is written to. If anything fails, what was there stays.
    """
    if is_special_file(target):
        with target.open("wb") as file:
            yield file
        return
    descriptor, temporary = create_temporary_beside(target)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        move_into_place(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def move_into_place(temporary: Path, target: Path) -> None:
    """Rename a finished file, durably: after a power cut it is complete or absent."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(target)
    with suppress(OSError):  # not every system can sync a folder
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def tighten_new_file(descriptor: int) -> None:
    """Let only the owner read an empty file that the shell has opened for a program's output.

    The shell has created it with the user's umask. A file with content was there before, and a
    pipe, a terminal or a device is no file: they are left as they are.
    """
    with suppress(OSError):  # some file systems have no modes
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_size == 0:
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode) & FOLDER_MODE)


def _open_privately(path: str, flags: int) -> int:
    return os.open(path, flags, FILE_MODE)
