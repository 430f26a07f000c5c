"""Open a file of subscribers: CSV, or JSON lines exported by newsletter."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from newsletter.errors import Location, SubscriberListError
from newsletter.subscribers.attribute_types import AttributeType
from newsletter.subscribers.importing.files.csv_reader import DELIMITERS, CsvFile, FileRow, open_csv
from newsletter.subscribers.importing.files.jsonl_reader import is_json_lines, open_json_lines
from newsletter.subscribers.importing.import_summary import ImportSummary
from newsletter.subscribers.importing.rows.column_mapping import ColumnMapping, map_columns
from newsletter.subscribers.importing.rows.consent_columns import describe_unclear
from newsletter.subscribers.importing.rows.date_cell import (
    DateOrder,
    detect_date_order,
    has_two_meanings,
)
from newsletter.subscribers.importing.rows.export_formats import (
    NEWSLETTER_FORMAT,
    normalize_name,
)
from newsletter.subscribers.importing.rows.file_status import status_from_filename
from newsletter.subscribers.importing.rows.json_record import parse_header, parse_subscriber_record
from newsletter.subscribers.importing.rows.row_parser import ParsedSubscriber, parse_subscriber_row

# How many rows are searched for a date with two meanings before the file is imported.
DATE_SAMPLE_ROWS = 1_000


class ListSource(NamedTuple):
    """A file to import.

    Attributes:
        path: the file, perhaps unpacked to a temporary folder.
        display_path: its path for messages.
        label: its name for the journal, without the folder.
        rejected_rows_base: the path from which the name of the file of rejected rows is formed.
        file_status: the status of all its subscribers, by its name or the archive's.
        is_archive_member: whether it comes from an archive; the editor's mapping may then name
            columns that only other files have.
    """

    path: Path
    display_path: str
    label: str
    rejected_rows_base: Path
    file_status: str = "active"
    is_archive_member: bool = False


class OpenList(NamedTuple):
    """An open file of subscribers of any kind.

    Attributes:
        rows: all rows except the header.
        parse_row: converts a row to an entry.
        read_position: returns the number of bytes read so far.
        attribute_types: types of attributes that the file declares.
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
    """Open a file of subscribers and create the summary of its import.

    Args:
        source: the file.
        mapping: column -> its role, where its name doesn't determine it.

    Raises:
        SubscriberListError: the content of the file can't be read.
        OSError: the file can't be read.
    """
    where = Location(source.display_path, 1)
    if is_json_lines(source.path):
        with open_json_lines(source.path) as file:
            rows = file.rows()
            first = next(rows)
            types = parse_header(first.cells[0], where)
            summary = ImportSummary(source.display_path, file.encoding, NEWSLETTER_FORMAT.name)
            position = partial(getattr, file, "position")
            yield OpenList(rows, parse_subscriber_record, position, types, first.cells[0]), summary
        return
    with open_csv(source.path, Location(source.display_path)) as csv_file:
        columns, rows = _read_columns(csv_file, mapping, where, source)
        columns = _detect_date_orders(source.path, columns)
        file_status = source.file_status
        if file_status == "active" and columns.format.name:
            file_status = status_from_filename(Path(source.label).name, from_service=True)
        summary = ImportSummary(
            source.display_path,
            csv_file.encoding,
            columns.format.name,
            DELIMITERS[csv_file.delimiter],
            columns,
            file_status=file_status,
            notices=describe_unclear(
                {columns.header[index]: role for index, role in columns.unclear.items()}
            ),
        )
        parse_row = partial(parse_subscriber_row, columns=columns, file_status=file_status)
        position = partial(getattr, csv_file, "position")
        yield OpenList(rows, parse_row, position, columns.types), summary


def _read_columns(
    file: CsvFile, mapping: Mapping[str, str], where: Location, source: ListSource
) -> tuple[ColumnMapping, Iterator[FileRow]]:
    """Return the columns, and the rows without the header."""
    rows = file.rows()
    first = next(rows, None)
    if first is None or first.problem:
        raise SubscriberListError(first.problem if first else "the file is empty", where=where)
    if source.is_archive_member:
        names = {normalize_name(cell) for cell in first.cells}
        mapping = {
            column: role for column, role in mapping.items() if normalize_name(column) in names
        }
    columns = map_columns(first.cells, mapping, where)
    return columns, rows if columns.header else chain([first], rows)


def _detect_date_orders(path: Path, columns: ColumnMapping) -> ColumnMapping:
    """Add the order of day and month that each column of dates proves.

    All rows are read only if one of the first has a date with two meanings.
    """
    orders: dict[int, DateOrder] = {}
    for index in columns.date_columns:
        with open_csv(path) as file:
            texts = (row.cells[index] for row in file.rows() if not row.problem)
            if not any(map(has_two_meanings, islice(texts, DATE_SAMPLE_ROWS))):
                continue
        with open_csv(path) as file:
            order = detect_date_order(row.cells[index] for row in file.rows() if not row.problem)
        if order:
            orders[index] = order
    return replace(columns, date_orders=orders) if orders else columns
