"""Unpack the CSV files of a ZIP safely: path traversal, ZIP bombs."""

import errno
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import NamedTuple

from newsletter.errors import Location, SubscriberListError

_LIST_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".txt", ".jsonl"})
_ARCHIVE_SUFFIXES = frozenset({".zip", ".gz", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz"})
_WORKBOOK_MARKER = "[Content_Types].xml"
_MAX_FILES = 10_000
METADATA_REASON = "metadata of macOS"
_ENCRYPTED_FLAG = 0x1
_UTF8_FLAG = 0x800
_BLOCK_SIZE = 1 << 20
# The module and its decompressors raise all of these on damaged bytes: names that are not UTF-8, an
# offset before the beginning of the file (EINVAL), bzip2 (OSError without a number), LZMA.
_DAMAGED_ERRORS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError, EOFError,
    OverflowError, RuntimeError, ValueError, OSError,
)  # fmt: skip


class UnpackedFile(NamedTuple):
    """A file unpacked from an archive.

    Attributes:
        name: its name in the archive, with folders.
        path: its temporary path.
    """

    name: str
    path: Path


class UnpackedArchive(NamedTuple):
    """The files of an archive.

    Attributes:
        files: the unpacked lists.
        ignored: the other files and why they were not unpacked: name, reason.
    """

    files: list[UnpackedFile]
    ignored: list[tuple[str, str]]


def is_zip_file(path: Path) -> bool:
    """Return whether a file is a ZIP, whatever its name.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        return file.read(4) in {b"PK\x03\x04", b"PK\x05\x06"}


@contextmanager
def unpack_lists(path: Path, max_bytes: int) -> Iterator[UnpackedArchive]:
    """Unpack the CSV files of a ZIP to a private temporary folder, deleted at the end.

    Args:
        path: the ZIP.
        max_bytes: the maximum total size of the unpacked files, in bytes.

    Raises:
        SubscriberListError: the ZIP is damaged, encrypted, an Excel workbook, or unsafe: file
            names that lead outside the folder, nested archives, files that are too large.
        OSError: the ZIP can't be read.
    """
    with TemporaryDirectory() as folder:
        try:
            archive = _unpack_to(Path(folder), path, max_bytes)
        except _DAMAGED_ERRORS as error:
            if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
                raise
            raise SubscriberListError(
                f"the ZIP is damaged: {error}",
                where=Location(str(path)),
                remedy="Export it again, or unpack it.",
            ) from error
        yield archive


def _unpack_to(folder: Path, path: Path, max_bytes: int) -> UnpackedArchive:
    where = Location(str(path))
    with zipfile.ZipFile(path) as archive:
        infos, ignored = _find_list_members(archive, where)
        _check_declared_size(infos, max_bytes, where)
        size, files = 0, []
        for number, info in enumerate(infos):
            target = folder / f"{number}.csv"  # never a name from the ZIP
            for block_size in _unpack_file(archive, info, target):
                size += block_size
                if size > max_bytes:  # the sizes declared in the ZIP may be wrong
                    raise _too_large_error(max_bytes, where)
            files.append(UnpackedFile(_decode_name(info), target))
    return UnpackedArchive(files, ignored)


def _find_list_members(
    archive: zipfile.ZipFile, where: Location
) -> tuple[list[zipfile.ZipInfo], list[tuple[str, str]]]:
    """Return the lists; and the names of all other files, with the reason."""
    infos = archive.infolist()
    if any(info.filename == _WORKBOOK_MARKER for info in infos):
        raise SubscriberListError(
            "this is an Excel workbook", where=where, remedy="Save it as CSV and import that."
        )
    if len(infos) > _MAX_FILES:
        raise SubscriberListError(
            f"there are more than {_MAX_FILES:,} files in the ZIP", where=where
        )
    for info in infos:
        _check_name(info, where)
    reasons = [(info, _reason_to_ignore(info)) for info in infos if not info.is_dir()]
    members = [info for info, reason in reasons if not reason]
    if not members:
        raise SubscriberListError(
            "there is no CSV file in the ZIP", where=where, remedy="Use an export of subscribers."
        )
    return members, [(_decode_name(info), reason) for info, reason in reasons if reason]


def _decode_name(info: zipfile.ZipInfo) -> str:
    """Return a file's name; macOS writes UTF-8 without the flag that states it."""
    if info.flag_bits & _UTF8_FLAG:
        return info.filename
    try:
        return info.filename.encode("cp437").decode()
    except UnicodeError:
        return info.filename


def _check_name(info: zipfile.ZipInfo, where: Location) -> None:
    # Python truncates filename at a NUL; orig_filename is complete.
    name = info.orig_filename
    path = PurePosixPath(name)
    unsafe = path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name
    if unsafe or not name.isprintable():
        raise SubscriberListError(
            f"the ZIP contains an unsafe file name: '{name[:60]}'",
            where=where,
            remedy="No newsletter service creates such names; don't trust this file.",
        )
    if path.suffix.lower() in _ARCHIVE_SUFFIXES:
        raise SubscriberListError(
            f"the ZIP contains another archive: '{name[:60]}'",
            where=where,
            remedy="Unpack it and import the files one by one.",
        )
    if info.flag_bits & _ENCRYPTED_FLAG:
        raise SubscriberListError(
            "the ZIP is encrypted", where=where, remedy="Unpack it and import the files."
        )


def _reason_to_ignore(info: zipfile.ZipInfo) -> str:
    """Return why a file isn't unpacked; ``""`` for a list."""
    path = PurePosixPath(info.filename)
    if "__MACOSX" in path.parts or path.name == ".DS_Store":
        return METADATA_REASON
    if path.name.startswith("."):
        return "a hidden file"
    return "" if path.suffix.lower() in _LIST_SUFFIXES else "not a CSV file"


def _check_declared_size(infos: list[zipfile.ZipInfo], max_bytes: int, where: Location) -> None:
    if sum(info.file_size for info in infos) > max_bytes:
        raise _too_large_error(max_bytes, where)


def _unpack_file(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> Iterator[int]:
    """Write one file and yield the size of each block written."""
    with archive.open(info) as source, target.open("wb") as file:
        while block := source.read(_BLOCK_SIZE):
            file.write(block)
            yield len(block)


def _too_large_error(max_bytes: int, where: Location) -> SubscriberListError:
    return SubscriberListError(
        f"the files in the ZIP have more than {max_bytes:,} bytes in total",
        where=where,
        remedy="If that is expected, raise limits.list_bytes in newsletter.yml.",
    )
