"""Imports a file of readers: streaming, a transaction a chunk, and no row stops the rest."""

import datetime
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import sqlalchemy as sa

from newsletter.errors import ListError, Location
from newsletter.subscribers.columns import Columns, read_header
from newsletter.subscribers.csv_file import DELIMITERS, CsvFile, Row, open_csv
from newsletter.subscribers.encoding import Encoding
from newsletter.subscribers.entry import Entry, read_entry
from newsletter.subscribers.refused import RefusedFile
from newsletter.subscribers.store import ListWriter, Outcome

CHUNK = 10_000
MOST_REMARKS = 100
ERASED = "asked to be erased, and an import brings nobody back"


@dataclass
class ImportReport:
    """What an import did, or with ``dry_run`` would do. The counts add up to ``rows``.

    Attributes:
        file: as the user gave it.
        encoding: how it was decoded.
        delimiter: its usual name.
        columns: which column was taken for what.
        rows: rows that are not blank, without the header.
        new: readers added, by status.
        updated: readers with another name, other attributes, or who have left.
        unchanged: readers who are in the list just so.
        repeated: rows whose address stands further up in the file.
        held: rows that say active of somebody who left or never confirmed: by status.
        erased: rows of readers who have asked to be forgotten.
        refused: rows that could not be taken.
        remarks: the first refused and repeated rows: line and reason.
        refused_file: where the refused rows are.
    """

    file: str
    encoding: Encoding
    delimiter: str
    columns: Columns
    rows: int = 0
    new: Counter[str] = field(default_factory=Counter)
    updated: int = 0
    unchanged: int = 0
    repeated: int = 0
    held: Counter[str] = field(default_factory=Counter)
    erased: int = 0
    refused: int = 0
    remarks: list[tuple[int, str]] = field(default_factory=list)
    refused_file: Path | None = None

    def remark(self, line: int, reason: str) -> None:
        """Keep the first remarks; the file of refused rows has them all."""
        if len(self.remarks) < MOST_REMARKS:
            self.remarks.append((line, reason))

    def add(self, outcome: Outcome) -> None:
        """Count what became of one chunk."""
        self.new.update(outcome.new)
        self.held.update(outcome.held)
        self.updated += outcome.updated
        self.unchanged += outcome.unchanged
        self.repeated += len(outcome.repeated)
        for entry in outcome.repeated:
            self.remark(entry.line, f"'{entry.address}' stands further up already")
        self.erased += len(outcome.erased)
        for entry in outcome.erased:
            self.remark(entry.line, f"'{entry.address}' {ERASED}")


def import_file(  # noqa: PLR0913 - what the caller may choose, each by its name
    engine: sa.Engine,
    path: Path,
    *,
    mapping: Mapping[str, str],
    now: datetime.datetime,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> ImportReport:
    """Add the readers of a CSV file to the list and update those that are there.

    Every chunk is committed whole, so that an import that is cut short can be run again. Nobody
    who has left comes back by it. A dry run does the same and takes it all back.

    Args:
        engine: the list's database.
        path: the file.
        mapping: column -> what it holds, where its name doesn't tell.
        now: the time to record.
        dry_run: change nothing, write no file.
        progress: called with the number of bytes just read.

    Raises:
        ListError: the file as a whole can't be read: empty, no text, no column of addresses.
        DatabaseError: the database can't be written.
        OSError: the file can't be read.
    """
    with open_csv(path) as file:
        rows = file.rows()
        columns, rows = _columns(file, rows, mapping)
        report = ImportReport(str(path), file.encoding, DELIMITERS[file.delimiter], columns)
        with RefusedFile(path, columns) as refused, engine.connect() as connection:
            writer = ListWriter(connection, f"import {path.name}", now)
            entries = _entries(rows, columns, refused, report)
            position = 0
            while chunk := list(islice(entries, CHUNK)):
                report.add(writer.write(chunk))
                if not dry_run:
                    connection.commit()
                progress(file.position - position)
                position = file.position
            if not dry_run:
                writer.finish()
                connection.commit()
                report.refused_file = refused.keep()
    report.remarks.sort()
    return report


def _columns(
    file: CsvFile, rows: Iterator[Row], mapping: Mapping[str, str]
) -> tuple[Columns, Iterator[Row]]:
    """The columns, and the rows without the header."""
    where = Location(str(file.path), 1)
    first = next(rows, None)
    if first is None or first.problem:
        raise ListError(first.problem if first else "the file has no rows", where=where)
    columns = read_header(first.cells, mapping, where)
    return columns, rows if columns.header else chain([first], rows)


def _entries(
    rows: Iterator[Row], columns: Columns, refused: RefusedFile, report: ImportReport
) -> Iterator[Entry]:
    """The rows that can be read; the others are put into the file of refused rows."""
    for row in rows:
        report.rows += 1
        try:
            yield read_entry(row, columns)
        except ListError as error:
            reason = error.problems[0].message
            report.refused += 1
            report.remark(row.line, reason)
            refused.add(row, reason)
