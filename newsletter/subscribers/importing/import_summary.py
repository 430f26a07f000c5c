"""Summary of an import: counts, remarks, rejected rows, warnings."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.encoding_detection import TextEncoding
from newsletter.subscribers.importing.bulk_writer import BulkWriteResult
from newsletter.subscribers.importing.rows.address_warnings import address_warning
from newsletter.subscribers.importing.rows.column_mapping import ColumnMapping
from newsletter.subscribers.importing.rows.row_parser import ParsedSubscriber

MAX_REMARKS = 100
ERASED_REMARK = "was erased on request and can't be added by an import"


@dataclass
class ImportSummary:
    """The summary of an import or a dry run; the counts add up to ``rows``.

    Attributes:
        file: the path as the user gave it; for a ZIP, with the name of the file in it.
        encoding: the encoding of the file.
        service: the service that exported it; ``""`` if not recognized.
        delimiter: the name of the delimiter; ``""`` for JSON lines.
        columns: the roles of the columns; ``None`` for JSON lines.
        file_status: the status of all subscribers of the file, by its name.
        notices: columns that look like consent and aren't understood.
        rows: number of rows that are not blank, without the header.
        not_active: number of valid rows that are not active in the file, by status.
        new: number of subscribers added, by status.
        updated: number of subscribers whose name, attributes, tags or status changed.
        resubscribed: number of subscribers made active on the basis of the stated consent.
        unchanged: number of subscribers without a change.
        duplicates: number of rows whose address occurs earlier in the file.
        not_reactivated: number of rows that are active in the file, but unsubscribed, bounced,
            complained or unconfirmed in the list, by the status in the list.
        erased: number of rows of subscribers erased on request.
        rejected: number of rejected rows.
        rejection_reasons: number of rejected rows by reason, without the row's own values.
        remarks: the first rejected, duplicate and erased rows: line and reason.
        address_warning_count: number of imported addresses with a warning.
        address_warnings: the first of them: line and warning.
        rejected_rows_path: the file of rejected rows, if there are any.
        skipped_files: files of a ZIP that were not read, and why; in the first summary.
    """

    file: str
    encoding: TextEncoding
    service: str = ""
    delimiter: str = ""
    columns: ColumnMapping | None = None
    file_status: str = "active"
    notices: list[str] = field(default_factory=list)
    rows: int = 0
    not_active: Counter[str] = field(default_factory=Counter)
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
        """Add a remark up to the maximum; the file of rejected rows has them all."""
        if len(self.remarks) < MAX_REMARKS:
            self.remarks.append((line, reason))

    def count_rejected(self, line: int, reason: str) -> None:
        """Count a rejected row by its reason, and add a remark."""
        self.rejected += 1
        self.rejection_reasons[_generalize_reason(reason)] += 1
        self.add_remark(line, reason)

    def check_entry(self, entry: ParsedSubscriber) -> None:
        """Count a status that isn't active; record a warning if the address is questionable."""
        if entry.status != "active":
            self.not_active[entry.status] += 1
        warning = address_warning(entry.key)
        if warning:
            self.address_warning_count += 1
            if len(self.address_warnings) < MAX_REMARKS:
                self.address_warnings.append((entry.line, f"'{entry.address}' {warning}"))

    def add_result(self, result: BulkWriteResult) -> None:
        """Add the result of one chunk."""
        self.new.update(result.new)
        self.not_reactivated.update(result.not_reactivated)
        self.updated += result.updated
        self.resubscribed += result.resubscribed
        self.unchanged += result.unchanged
        self.duplicates += len(result.duplicates)
        for entry in result.duplicates:
            self.add_remark(entry.line, f"'{entry.address}' is a duplicate of an earlier row")
        self.erased += len(result.erased)
        for entry in result.erased:
            self.add_remark(entry.line, f"'{entry.address}' {ERASED_REMARK}")


def _generalize_reason(reason: str) -> str:
    """Return a reason without what differs from row to row: quoted text and numbers."""
    return re.sub(r"'[^']*'|\d[\d,.]*", "…", reason).removeprefix("… ")
