"""Read our own export in JSON lines, line by line."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from newsletter.encoding_detection import TextEncoding
from newsletter.subscribers.importing.files.csv_reader import FileRow

# Enough for a subscriber with a long journal.
MAX_LINE_CHARACTERS = 2_000_000
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class JsonLinesFile:
    """An open file of JSON lines.

    Attributes:
        size: the size in bytes.
        encoding: the encoding, always UTF-8 (RFC 8259).
    """

    size: int
    encoding: TextEncoding
    _text: TextIO

    @property
    def position(self) -> int:
        """The number of bytes read so far."""
        return self._text.buffer.tell()

    def rows(self) -> Iterator[FileRow]:
        """Yield each line that isn't blank as a row of one cell."""
        number = 0
        while line := self._text.readline(MAX_LINE_CHARACTERS):
            number += 1
            problem = ""
            while not line.endswith("\n") and (rest := self._text.readline(MAX_LINE_CHARACTERS)):
                problem = "the line is too long"
                if rest.endswith("\n"):
                    break
            if problem or line.strip():
                yield FileRow(number, [line[:MAX_LINE_CHARACTERS].strip()], problem)


def is_json_lines(path: Path) -> bool:
    """Return whether a file begins like a JSON object.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        return file.read(64).removeprefix(_BOM).lstrip()[:1] == b"{"


@contextmanager
def open_json_lines(path: Path) -> Iterator[JsonLinesFile]:
    """Open a file of JSON lines.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file, io.TextIOWrapper(file, "utf-8-sig", "replace") as text:
        yield JsonLinesFile(path.stat().st_size, TextEncoding("utf-8-sig", "UTF-8"), text)
