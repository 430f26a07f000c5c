"""The file of rows that an import refused, to be corrected and imported again."""

import csv
import filecmp
import os
import tempfile
from pathlib import Path
from typing import Self, TextIO

from newsletter.subscribers.columns import REFUSED_BECAUSE, REFUSED_ROW, Columns
from newsletter.subscribers.csv_file import Row


class RefusedFile:
    """Collects refused rows beside the imported file; nothing is there until ``keep``.

    A context manager: what isn't kept is thrown away.

    Args:
        source: the imported file: ``readers.csv`` makes ``readers.csv.refused.csv``.
        columns: the header is written again, with the row and the reason in front.
    """

    def __init__(self, source: Path, columns: Columns) -> None:
        self._source = source
        self._header = [REFUSED_ROW, REFUSED_BECAUSE, *(columns.header or ("email",))]
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()
            self._aside.unlink(missing_ok=True)

    def add(self, row: Row, reason: str) -> None:
        """Write one row and why it was refused."""
        if self._file is None:
            self._file = self._open()
            csv.writer(self._file).writerow(self._header)
        csv.writer(self._file).writerow([row.line, reason, *row.cells])

    def _open(self) -> TextIO:
        descriptor, name = tempfile.mkstemp(
            prefix=f".{self._source.name}.", dir=self._source.parent
        )
        self._aside = Path(name)
        # With a byte-order mark, for the spreadsheet in which the rows will be corrected.
        return os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="")

    def keep(self) -> Path | None:
        """Put the file in its place; ``None`` if nothing was refused.

        An older one that differs is never overwritten: somebody may be correcting it.
        """
        if self._file is None:
            return None
        self._file.flush()
        os.fsync(self._file.fileno())
        path, number = self._source.with_name(f"{self._source.name}.refused.csv"), 1
        while path.exists() and not filecmp.cmp(path, self._aside, shallow=False):
            number += 1
            path = self._source.with_name(f"{self._source.name}.refused-{number}.csv")
        self._aside.replace(path)
        return path
