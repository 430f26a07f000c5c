"""Open a file of subscribers: CSV, or JSON lines exported by newsletter."""

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
    """A file to import.

    Attributes:
        path: the file, perhaps unpacked to a temporary folder.
        display_path: its path for messages.
        label: its name for the journal, without the folder.
        rejected_rows_base: the path from which the name of the file of rejected rows is formed.
    """

    path: Path
    display_path: str
    label: str
    rejected_rows_base: Path

    @property
    def name(self) -> str:
        """The file's own name, which may imply a status."""
        return Path(self.label).name


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
        columns, rows = _read_columns(csv_file, mapping, where)
        summary = ImportSummary(
            source.display_path,
            csv_file.encoding,
            columns.format.name,
            DELIMITERS[csv_file.delimiter],
            columns,
        )
        file_status = columns.format.status_from_filename(source.name)
        parse_row = partial(parse_subscriber_row, columns=columns, file_status=file_status)
        position = partial(getattr, csv_file, "position")
        yield OpenList(rows, parse_row, position, columns.types), summary


def _read_columns(
    file: CsvFile, mapping: Mapping[str, str], where: Location
) -> tuple[ColumnMapping, Iterator[FileRow]]:
    """Return the columns, and the rows without the header."""
    rows = file.rows()
    first = next(rows, None)
    if first is None or first.problem:
        raise SubscriberListError(first.problem if first else "the file is empty", where=where)
    columns = map_columns(first.cells, mapping, where)
    return columns, rows if columns.header else chain([first], rows)
