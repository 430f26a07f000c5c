"""Detect the encoding of a file of subscribers; reject binary files."""

from typing import BinaryIO

from newsletter.encoding_detection import (
    TextEncoding,
    detect_encoding,
    find_utf_16,
    guess_for_names,
)
from newsletter.errors import Location, SubscriberListError

_BINARY_SIGNATURES = (
    (b"PK\x03\x04", "an Excel or ZIP file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a gzip file"),
    (b"SQLite format 3\0", "a database"),
)


def detect_list_encoding(file: BinaryIO, where: Location) -> TextEncoding:
    """Detect a file's encoding.

    A file with a few invalid bytes is still UTF-8: the rows that contain them are rejected, rather
    than all other rows decoded wrongly.

    Args:
        file: the file, at its beginning; its position afterwards is undefined.
        where: its name, for messages.

    Raises:
        SubscriberListError: the file is empty or isn't text.
    """

    def find_stated(head: bytes) -> TextEncoding | None:
        if not head.strip():
            raise SubscriberListError(
                "the file is empty", where=where, remedy="Use a CSV file of addresses."
            )
        for signature, kind in _BINARY_SIGNATURES:
            if head.startswith(signature):
                raise SubscriberListError(
                    f"this is {kind}",
                    where=where,
                    remedy="Save or unpack it as CSV and import that.",
                )
        return find_utf_16(head)

    encoding = detect_encoding(file, find_stated=find_stated, guess=guess_for_names, tolerant=True)
    assert encoding is not None  # the guess for names always has an answer
    return encoding
