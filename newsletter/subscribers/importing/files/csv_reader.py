"""Read CSV row by row: any delimiter, any encoding.

No row can stop the rest.
"""

import csv
import io
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TextIO

from newsletter.errors import Location
from newsletter.subscribers.importing.files.encoding import TextEncoding, detect_encoding

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
# One row's bounds. A quote that is never closed takes in all that follows, up to these.
MAX_ROW_LINES = 50
MAX_ROW_CHARACTERS = 200_000
_SAMPLE_CHARACTERS = 64_000
_MAX_SHOWN = 2_000
# The csv module's own words.
_TOO_LONG_MESSAGE = "field larger than field limit"
_UNCLOSED_MESSAGE = "unexpected end of data"


class FileRow(NamedTuple):
    """One row of the file.

    Attributes:
        line: where it begins, 1-based: the row's number in a spreadsheet if no cell has two lines.
        cells: its cells; of a broken row what could be made of its first line.
        problem: why it can't be read; ``""`` if it can.
    """

    line: int
    cells: list[str]
    problem: str = ""


@dataclass
class CsvFile:
    """An open file.

    Attributes:
        encoding: how it is decoded.
        delimiter: what stands between two cells.
        size: in bytes.
    """

    encoding: TextEncoding
    delimiter: str
    size: int
    _text: TextIO
    _lines: "_LineBuffer" = field(init=False)

    def __post_init__(self) -> None:
        self._lines = _LineBuffer(self._text)

    @property
    def position(self) -> int:
        """How many bytes have been read so far."""
        return self._text.buffer.tell()

    def rows(self) -> Iterator[FileRow]:
        """Every row that isn't blank; the first, perhaps the header, tells how many cells."""
        lines = self._lines
        reader = csv.reader(lines, delimiter=self.delimiter, skipinitialspace=True, strict=True)
        width = 0
        while True:
            lines.begin_row()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._broken_row(_explain_csv_error(str(error)))
                continue
            if not any(cells) or _is_separator_hint(cells, lines.row_number):
                continue
            width = width or len(cells)
            if len(cells) == width or (len(cells) > width and not any(cells[width:])):
                yield FileRow(lines.row_number, cells)
            else:
                yield self._broken_row(
                    f"it has {len(cells)} cells, the first row has {width}", cells
                )

    def _broken_row(self, problem: str, cells: list[str] | None = None) -> FileRow:
        """A row that can't be read.

        If it has taken in several lines, by a quote that is never closed, only the first of
        them is the broken one: the next row begins in the second.
        """
        row, taken = self._lines.row_number, self._lines.row_lines
        if cells is None or len(taken) > 1:
            first = [taken[0][:_MAX_SHOWN].rstrip()]
            lenient = csv.reader(first, delimiter=self.delimiter, skipinitialspace=True)
            cells = next(lenient, [])
        self._lines.push_back()
        return FileRow(row, cells, problem)


@contextmanager
def open_csv(path: Path, where: Location | None = None) -> Iterator[CsvFile]:
    """Open a file of addresses, its encoding and delimiter found by looking at it.

    Args:
        path: the file.
        where: its name for messages, if not the path.

    Raises:
        ListError: it is empty or no text.
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        encoding = detect_encoding(file, where or Location(str(path)))
        file.seek(0)
        with io.TextIOWrapper(file, encoding.codec, "replace", newline="") as text:
            delimiter = _detect_delimiter(text.read(_SAMPLE_CHARACTERS))
            text.seek(0)
            yield CsvFile(encoding, delimiter, size, text)


class _LineBuffer:
    """The file's lines, bounded and counted, with those of the current row kept."""

    def __init__(self, file: TextIO) -> None:
        self._readline = file.readline
        self._pushed_back: deque[str] = deque()
        self._line_number = 0
        self._row_characters = 0
        self.row_lines: list[str] = []
        self.row_number = 1

    def begin_row(self) -> None:
        self.row_lines.clear()
        self._row_characters = 0
        self.row_number = self._line_number + 1

    def push_back(self) -> None:
        self._pushed_back.extendleft(reversed(self.row_lines[1:]))
        self._line_number -= len(self.row_lines) - 1
        del self.row_lines[1:]

    def __iter__(self) -> "_LineBuffer":
        return self

    def __next__(self) -> str:
        line = (
            self._pushed_back.popleft() if self._pushed_back else self._readline(MAX_ROW_CHARACTERS)
        )
        if not line:
            raise StopIteration
        if len(line) == MAX_ROW_CHARACTERS and not line.endswith("\n"):
            line = self._truncate_line(line)
        self._line_number += 1
        self._row_characters += len(line)
        self.row_lines.append(line)
        if self._row_characters >= MAX_ROW_CHARACTERS:
            raise csv.Error(_TOO_LONG_MESSAGE)
        if len(self.row_lines) > MAX_ROW_LINES:
            raise csv.Error(_UNCLOSED_MESSAGE)
        return line

    def _truncate_line(self, line: str) -> str:
        """The beginning of a line that is too long, as a line; its rest is passed over."""
        rest = line
        while rest and not rest.endswith(("\n", "\r")):
            rest = self._readline(MAX_ROW_CHARACTERS)
        return line + "\n"


def _detect_delimiter(sample: str) -> str:
    """The one that splits the first row into most cells."""

    def cells(delimiter: str) -> int:
        reader = csv.reader(
            io.StringIO(sample, newline=""), delimiter=delimiter, skipinitialspace=True
        )
        return len(next((row for row in reader if row), []))

    hint = sample.lstrip("\ufeff")[:5]
    if hint.startswith("sep=") and hint[4:] in DELIMITERS:
        return hint[4:]
    return max(DELIMITERS, key=cells)


def _is_separator_hint(cells: list[str], line: int) -> bool:
    """Excel's own first line, ``sep=;``."""
    return line == 1 and cells[0] in {"sep=", *(f"sep={each}" for each in DELIMITERS)}


def _explain_csv_error(problem: str) -> str:
    """The csv module's complaints, for people."""
    if _TOO_LONG_MESSAGE in problem:
        return "the row is too long"
    if _UNCLOSED_MESSAGE in problem:
        return "a quotation mark is opened and never closed"
    return 'a quotation mark stands inside a quoted cell (write it twice: "")'
