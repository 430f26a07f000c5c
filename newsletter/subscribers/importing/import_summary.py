"""What an import did, counted and told."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.subscribers.importing.bulk_writer import Outcome
from newsletter.subscribers.importing.files.encoding import Encoding
from newsletter.subscribers.importing.rows.address_warnings import doubt
from newsletter.subscribers.importing.rows.column_mapping import Columns
from newsletter.subscribers.importing.rows.row_parser import Entry

MOST_REMARKS = 100
ERASED = "asked to be erased, and an import brings nobody back"


@dataclass
class ImportReport:
    """What an import did, or with ``dry_run`` would do. The counts add up to ``rows``.

    Attributes:
        file: as the user gave it; of a ZIP with the name of the file in it.
        encoding: how it was decoded.
        service: whose export it is; ``""`` if nobody's we know.
        delimiter: its usual name; ``""`` for JSON lines.
        columns: which column was taken for what; ``None`` for JSON lines.
        rows: rows that are not blank, without the header.
        new: readers added, by status.
        updated: readers with another name, other attributes or tags, or who have left.
        returned: readers who had left and are back by the consent stated.
        unchanged: readers who are in the list just so.
        repeated: rows whose address stands further up in the file.
        held: rows that say active of somebody who left or never confirmed: by status.
        erased: rows of readers who have asked to be forgotten.
        refused: rows that could not be taken.
        reasons: why rows were refused, without what is different in each.
        remarks: the first refused and repeated rows: line and reason.
        doubtful: how many addresses are doubtful, though they were taken.
        doubts: the first of them: line and why.
        refused_file: where the refused rows are.
        passed_over: the files of a ZIP that are no list of readers, and why; in the first report.
    """

    file: str
    encoding: Encoding
    service: str = ""
    delimiter: str = ""
    columns: Columns | None = None
    rows: int = 0
    new: Counter[str] = field(default_factory=Counter)
    updated: int = 0
    returned: int = 0
    unchanged: int = 0
    repeated: int = 0
    held: Counter[str] = field(default_factory=Counter)
    erased: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    remarks: list[tuple[int, str]] = field(default_factory=list)
    doubtful: int = 0
    doubts: list[tuple[int, str]] = field(default_factory=list)
    refused_file: Path | None = None
    passed_over: list[tuple[str, str]] = field(default_factory=list)

    def remark(self, line: int, reason: str) -> None:
        """Keep the first remarks; the file of refused rows has them all."""
        if len(self.remarks) < MOST_REMARKS:
            self.remarks.append((line, reason))

    def refuse(self, line: int, reason: str) -> None:
        """Count a row that could not be taken."""
        self.refused += 1
        self.reasons[_kind(reason)] += 1
        self.remark(line, reason)

    def consider(self, entry: Entry) -> None:
        """Note it if the address is doubtful."""
        why = doubt(entry.key)
        if why:
            self.doubtful += 1
            if len(self.doubts) < MOST_REMARKS:
                self.doubts.append((entry.line, f"'{entry.address}' {why}"))

    def add(self, outcome: Outcome) -> None:
        """Count what became of one chunk."""
        self.new.update(outcome.new)
        self.held.update(outcome.held)
        self.updated += outcome.updated
        self.returned += outcome.returned
        self.unchanged += outcome.unchanged
        self.repeated += len(outcome.repeated)
        for entry in outcome.repeated:
            self.remark(entry.line, f"'{entry.address}' stands further up already")
        self.erased += len(outcome.erased)
        for entry in outcome.erased:
            self.remark(entry.line, f"'{entry.address}' {ERASED}")


def _kind(reason: str) -> str:
    """A reason without what is different in every row: words in quotes, numbers."""
    return re.sub(r"'[^']*'|\d[\d,.]*", "…", reason).removeprefix("… ")
