"""Read the files of a ZIP of posts, with limits on what it unpacks to."""

import io
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Self, cast

from newsletter.errors import NewsletterError, PostError
from newsletter.zip_files import (
    ARCHIVE_SUFFIXES,
    METADATA_REASON,
    UNPACK_REMEDY,
    SafeZip,
    ZipMember,
)

_MAX_FILES = 50_000  # a blog of 20 years has its images in it, too
# Text is packed to a tenth, rarely to a hundredth; a bomb to a thousandth.
_MAX_RATIO = 250
_RATIO_COUNTS_FROM = 1_000_000  # bytes


class ZipFolder:
    """The files of an open ZIP; each is unpacked into memory when it is read.

    What was read counts towards the ZIP's limit, whatever sizes it states; a file that is read
    again counts once.

    Attributes:
        ignored: the files that are not read, each with the reason.
    """

    def __init__(self, archive: SafeZip, max_total_bytes: int, max_entry_bytes: int) -> None:
        self._archive = archive
        self._max_total_bytes = max_total_bytes
        self._max_entry_bytes = max_entry_bytes
        self._sizes: dict[str, int] = {}  # name -> bytes read
        self._total_bytes = 0
        self._members: dict[str, ZipMember] = {}
        self.ignored: dict[str, str] = {}
        for member in archive.members:
            if reason := _find_reason_to_ignore(member):
                self.ignored[member.name] = reason
            elif member.name in self._members:
                raise archive.make_error(
                    f"the ZIP contains two files of the name '{member.name[:60]}'", UNPACK_REMEDY
                )
            else:
                self._members[member.name] = member

    def list_names(self) -> list[str]:
        """Return the names of the files with their folders, in the ZIP's order."""
        return list(self._members)

    def count_ignored(self) -> int:
        """Return how many files are ignored that a person may miss: links, other archives."""
        return len(self.ignored) - Counter(self.ignored.values())[METADATA_REASON]

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            KeyError: there is no such file.
            PostError: it is damaged, encrypted or too large.
        """
        return b"".join(self._iter_blocks(self._members[name]))

    def open(self, name: str) -> BinaryIO:
        """Return a file for reading piece by piece.

        Raises:
            KeyError: there is no such file.
            PostError: it is damaged, encrypted or too large; also raised while it is read.
        """
        return cast(
            "BinaryIO", io.BufferedReader(_BlockReader(self._iter_blocks(self._members[name])))
        )

    def close(self) -> None:
        """Close the ZIP."""
        self._archive.close()

    def __enter__(self) -> Self:
        """Return the folder, which is closed at the end."""
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the ZIP."""
        self.close()

    def _iter_blocks(self, member: ZipMember) -> Iterator[bytes]:
        self._archive.check_compression(member)
        size = 0
        for block in self._archive.iter_blocks(member):
            size += len(block)
            if size > self._max_entry_bytes:
                raise self._make_size_error(
                    f"'{member.name[:60]}' in the ZIP has more than {self._max_entry_bytes:,} bytes"
                )
            if size > max(_RATIO_COUNTS_FROM, _MAX_RATIO * member.info.compress_size):
                raise self._make_size_error(
                    f"'{member.name[:60]}' in the ZIP unpacks to more than {_MAX_RATIO} times its "
                    "size"
                )
            self._total_bytes += max(size - self._sizes.get(member.name, 0), 0)
            self._sizes[member.name] = max(size, self._sizes.get(member.name, 0))
            if self._total_bytes > self._max_total_bytes:
                raise self._make_size_error(
                    f"the files in the ZIP have more than {self._max_total_bytes:,} bytes in total"
                )
            yield block

    def _make_size_error(self, message: str) -> NewsletterError:
        return self._archive.make_error(
            message, "If you trust this file, unpack it and import the files."
        )


def open_zip(path: Path, *, max_total_bytes: int, max_entry_bytes: int) -> ZipFolder:
    """Open a ZIP of posts; use it in a ``with`` statement.

    Links and other archives in it are ignored, and so is what macOS puts beside each file.

    Args:
        path: the ZIP.
        max_total_bytes: the most that all files that are read may have together, unpacked.
        max_entry_bytes: the most that one file may have, unpacked.

    Raises:
        PostError: the ZIP is damaged or unsafe: file names that lead outside the folder, names that
            occur twice, too many files.
        OSError: it can't be read.
    """
    archive = SafeZip(path, PostError, _MAX_FILES)
    try:
        return ZipFolder(archive, max_total_bytes, max_entry_bytes)
    except NewsletterError:
        archive.close()
        raise


class _BlockReader(io.RawIOBase):
    """A file made of blocks."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]  # typeshed names a private type
        """Fill a buffer; return how many bytes were put into it."""
        if not self._rest:
            self._rest = memoryview(next(self._blocks, b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _find_reason_to_ignore(member: ZipMember) -> str:
    if stat.S_ISLNK(member.info.external_attr >> 16):
        return "a link"
    if PurePosixPath(member.name).suffix.lower() in ARCHIVE_SUFFIXES:
        return "another archive"
    return member.reason_to_ignore
