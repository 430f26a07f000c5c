"""Opens a file of readers, whatever its kind: CSV, or JSON lines that we have exported."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from newsletter.errors import Location, SubscriberListError
from newsletter.subscribers.attribute_types import Type
from newsletter.subscribers.importing.files.csv_reader import DELIMITERS, CsvFile, Row, open_csv
from newsletter.subscribers.importing.files.jsonl_reader import is_json_lines, open_json_lines
from newsletter.subscribers.importing.import_summary import ImportReport
from newsletter.subscribers.importing.rows.column_mapping import Columns, read_header
from newsletter.subscribers.importing.rows.export_formats import OWN
from newsletter.subscribers.importing.rows.json_record import read_head, read_record
from newsletter.subscribers.importing.rows.row_parser import Entry, read_entry


class Source(NamedTuple):
    """Where readers are read from.

    Attributes:
        path: the file, perhaps unpacked for now.
        shown: its name for people.
        label: its name for the journal, without the folder.
        beside: the file of refused rows is named after this.
    """

    path: Path
    shown: str
    label: str
    beside: Path

    @property
    def name(self) -> str:
        """The file's own name, which may tell a status."""
        return Path(self.label).name


class Readers(NamedTuple):
    """An open file of readers, whatever its kind.

    Attributes:
        rows: all but the header.
        read: a row as an entry.
        position: how many bytes have been read so far.
        types: of attributes, where the file tells.
        head: the first line of JSON lines.
    """

    rows: Iterator[Row]
    read: Callable[[Row], Entry]
    position: Callable[[], int]
    types: Mapping[str, Type]
    head: str = ""


@contextmanager
def open_readers(
    source: Source, mapping: Mapping[str, str]
) -> Iterator[tuple[Readers, ImportReport]]:
    """Open a file of readers, and begin the report of its import.

    Args:
        source: where it is.
        mapping: column -> what it holds, where its name doesn't tell.

    Raises:
        ListError: the file as a whole can't be read.
        OSError: likewise.
    """
    where = Location(source.shown, 1)
    if is_json_lines(source.path):
        with open_json_lines(source.path) as file:
            rows = file.rows()
            first = next(rows)
            types = read_head(first.cells[0], where)
            report = ImportReport(source.shown, file.encoding, OWN.name)
            position = partial(getattr, file, "position")
            yield Readers(rows, read_record, position, types, first.cells[0]), report
        return
    with open_csv(source.path, Location(source.shown)) as table:
        columns, rows = _columns(table, mapping, where)
        report = ImportReport(
            source.shown, table.encoding, columns.format.name, DELIMITERS[table.delimiter], columns
        )
        told = columns.format.status_of_file(source.name)
        read = partial(read_entry, columns=columns, told=told)
        yield Readers(rows, read, partial(getattr, table, "position"), columns.types), report


def _columns(
    file: CsvFile, mapping: Mapping[str, str], where: Location
) -> tuple[Columns, Iterator[Row]]:
    """The columns, and the rows without the header."""
    rows = file.rows()
    first = next(rows, None)
    if first is None or first.problem:
        raise SubscriberListError(first.problem if first else "the file has no rows", where=where)
    columns = read_header(first.cells, mapping, where)
    return columns, rows if columns.header else chain([first], rows)
