"""Write the file of rejected rows, to correct and import again."""

import csv
import filecmp
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self, TextIO

import orjson

from newsletter.errors import Location, SubscriberListError
from newsletter.private_files import create_temporary_beside, move_into_place
from newsletter.subscribers.csv_injection import escape_formula
from newsletter.subscribers.importing.files.csv_reader import FileRow
from newsletter.subscribers.importing.rows.column_mapping import (
    REJECTED_REASON_COLUMN,
    REJECTED_ROW_COLUMN,
    ColumnMapping,
)


class RejectedRowsFile:
    """A file of rejected rows beside the imported file; it appears only after ``save``.

    A context manager: without ``save``, the rows are discarded.

    Args:
        source: the imported file: for ``readers.csv`` the result is ``readers.csv.refused.csv``, in
            the working folder if the folder of ``source`` isn't writable.
        columns: the columns, whose header is repeated after columns for the row and the reason;
            ``None`` for JSON lines.
        header_line: the first line of a file of JSON lines.
        enabled: whether rows are written at all.

    Raises:
        SubscriberListError: no folder is writable.
    """

    def __init__(
        self,
        source: Path,
        columns: ColumnMapping | None,
        header_line: str = "",
        *,
        enabled: bool = True,
    ) -> None:
        self._enabled = enabled
        self._path = _writable_path(source) if enabled else source
        self._columns = columns
        self._header_line = header_line
        self._suffix = "csv" if columns else "jsonl"
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()
            self._temporary_path.unlink(missing_ok=True)

    def add(self, row: FileRow, reason: str) -> None:
        """Write one row and the reason why it was rejected."""
        if not self._enabled:
            return
        if self._file is None:
            self._file = self._open_temporary()
        if self._columns:
            # The cells of an earlier file of rejected rows are escaped already.
            escape = str if self._columns.rejection_notes else escape_formula
            cells = [escape(cell) for cell in self._strip_notes(row.cells)]
            csv.writer(self._file).writerow([row.line, reason, *cells])
        else:
            notes = {REJECTED_ROW_COLUMN: row.line, REJECTED_REASON_COLUMN: reason}
            try:
                data = orjson.dumps(notes | _parse_object(row.cells[0]))
            except TypeError:  # nested too deeply to be written
                data = orjson.dumps(notes | {"line": row.cells[0]})
            self._file.write(data.decode() + "\n")

    def _open_temporary(self) -> TextIO:
        descriptor, self._temporary_path = create_temporary_beside(self._path)
        if not self._columns:
            file = os.fdopen(descriptor, "w", encoding="utf-8")
            file.write(self._header_line + "\n")
            return file
        # With a byte-order mark, by which spreadsheets recognize UTF-8.
        file = os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="")
        header = self._strip_notes(self._columns.header or ("email",))
        csv.writer(file).writerow([REJECTED_ROW_COLUMN, REJECTED_REASON_COLUMN, *header])
        return file

    def _strip_notes(self, cells: Sequence[str]) -> list[str]:
        assert self._columns is not None
        notes = self._columns.rejection_notes
        return [cell for index, cell in enumerate(cells) if index not in notes]

    def save(self) -> Path | None:
        """Save the file and return its path; ``None`` if no row was rejected.

        An existing file with other content is never overwritten: somebody may be correcting it.
        """
        if self._file is None:
            return None
        self._file.flush()
        path, number = self._numbered_path(""), 1
        while path.exists() and not filecmp.cmp(path, self._temporary_path, shallow=False):
            number += 1
            path = self._numbered_path(f"-{number}")
        move_into_place(self._temporary_path, path)
        return path

    def _numbered_path(self, number: str) -> Path:
        return self._path.with_name(f"{self._path.name}.refused{number}.{self._suffix}")


def _writable_path(source: Path) -> Path:
    """Return ``source``, or the same name in the working folder if its folder isn't writable."""
    for folder in (source.parent, Path()):
        if os.access(folder, os.W_OK):
            return folder / source.name
    raise SubscriberListError(
        "rejected rows can't be saved: neither this folder nor the working folder is writable",
        where=Location(str(source)),
        remedy="Run this in a folder that you can write to.",
    )


def _parse_object(line: str) -> dict[str, object]:
    """Return the JSON object on a line; the text as ``line`` if it is not one."""
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError:
        data = None
    return data if isinstance(data, dict) else {"line": line}
