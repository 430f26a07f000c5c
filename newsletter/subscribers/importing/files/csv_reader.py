"""Read a CSV file row by row; detect its delimiter; tolerate broken rows.

The file may have any of the ``DELIMITERS`` and any encoding; a broken row doesn't affect the rows
after it.
"""

import csv
import io
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TextIO

from newsletter.encoding_detection import TextEncoding
from newsletter.errors import Location
from newsletter.subscribers.importing.files.encoding import detect_list_encoding

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
# Limits of one row: an unclosed quote would otherwise extend the row to the end of the file.
MAX_ROW_LINES = 50
MAX_ROW_CHARACTERS = 200_000
_SAMPLE_CHARACTERS = 64_000
_MAX_SHOWN = 2_000
# Parts of the csv module's error messages.
_TOO_LONG_MESSAGE = "field larger than field limit"
_UNCLOSED_MESSAGE = "unexpected end of data"


class FileRow(NamedTuple):
    """One row of a file.

    Attributes:
        line: the line where it begins, from 1: the row number in a spreadsheet, unless cells
            above contain line breaks.
        cells: the cells; for a broken row, those parsed leniently from its first line.
        problem: why the row can't be read; ``""`` if it can.
    """

    line: int
    cells: list[str]
    problem: str = ""


@dataclass
class CsvFile:
    """An open CSV file.

    Attributes:
        encoding: the encoding.
        delimiter: the character between two cells.
        size: the size in bytes.
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
        """The number of bytes read so far."""
        return self._text.buffer.tell()

    def rows(self) -> Iterator[FileRow]:
        """Yield all rows that aren't blank; the first one determines the number of cells."""
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
                    f"the row has {len(cells)} cells, the first row has {width}", cells
                )

    def _broken_row(self, problem: str, cells: list[str] | None = None) -> FileRow:
        """Return a row that can't be read.

        If it spans several lines because of an unclosed quote, only the first line is considered
        broken: reading continues with the second.
        """
        line, row_lines = self._lines.row_number, self._lines.row_lines
        if cells is None or len(row_lines) > 1:
            first = [row_lines[0][:_MAX_SHOWN].rstrip()]
            lenient_reader = csv.reader(first, delimiter=self.delimiter, skipinitialspace=True)
            cells = next(lenient_reader, [])
        self._lines.push_back()
        return FileRow(line, cells, problem)


@contextmanager
def open_csv(path: Path, where: Location | None = None) -> Iterator[CsvFile]:
    """Open a CSV file; detect its encoding and delimiter.

    Args:
        path: the file.
        where: its name for messages, if not the path.

    Raises:
        SubscriberListError: the file is empty or isn't text.
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        encoding = detect_list_encoding(file, where or Location(str(path)))
        file.seek(0)
        with io.TextIOWrapper(file, encoding.codec, "replace", newline="") as text:
            delimiter = _detect_delimiter(text.read(_SAMPLE_CHARACTERS))
            text.seek(0)
            yield CsvFile(encoding, delimiter, size, text)


class _LineBuffer:
    """The lines of the file, limited and counted; those of the current row are kept."""

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
        """Put back all lines of the current row but the first, to be read again as new rows."""
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
        """Return the beginning of a line that is too long, and skip the rest of it."""
        rest = line
        while rest and not rest.endswith(("\n", "\r")):
            rest = self._readline(MAX_ROW_CHARACTERS)
        return line + "\n"


def _detect_delimiter(sample: str) -> str:
    """Return the delimiter that splits the first row into the most cells."""

    def count_cells(delimiter: str) -> int:
        reader = csv.reader(
            io.StringIO(sample, newline=""), delimiter=delimiter, skipinitialspace=True
        )
        return len(next((row for row in reader if row), []))

    hint = sample.lstrip("\ufeff")[:5]
    if hint.startswith("sep=") and hint[4:] in DELIMITERS:
        return hint[4:]
    return max(DELIMITERS, key=count_cells)


def _is_separator_hint(cells: list[str], line: int) -> bool:
    """Return whether a row is Excel's first line ``sep=;``, which states the delimiter."""
    return line == 1 and cells[0] in {"sep=", *(f"sep={delimiter}" for delimiter in DELIMITERS)}


def _explain_csv_error(problem: str) -> str:
    """Return a message for users in place of the csv module's."""
    if _TOO_LONG_MESSAGE in problem:
        return "the row is too long"
    if _UNCLOSED_MESSAGE in problem:
        return "a quotation mark is never closed"
    return 'a quotation mark inside a quoted cell must be doubled: ""'
