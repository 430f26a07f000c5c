"""Read the rows of a CSV file of posts, whatever its encoding."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import BinaryIO, NamedTuple

from newsletter.encoding_detection import detect_encoding, find_utf_16, guess_for_names
from newsletter.errors import Location, PostError

_MAX_CELL_LENGTH = 100_000_000  # characters; the posts' own limit is checked later
_HEAD_BYTES = 4_000
_DELIMITERS = ",;\t"
_END = "\0the end of the file"  # added as its last line; part of a cell that doesn't end


class CsvRow(NamedTuple):
    """A row of a CSV file.

    Attributes:
        cells: its texts by the names of their columns in lower case; where several columns have one
            name, the first text that isn't empty.
        damage: why it may be incomplete; empty if it isn't.
    """

    cells: Mapping[str, str]
    damage: str = ""


def iter_csv_rows(file: BinaryIO, where: Location, required: frozenset[str]) -> Iterator[CsvRow]:
    """Yield the rows of a CSV file, whatever its encoding.

    Args:
        file: the file, at its beginning.
        where: its name, for messages.
        required: columns without which it is another file.

    Raises:
        PostError: it isn't CSV, or a column is missing.
    """
    codec = _detect_codec(file)
    head = file.read(_HEAD_BYTES).decode(codec, "replace").split("\n", 1)[0]
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=codec, errors="replace", newline="")
    try:
        reader = csv.reader(chain(text, (_END,)), delimiter=max(_DELIMITERS, key=head.count))
        header = [name.strip().lower() for name in _read_csv_row(reader, where) or ()]
        if missing := sorted(required.difference(header)):
            raise PostError(
                f"the column {missing[0]} is missing in the first line",
                where=where,
                remedy="Export the posts again, and don't change the file.",
            )
        while (row := _read_csv_row(reader, where)) is not None:
            if row != [_END] and any(cell.strip() for cell in row):
                yield _make_row(header, row)
    finally:
        text.detach()


def read_csv_header(file: BinaryIO) -> frozenset[str]:
    """Return the names of the columns in lower case, if a file is CSV; else anything."""
    codec = _detect_codec(io.BytesIO(file.read(_HEAD_BYTES)))
    file.seek(0)
    head = file.read(_HEAD_BYTES).decode(codec, "replace").split("\n", 1)[0]
    try:
        row = next(csv.reader([head], delimiter=max(_DELIMITERS, key=head.count)), [])
    except csv.Error:
        row = []
    return frozenset(name.strip().lower() for name in row)


def decode_export(content: bytes) -> str:
    """Return the text of an export's file, with plain line ends."""
    text = content.decode(_detect_codec(io.BytesIO(content)), "replace")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _make_row(header: Sequence[str], row: Sequence[str]) -> CsvRow:
    cells = dict.fromkeys(header, "")
    for name, cell in zip(header, row, strict=False):
        cells[name] = cells[name] or cell.removesuffix(_END)
    if row[-1].endswith(_END):
        return CsvRow(cells, "the file breaks off in this row, or a quotation mark is missing")
    if any(cell.strip() for cell in row[len(header) :]):
        return CsvRow(cells, "the row has more cells than the first line")
    return CsvRow(cells)


def _detect_codec(file: BinaryIO) -> str:
    encoding = detect_encoding(file, find_stated=find_utf_16, guess=guess_for_names, tolerant=True)
    file.seek(0)
    return "utf-8" if encoding is None else encoding.codec


def _read_csv_row(reader: "Iterator[list[str]]", where: Location) -> list[str] | None:
    """Return the next row; ``None`` at the end.

    The limit of a cell's length is one for the whole process, so it is raised for this only.
    """
    old_limit = csv.field_size_limit(_MAX_CELL_LENGTH)
    try:
        return next(reader, None)
    except csv.Error as error:
        raise PostError(f"this is not CSV: {error}", where=where) from error
    finally:
        csv.field_size_limit(old_limit)
