"""What an import did: counts and remarks."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.subscribers.importing.bulk_writer import BulkWriteResult
from newsletter.subscribers.importing.files.encoding import TextEncoding
from newsletter.subscribers.importing.rows.address_warnings import address_warning
from newsletter.subscribers.importing.rows.column_mapping import ColumnMapping
from newsletter.subscribers.importing.rows.row_parser import ParsedSubscriber

MAX_REMARKS = 100
ERASED_REMARK = "asked to be erased, and an import brings nobody back"


@dataclass
class ImportSummary:
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
        resubscribed: readers who had left and are back by the consent stated.
        unchanged: readers who are in the list just so.
        duplicates: rows whose address stands further up in the file.
        not_reactivated: rows that say active of somebody who left or never confirmed: by status.
        erased: rows of readers who have asked to be forgotten.
        rejected: rows that could not be taken.
        rejection_reasons: why rows were refused, without what is different in each.
        remarks: the first refused and repeated rows: line and reason.
        address_warning_count: how many addresses are doubtful, though they were taken.
        address_warnings: the first of them: line and why.
        rejected_rows_path: where the refused rows are.
        skipped_files: the files of a ZIP that are no list of readers, and why; in the first report.
    """

    file: str
    encoding: TextEncoding
    service: str = ""
    delimiter: str = ""
    columns: ColumnMapping | None = None
    rows: int = 0
    new: Counter[str] = field(default_factory=Counter)
    updated: int = 0
    resubscribed: int = 0
    unchanged: int = 0
    duplicates: int = 0
    not_reactivated: Counter[str] = field(default_factory=Counter)
    erased: int = 0
    rejected: int = 0
    rejection_reasons: Counter[str] = field(default_factory=Counter)
    remarks: list[tuple[int, str]] = field(default_factory=list)
    address_warning_count: int = 0
    address_warnings: list[tuple[int, str]] = field(default_factory=list)
    rejected_rows_path: Path | None = None
    skipped_files: list[tuple[str, str]] = field(default_factory=list)

    def add_remark(self, line: int, reason: str) -> None:
        """Keep the first remarks; the file of refused rows has them all."""
        if len(self.remarks) < MAX_REMARKS:
            self.remarks.append((line, reason))

    def count_rejected(self, line: int, reason: str) -> None:
        """Count a row that could not be taken."""
        self.rejected += 1
        self.rejection_reasons[_generalize_reason(reason)] += 1
        self.add_remark(line, reason)

    def check_address(self, entry: ParsedSubscriber) -> None:
        """Note it if the address is doubtful."""
        why = address_warning(entry.key)
        if why:
            self.address_warning_count += 1
            if len(self.address_warnings) < MAX_REMARKS:
                self.address_warnings.append((entry.line, f"'{entry.address}' {why}"))

    def add_result(self, result: BulkWriteResult) -> None:
        """Count what became of one chunk."""
        self.new.update(result.new)
        self.not_reactivated.update(result.not_reactivated)
        self.updated += result.updated
        self.resubscribed += result.resubscribed
        self.unchanged += result.unchanged
        self.duplicates += len(result.duplicates)
        for entry in result.duplicates:
            self.add_remark(entry.line, f"'{entry.address}' stands further up already")
        self.erased += len(result.erased)
        for entry in result.erased:
            self.add_remark(entry.line, f"'{entry.address}' {ERASED_REMARK}")


def _generalize_reason(reason: str) -> str:
    """A reason without what is different in every row: words in quotes, numbers."""
    return re.sub(r"'[^']*'|\d[\d,.]*", "…", reason).removeprefix("… ")
