"""Open a file of subscribers, whatever its kind.

CSV, or JSON lines that we have exported.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from newsletter.errors import Location, SubscriberListError
from newsletter.subscribers.attribute_types import AttributeType
from newsletter.subscribers.importing.files.csv_reader import DELIMITERS, CsvFile, FileRow, open_csv
from newsletter.subscribers.importing.files.jsonl_reader import is_json_lines, open_json_lines
from newsletter.subscribers.importing.import_summary import ImportSummary
from newsletter.subscribers.importing.rows.column_mapping import ColumnMapping, map_columns
from newsletter.subscribers.importing.rows.export_formats import NEWSLETTER_FORMAT
from newsletter.subscribers.importing.rows.json_record import parse_header, parse_subscriber_record
from newsletter.subscribers.importing.rows.row_parser import ParsedSubscriber, parse_subscriber_row


class ListSource(NamedTuple):
    """Where readers are read from.

    Attributes:
        path: the file, perhaps unpacked for now.
        display_path: its name for people.
        label: its name for the journal, without the folder.
        rejected_rows_base: the file of refused rows is named after this.
    """

    path: Path
    display_path: str
    label: str
    rejected_rows_base: Path

    @property
    def name(self) -> str:
        """The file's own name, which may tell a status."""
        return Path(self.label).name


class OpenList(NamedTuple):
    """An open file of readers, whatever its kind.

    Attributes:
        rows: all but the header.
        parse_row: a row as an entry.
        read_position: how many bytes have been read so far.
        attribute_types: of attributes, where the file tells.
        header_line: the first line of JSON lines.
    """

    rows: Iterator[FileRow]
    parse_row: Callable[[FileRow], ParsedSubscriber]
    read_position: Callable[[], int]
    attribute_types: Mapping[str, AttributeType]
    header_line: str = ""


@contextmanager
def open_list_file(
    source: ListSource, mapping: Mapping[str, str]
) -> Iterator[tuple[OpenList, ImportSummary]]:
    """Open a file of readers, and begin the report of its import.

    Args:
        source: where it is.
        mapping: column -> what it holds, where its name doesn't tell.

    Raises:
        ListError: the file as a whole can't be read.
        OSError: likewise.
    """
    where = Location(source.display_path, 1)
    if is_json_lines(source.path):
        with open_json_lines(source.path) as file:
            rows = file.rows()
            first = next(rows)
            types = parse_header(first.cells[0], where)
            report = ImportSummary(source.display_path, file.encoding, NEWSLETTER_FORMAT.name)
            position = partial(getattr, file, "position")
            yield OpenList(rows, parse_subscriber_record, position, types, first.cells[0]), report
        return
    with open_csv(source.path, Location(source.display_path)) as table:
        columns, rows = _read_columns(table, mapping, where)
        report = ImportSummary(
            source.display_path,
            table.encoding,
            columns.format.name,
            DELIMITERS[table.delimiter],
            columns,
        )
        told = columns.format.status_from_filename(source.name)
        read = partial(parse_subscriber_row, columns=columns, file_status=told)
        yield OpenList(rows, read, partial(getattr, table, "position"), columns.types), report


def _read_columns(
    file: CsvFile, mapping: Mapping[str, str], where: Location
) -> tuple[ColumnMapping, Iterator[FileRow]]:
    """The columns, and the rows without the header."""
    rows = file.rows()
    first = next(rows, None)
    if first is None or first.problem:
        raise SubscriberListError(first.problem if first else "the file has no rows", where=where)
    columns = map_columns(first.cells, mapping, where)
    return columns, rows if columns.header else chain([first], rows)
