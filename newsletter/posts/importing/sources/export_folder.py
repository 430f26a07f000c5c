"""Open an export that is a ZIP, or a folder that one was unpacked to."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Protocol

from newsletter.errors import Location, PostError, display_path
from newsletter.posts.importing.sources.zip_guard import open_zip
from newsletter.zip_files import is_zip_file

NO_TEXT = "the post has no text"
EMPTY_DRAFTS = "drafts without text"  # of which nothing could be imported
MAX_TOTAL_BYTES = 2_000_000_000
_MAX_FILES = 50_000
_OWN_FOLDERS = frozenset({"posts", "emails"})
_MAX_DEPTH = 3  # folders: posts/x.html, or export/posts/x.html


class ExportFolder(Protocol):
    """The files of an export by their names, with ``/`` between folders."""

    def list_names(self) -> list[str]:
        """Return the names of the files with their folders."""
        ...

    def count_ignored(self) -> int:
        """Return how many files are ignored that a person may miss: links, other archives."""
        ...

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            KeyError: there is no such file.
            PostError: it can't be read, or is too large.
        """
        ...


class DiskFolder:
    """The files of a folder on disk; links are not followed."""

    def __init__(self, path: Path, max_entry_bytes: int) -> None:
        self._path = path
        self._max_entry_bytes = max_entry_bytes
        self._names = dict.fromkeys(sorted(islice(_iter_file_names(path), _MAX_FILES)))

    def list_names(self) -> list[str]:
        """Return the names of the files with their folders, sorted."""
        return list(self._names)

    def count_ignored(self) -> int:
        """Return 0: other archives are among the names, and no service exports links."""
        return 0

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            KeyError: there is no such file.
            PostError: it can't be read, or is too large.
        """
        if name not in self._names:
            raise KeyError(name)
        path = self._path / name
        where = Location(display_path(path))
        try:
            with path.open("rb") as file:
                content = file.read(self._max_entry_bytes + 1)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise PostError(f"could not read the file: {reason}", where=where) from error
        if len(content) > self._max_entry_bytes:
            raise PostError(
                f"the file has more than {self._max_entry_bytes:,} bytes",
                where=where,
                remedy="If that is expected, raise limits.post_bytes in newsletter.yml.",
            )
        return content


@contextmanager
def open_export_folder(path: Path, max_entry_bytes: int) -> Iterator[ExportFolder]:
    """Open a ZIP, or a folder on disk.

    Args:
        path: the ZIP or folder.
        max_entry_bytes: the most that one file may have.

    Raises:
        PostError: a ZIP is damaged or unsafe.
        OSError: it can't be read.
    """
    if path.is_dir():
        yield DiskFolder(path, max_entry_bytes)
        return
    limits = {"max_total_bytes": MAX_TOTAL_BYTES, "max_entry_bytes": max_entry_bytes}
    with open_zip(path, **limits) as folder:
        yield folder


def list_export_names(path: Path) -> list[str]:
    """Return the names of the files in a ZIP or folder; none if it is neither, or is unsafe.

    Raises:
        OSError: it can't be read.
    """
    if not path.is_dir() and not is_zip_file(path):
        return []
    try:
        with open_export_folder(path, 0) as folder:
            return folder.list_names()
    except PostError:
        return []


def strip_common_folder(names: list[str]) -> dict[str, str]:
    """Return the names without the folder around the export, each with its full name."""
    tops = {PurePosixPath(name).parts[0] for name in names if name}
    is_wrapped = len(tops) == 1 and not tops & _OWN_FOLDERS and all("/" in name for name in names)
    return {name.partition("/")[2] if is_wrapped else name: name for name in names}


def _iter_file_names(root: Path, prefix: str = "", depth: int = 0) -> Iterator[str]:
    with os.scandir(root / prefix) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.is_symlink():
                continue
            name = f"{prefix}{entry.name}"
            if entry.is_file():
                yield name
            elif entry.is_dir() and depth < _MAX_DEPTH:
                yield from _iter_file_names(root, f"{name}/", depth + 1)


def make_wrong_export_error(path: Path, names: list[str], service: str, missing: str) -> PostError:
    """Return an error about a ZIP or folder that isn't the export that was expected.

    Args:
        path: the ZIP or folder.
        names: the files in it.
        service: whose export was expected.
        missing: what would be in it.
    """
    suffixes = Counter(PurePosixPath(name).suffix.lower() or "other" for name in names)
    found = ", ".join(f"{count:,} {suffix}" for suffix, count in suffixes.most_common(4))
    return PostError(
        f"this is not an export of {service}: {missing} is missing",
        where=Location(display_path(path)),
        remedy=f"Files in it: {found or 'none'}. Use the file as {service} exports it.",
    )
