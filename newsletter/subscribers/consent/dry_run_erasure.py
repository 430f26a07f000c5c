"""Erase a subscriber from the database and from the files of dry runs.

A dry run writes one request for many readers. It can be repeated at any time, so the whole of its
folder is deleted if it mentions somebody who was erased.
"""

import datetime
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.bulk import column_in
from newsletter.db.schema import subscriber
from newsletter.subscribers.consent.erasure import ErasureResult, erase_address, has_erasures

_FOLDER_NAME = "dry-run"
# The folder, and those that a dry run that was killed has left.
_FOLDER_NAMES = (_FOLDER_NAME, f".{_FOLDER_NAME}.new", f".{_FOLDER_NAME}.old")
_BLOCK_BYTES = 1 << 20
# In each request, so that the provider's events can be matched; an id is never reused.
_SUBSCRIBER_ID = re.compile(rb'"nl_subscriber":"(\d{1,18})"')
_MAX_ID_BYTES = 40


class ReaderErasure(NamedTuple):
    """The result of an erasure, with that of dry runs.

    Attributes:
        records: the result in the database; ``None`` if there was nothing.
        deleted: the folders of dry runs that mentioned the reader.
        unreachable: those that could not be read or deleted.
    """

    records: ErasureResult | None
    deleted: Sequence[Path]
    unreachable: Sequence[Path]


def dry_run_folder(build_dir: Path, issue: str) -> Path:
    """Return the folder of an issue's dry run."""
    return build_dir / issue / _FOLDER_NAME


def erase_reader(
    engine: sa.Engine,
    build_dir: Path,
    key: str,
    now: datetime.datetime,
    subscriber_id: int | None = None,
) -> ReaderErasure:
    """Erase all records of an address, and the dry runs that mention it.

    Args:
        engine: the engine of the database.
        build_dir: the project's folder with generated files; it may be missing.
        key: the address as a key.
        now: the time to record.
        subscriber_id: whose address it must be; nothing is erased if it is another's by now.
    """
    with read_transaction(engine) as connection:
        id_ = connection.scalar(sa.select(subscriber.c.id).where(subscriber.c.address_key == key))
    records = erase_address(engine, key, now, subscriber_id)
    if subscriber_id is not None and records is None:
        return ReaderErasure(None, (), ())
    # The id finds a dry run from before a change of address.
    needles = [key.encode(), *([b'"nl_subscriber":"%d"' % id_] if id_ is not None else ())]
    deleted = list[Path]()
    folders, unreachable = _find_dry_runs(build_dir)
    for folder in folders:
        try:
            if not _mentions(folder, needles):
                continue
            shutil.rmtree(folder)
        except OSError:
            unreachable.append(folder)
        else:
            deleted.append(folder)
    return ReaderErasure(records, deleted, unreachable)


def find_outdated_dry_runs(
    connection: sa.Connection, build_dir: Path
) -> tuple[Sequence[Path], Sequence[Path]]:
    """Return the dry runs that mention readers who were erased since, and the unreadable ones.

    They are left if the reader was erased by a server that runs in another folder or as another
    user, or while the dry run was being written.
    """
    outdated = list[Path]()
    folders, unreadable = _find_dry_runs(build_dir) if has_erasures(connection) else ([], [])
    for folder in folders:
        try:
            if _mentions_unknown(connection, folder):
                outdated.append(folder)
        except OSError:
            unreadable.append(folder)
    return outdated, unreadable


def _find_dry_runs(build_dir: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders of dry runs, and those that can't even be looked for.

    ``Path.glob`` would leave the latter out, such as those in a folder of another user.
    """
    found, unreachable = list[Path](), list[Path]()
    for issue in sorted(build_dir.iterdir()) if build_dir.is_dir() else ():
        for folder in (issue / name for name in _FOLDER_NAMES):
            try:
                if stat.S_ISDIR(folder.stat().st_mode):
                    found.append(folder)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                unreachable.append(folder)
    return found, unreachable


def _mentions(folder: Path, needles: Sequence[bytes]) -> bool:
    """Return whether a file in a folder contains one of the needles, in any case of letters."""
    overlap = max(map(len, needles)) - 1
    return any(
        needle in block
        for file in _list_files(folder)
        for block in _iter_blocks(file, overlap)
        for needle in needles
    )


def _mentions_unknown(connection: sa.Connection, folder: Path) -> bool:
    """Return whether a file in a folder has the id of a subscriber who isn't in the list."""
    for file in _list_files(folder):
        for block in _iter_blocks(file, _MAX_ID_BYTES):
            ids = {int(digits) for digits in _SUBSCRIBER_ID.findall(block)}
            query = sa.select(sa.func.count()).where(column_in(connection, subscriber.c.id, ids))
            if ids and connection.scalar(query) != len(ids):
                return True
    return False


def _list_files(folder: Path) -> list[Path]:
    """Return the files in a folder and in its subfolders.

    Raises:
        OSError: one of the folders can't be read; ``Path.rglob`` would leave it out.
    """
    files = list[Path]()
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            files += _list_files(entry)
        elif entry.is_file():
            files.append(entry)
    return files


def _iter_blocks(file: Path, overlap: int) -> Iterator[bytes]:
    """Yield a file in lower case, block by block; each begins with the end of the one before."""
    end = b""
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK_BYTES):
            block = end + block.lower()
            yield block
            end = block[-overlap:]
