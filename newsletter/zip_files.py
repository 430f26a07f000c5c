"""Open ZIP files from elsewhere safely: names, encryption, damage."""

import errno
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from newsletter.errors import Location, NewsletterError

ARCHIVE_SUFFIXES = frozenset({".zip", ".gz", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz"})
METADATA_REASON = "metadata of macOS"
UNPACK_REMEDY = "Unpack it and import the files."
# Of the list of the files. Each takes 46 bytes at least, and 400 in memory.
_MAX_DIRECTORY_BYTES = 4_000_000
_ENCRYPTED_FLAG = 0x1
_UTF8_FLAG = 0x800
_BLOCK_SIZE = 1 << 20
# Control characters, separators of lines, and what turns the direction of text.
_UNSAFE_CHARACTER = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\\\\]"
)
_DRIVE = re.compile(r"[A-Za-z]:")
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


class ZipMember(NamedTuple):
    """A file in a ZIP.

    Attributes:
        name: its name with folders, decoded.
        info: what the ZIP says about it; its sizes may be wrong.
    """

    name: str
    info: zipfile.ZipInfo

    @property
    def reason_to_ignore(self) -> str:
        """Why it is no file of the person who made the ZIP; empty if it is one."""
        path = PurePosixPath(self.name)
        if "__MACOSX" in path.parts or path.name == ".DS_Store":
            return METADATA_REASON
        return "a hidden file" if path.name.startswith(".") else ""


def is_zip_file(path: Path) -> bool:
    """Return whether a file is a ZIP, whatever its name.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        return file.read(4) in {b"PK\x03\x04", b"PK\x05\x06"}


class SafeZip:
    """An open ZIP in which every file has a harmless name and is not encrypted.

    Args:
        path: the ZIP.
        error_type: the class of the errors that are raised for what is wrong with it.
        max_files: how many files it may have.

    Raises:
        NewsletterError: of ``error_type``: the ZIP is damaged or unsafe.
        OSError: it can't be read.
    """

    def __init__(self, path: Path, error_type: type[NewsletterError], max_files: int) -> None:
        self._error_type = error_type
        self._where = Location(str(path))
        file = _BoundedFile(path, self.make_error(*_describe_too_many(max_files)))
        try:
            with self._translate_damage("the ZIP"):
                self._archive = zipfile.ZipFile(file)
            self.members = self._list_members(max_files)
        except BaseException:
            file.close()
            raise
        self._file = file

    def close(self) -> None:
        """Close the file."""
        self._archive.close()
        self._file.close()

    def check_compression(self, member: ZipMember) -> None:
        """Reject a method of compression whose memory can't be limited.

        Raises:
            NewsletterError: the file is encrypted, or compressed with another method than Deflate.
        """
        name, method = f"'{member.name[:60]}' in the ZIP", member.info.compress_type
        if member.info.flag_bits & _ENCRYPTED_FLAG:
            raise self.make_error(f"{name} is encrypted", UNPACK_REMEDY)
        if method not in _COMPRESSIONS:
            method_name = _OTHER_COMPRESSION_NAMES.get(method, f"method {method}")
            raise self.make_error(
                f"{name} is compressed with {method_name}, not with Deflate", UNPACK_REMEDY
            )

    def iter_blocks(self, member: ZipMember) -> Iterator[bytes]:
        """Yield a file's bytes, a bounded number at a time.

        Raises:
            NewsletterError: the file is damaged.
        """
        with (
            self._translate_damage(f"'{member.name[:60]}' in the ZIP"),
            self._archive.open(member.info) as source,
        ):
            while block := source.read(_BLOCK_SIZE):
                yield block

    def make_error(self, message: str, remedy: str = "") -> NewsletterError:
        """Return an error about the ZIP."""
        return self._error_type(message, where=self._where, remedy=remedy)

    def _list_members(self, max_files: int) -> tuple[ZipMember, ...]:
        infos = self._archive.infolist()
        if len(infos) > max_files:
            raise self.make_error(*_describe_too_many(max_files))
        for info in infos:
            self._check_name(info)
        return tuple(ZipMember(_decode_name(info), info) for info in infos if not info.is_dir())

    def _check_name(self, info: zipfile.ZipInfo) -> None:
        # Python truncates filename at a NUL; orig_filename is complete.
        for name in (info.orig_filename, _decode_name(info)):
            path = PurePosixPath(name)
            if (
                path.is_absolute()
                or ".." in path.parts
                or _DRIVE.match(name)
                or _UNSAFE_CHARACTER.search(name)
            ):
                shown = _UNSAFE_CHARACTER.sub("?", name)[:60]
                raise self.make_error(
                    f"the ZIP contains an unsafe file name: '{shown}'",
                    "No newsletter service creates such names; don't trust this file.",
                )

    @contextmanager
    def _translate_damage(self, name: str) -> Iterator[None]:
        try:
            yield
        except _DAMAGED_ERRORS as error:
            # The system's: the disk is full, the file unreadable.
            if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
                raise
            # Python's own message names the file once more: "Bad CRC-32 for file 'readers.csv'".
            reason = str(error).split(" for file ", 1)[0] or "it ends too early"
            raise self.make_error(
                f"{name} is damaged: {reason}", "Export it again, or unpack it."
            ) from error


class _BoundedFile(io.FileIO):
    """A file of which nobody reads much at once, as the module does with a ZIP's directory."""

    def __init__(self, path: Path, error: NewsletterError) -> None:
        super().__init__(path)
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        """Return so many bytes, or all that are left.

        Raises:
            NewsletterError: they are more than any list of files in a ZIP needs.
        """
        is_much = size is None or not 0 <= size <= _MAX_DIRECTORY_BYTES
        data = super().read(_MAX_DIRECTORY_BYTES + 1 if is_much else size) or b""
        if len(data) > _MAX_DIRECTORY_BYTES:
            raise self._error
        return data


def _describe_too_many(max_files: int) -> tuple[str, str]:
    return f"there are more than {max_files:,} files in the ZIP", UNPACK_REMEDY


def _decode_name(info: zipfile.ZipInfo) -> str:
    """Return a file's name; macOS writes UTF-8 without the flag that states it."""
    if info.flag_bits & _UTF8_FLAG:
        return info.filename
    try:
        return info.filename.encode("cp437").decode()
    except UnicodeError:
        return info.filename
