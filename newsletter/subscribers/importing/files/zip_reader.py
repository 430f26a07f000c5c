"""Unpack the CSV files of a ZIP safely: path traversal, ZIP bombs."""

import errno
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import NamedTuple

from newsletter.errors import Location, SubscriberListError
from newsletter.private_files import create_private_file

_LIST_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".txt", ".jsonl"})
_ARCHIVE_SUFFIXES = frozenset({".zip", ".gz", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz"})
_WORKBOOK_MARKER = "[Content_Types].xml"
_MAX_FILES = 10_000
# Of the list of the files. Each takes 46 bytes at least, and 400 in memory.
_MAX_DIRECTORY_BYTES = 4_000_000
METADATA_REASON = "metadata of macOS"
_ENCRYPTED_FLAG = 0x1
_UTF8_FLAG = 0x800
_BLOCK_SIZE = 1 << 20
# Python's module limits the size of what it unpacks at a time for these two only: a block of bzip2
# or LZMA can become gigabytes in memory, whatever size is asked for.
_COMPRESSIONS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
# APPNOTE.TXT 4.4.5, by PKWARE.
_OTHER_COMPRESSION_NAMES = {
    9: "Deflate64", zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "LZMA", 93: "Zstandard", 95: "XZ",
    98: "PPMd", 99: "AES encryption",
}  # fmt: skip
# The module raises all of these on damaged bytes: names that are not UTF-8, an offset before the
# beginning of the file (EINVAL).
_DAMAGED_ERRORS = (
    zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, EOFError, OverflowError,
    RuntimeError, ValueError, OSError,
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
            if _is_of_the_system(error):
                raise
            raise _damaged_error("the ZIP", error, Location(str(path))) from error
        yield archive


def _unpack_to(folder: Path, path: Path, max_bytes: int) -> UnpackedArchive:
    where = Location(str(path))
    with _BoundedFile(path) as zip_bytes, zipfile.ZipFile(zip_bytes) as archive:
        infos, ignored = _find_list_members(archive, where)
        size, files = 0, []
        for number, info in enumerate(infos):
            target = folder / f"{number}.csv"  # never a name from the ZIP
            with create_private_file(target) as file:
                for block in _iter_blocks(archive, info, where):
                    size += len(block)
                    if size > max_bytes:  # the sizes declared in the ZIP may be wrong
                        raise _too_large_error(max_bytes, where)
                    file.write(block)
            files.append(UnpackedFile(_decode_name(info), target))
    return UnpackedArchive(files, ignored)


class _BoundedFile(io.FileIO):
    """A file of which nobody reads much at once, as the module does with a ZIP's directory."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return so many bytes, or all that are left.

        Raises:
            SubscriberListError: they are more than any list of files in a ZIP needs.
        """
        is_much = size is None or not 0 <= size <= _MAX_DIRECTORY_BYTES
        data = super().read(_MAX_DIRECTORY_BYTES + 1 if is_much else size) or b""
        if len(data) > _MAX_DIRECTORY_BYTES:
            raise _too_many_files_error(Location(str(self.name)))
        return data


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
        raise _too_many_files_error(where)
    for info in infos:
        _check_name(info, where)
    reasons = [(info, _reason_to_ignore(info)) for info in infos if not info.is_dir()]
    members = [info for info, reason in reasons if not reason]
    if not members:
        raise SubscriberListError(
            "there is no CSV file in the ZIP", where=where, remedy="Use an export of subscribers."
        )
    for info in members:
        _check_compression(info, where)
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
            f"{_describe_member(info)} is encrypted",
            where=where,
            remedy="Unpack it and import the files.",
        )


def _check_compression(info: zipfile.ZipInfo, where: Location) -> None:
    method = info.compress_type
    if method not in _COMPRESSIONS:
        raise SubscriberListError(
            f"{_describe_member(info)} is compressed with "
            f"{_OTHER_COMPRESSION_NAMES.get(method, f'method {method}')}, not with Deflate",
            where=where,
            remedy="Unpack it and import the files.",
        )


def _describe_member(info: zipfile.ZipInfo) -> str:
    return f"'{_decode_name(info)[:60]}' in the ZIP"


def _reason_to_ignore(info: zipfile.ZipInfo) -> str:
    """Return why a file isn't unpacked; ``""`` for a list."""
    path = PurePosixPath(info.filename)
    if "__MACOSX" in path.parts or path.name == ".DS_Store":
        return METADATA_REASON
    if path.name.startswith("."):
        return "a hidden file"
    return "" if path.suffix.lower() in _LIST_SUFFIXES else "not a CSV file"


def _iter_blocks(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: Location
) -> Iterator[bytes]:
    """Yield a file's bytes, a bounded number at a time."""
    try:
        with archive.open(info) as source:
            while block := source.read(_BLOCK_SIZE):
                yield block
    except _DAMAGED_ERRORS as error:
        if _is_of_the_system(error):
            raise
        raise _damaged_error(_describe_member(info), error, where) from error


def _is_of_the_system(error: Exception) -> bool:
    """Return whether an error isn't the ZIP's fault: the disk is full, the file unreadable."""
    return isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}


def _damaged_error(name: str, error: Exception, where: Location) -> SubscriberListError:
    # Python's own message names the file once more: "Bad CRC-32 for file 'readers.csv'".
    reason = str(error).split(" for file ", 1)[0] or "it ends too early"
    return SubscriberListError(
        f"{name} is damaged: {reason}", where=where, remedy="Export it again, or unpack it."
    )


def _too_many_files_error(where: Location) -> SubscriberListError:
    return SubscriberListError(
        f"there are more than {_MAX_FILES:,} files in the ZIP",
        where=where,
        remedy="Unpack it and import the files.",
    )


def _too_large_error(max_bytes: int, where: Location) -> SubscriberListError:
    return SubscriberListError(
        f"the files in the ZIP have more than {max_bytes:,} bytes in total",
        where=where,
        remedy="If that is expected, raise limits.list_bytes in newsletter.yml.",
    )
