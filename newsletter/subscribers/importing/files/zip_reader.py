"""Unpack the CSV files of a ZIP safely: path traversal, ZIP bombs."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from newsletter.errors import SubscriberListError
from newsletter.private_files import create_private_file, temporary_private_folder
from newsletter.zip_files import ARCHIVE_SUFFIXES, SafeZip, ZipMember

_LIST_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".txt", ".jsonl"})
_WORKBOOK_MARKER = "[Content_Types].xml"
_MAX_FILES = 10_000


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
    with temporary_private_folder() as folder:
        with closing(SafeZip(path, SubscriberListError, _MAX_FILES)) as archive:
            unpacked = _unpack_to(folder, archive, max_bytes)
        yield unpacked


def _unpack_to(folder: Path, archive: SafeZip, max_bytes: int) -> UnpackedArchive:
    members, ignored = _find_list_members(archive)
    size, files = 0, []
    for number, member in enumerate(members):
        target = folder / f"{number}.csv"  # never a name from the ZIP
        with create_private_file(target) as file:
            for block in archive.iter_blocks(member):
                size += len(block)
                if size > max_bytes:  # the sizes declared in the ZIP may be wrong
                    raise archive.make_error(
                        f"the files in the ZIP have more than {max_bytes:,} bytes in total",
                        "If that is expected, raise limits.list_bytes in newsletter.yml.",
                    )
                file.write(block)
        files.append(UnpackedFile(member.name, target))
    return UnpackedArchive(files, ignored)


def _find_list_members(archive: SafeZip) -> tuple[list[ZipMember], list[tuple[str, str]]]:
    """Return the lists; and the names of all other files, with the reason."""
    if any(member.name == _WORKBOOK_MARKER for member in archive.members):
        raise archive.make_error("this is an Excel workbook", "Save it as CSV and import that.")
    reasons = [(member, _find_reason_to_ignore(archive, member)) for member in archive.members]
    members = [member for member, reason in reasons if not reason]
    if not members:
        raise archive.make_error("there is no CSV file in the ZIP", "Use an export of subscribers.")
    for member in members:
        archive.check_compression(member)
    return members, [(member.name, reason) for member, reason in reasons if reason]


def _find_reason_to_ignore(archive: SafeZip, member: ZipMember) -> str:
    """Return why a file isn't unpacked; ``""`` for a list."""
    suffix = PurePosixPath(member.name).suffix.lower()
    if suffix in ARCHIVE_SUFFIXES:
        raise archive.make_error(
            f"the ZIP contains another archive: '{member.name[:60]}'",
            "Unpack it and import the files one by one.",
        )
    return member.reason_to_ignore or ("" if suffix in _LIST_SUFFIXES else "not a CSV file")
