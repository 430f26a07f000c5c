"""Import a file of subscribers in chunks; rejected rows don't stop it.

The file is streamed, and each chunk is one transaction.
"""

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import sqlalchemy as sa

from newsletter.db.postgresql.owner_functions import analyze_tables
from newsletter.db.schema import subscriber, subscriber_tag
from newsletter.errors import SubscriberListError
from newsletter.subscribers.attribute_types import AttributeType
from newsletter.subscribers.importing.attributes import AttributeRegistry, infer_attribute_types
from newsletter.subscribers.importing.bulk_writer import SubscriberBulkWriter
from newsletter.subscribers.importing.files.csv_reader import FileRow
from newsletter.subscribers.importing.files.zip_reader import unpack_lists
from newsletter.subscribers.importing.find_lists import find_lists, open_single_source
from newsletter.subscribers.importing.import_summary import ImportSummary
from newsletter.subscribers.importing.open_list import ListSource, OpenList, open_list_file
from newsletter.subscribers.importing.rejected_rows import RejectedRowsFile
from newsletter.subscribers.importing.rows.row_parser import (
    ParsedSubscriber,
    clean_tags,
)
from newsletter.zip_files import is_zip_file

__all__ = [
    "ImportSummary",
    "ListImportOptions",
    "import_subscriber_file",
    "import_subscriber_files",
]

CHUNK_SIZE = 10_000
RejectCallback = Callable[[FileRow, SubscriberListError], None]
# The number of rows of each file in a ZIP that are read before the import, to infer types.
SAMPLE_ROWS = 1_000
MAX_UNPACKED_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ListImportOptions:
    """The editor's options for an import.

    Attributes:
        mapping: column -> its role, where its name doesn't determine it.
        tags: tags to add to each subscriber in the file.
        consent: how those to be resubscribed gave their consent; ``""`` to resubscribe nobody.
        dry_run: whether to change nothing and write no file.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    consent: str = ""
    dry_run: bool = False


def import_subscriber_files(  # noqa: PLR0913 - independent options, keyword-only
    engine: sa.Engine,
    path: Path,
    *,
    now: datetime.datetime,
    options: ListImportOptions = ListImportOptions(),
    max_unpacked_bytes: int = MAX_UNPACKED_BYTES,
    progress: Callable[[int], None] = lambda _: None,
) -> list[ImportSummary]:
    """Import a file of subscribers, or all subscriber lists in a ZIP.

    A subscriber who is suppressed in one file of a ZIP is not made active by another: files of
    suppressed subscribers are imported first. Files that aren't subscriber lists are skipped and
    listed, unless they may contain those who have left: then nothing is imported.

    Args:
        engine: the engine of the database.
        path: a file that ``import_subscriber_file`` accepts, or a ZIP of such files.
        now: the time to record.
        options: the editor's options.
        max_unpacked_bytes: the maximum total size of a ZIP's files, in bytes.
        progress: called with the number of bytes just read, which add up to the file's size.

    Raises:
        SubscriberListError: the file as a whole can't be read; no file in the ZIP is a list, or one
            that can't be read may contain those who have left.
        DatabaseError: the database can't be written.
        OSError: the file can't be read.
    """
    if not is_zip_file(path):
        return [import_subscriber_file(engine, path, now=now, options=options, progress=progress)]
    with unpack_lists(path, max_unpacked_bytes) as archive:
        sources, skipped_files = find_lists(archive, path, options.mapping)
        types = _sample_attribute_types(sources, options)
        unpacked_size = sum(source.path.stat().st_size for source in sources)
        ratio = path.stat().st_size / max(1, unpacked_size)
        with engine.connect() as connection:
            run = _ImportRun(
                connection, now, options, lambda count: progress(round(count * ratio)), types
            )
            summaries = [run.import_source(source) for source in sources]
    summaries[0].skipped_files.extend(skipped_files)
    return summaries


def import_subscriber_file(
    engine: sa.Engine,
    path: Path,
    *,
    now: datetime.datetime,
    options: ListImportOptions = ListImportOptions(),
    progress: Callable[[int], None] = lambda _: None,
) -> ImportSummary:
    """Add the subscribers of a file to the list and update existing ones.

    Each chunk is one transaction, so an interrupted import can be run again. Nobody who has
    unsubscribed is made active, unless ``options`` state their consent. A dry run does the same
    and rolls it back.

    Args:
        engine: the engine of the database.
        path: a CSV file, or JSON lines exported by newsletter.
        now: the time to record.
        options: the editor's options.
        progress: called with the number of bytes just read.

    Raises:
        SubscriberListError: the file as a whole can't be read: it is empty, isn't text, or has no
            column of addresses.
        DatabaseError: the database can't be written.
        OSError: the file can't be read.
    """
    with engine.connect() as connection:
        run = _ImportRun(connection, now, options, progress, {})
        return run.import_source(open_single_source(path))


@dataclass(frozen=True, slots=True)
class _ImportRun:
    """An import of one file or several.

    Attributes:
        connection: a connection without a transaction; closing it rolls back a dry run.
        now: the time to record.
        options: the editor's options.
        progress: called with the number of bytes just read.
        sampled_types: the types of new attributes, inferred from all files.
        left_keys: the addresses that are suppressed in a file imported so far.
    """

    connection: sa.Connection
    now: datetime.datetime
    options: ListImportOptions
    progress: Callable[[int], None]
    sampled_types: Mapping[str, AttributeType]
    left_keys: set[str] = field(default_factory=set)

    def import_source(self, source: ListSource) -> ImportSummary:
        """Import one file."""
        write_files = not self.options.dry_run
        with (
            open_list_file(source, self.options.mapping) as (open_list, summary),
            RejectedRowsFile(
                source.rejected_rows_base,
                summary.columns,
                open_list.header_line,
                enabled=write_files,
            ) as rejected_rows,
        ):

            def reject(row: FileRow, error: SubscriberListError) -> None:
                reason = error.problems[0].message
                summary.count_rejected(row.line, reason)
                rejected_rows.add(row, reason)

            self._write_chunks(open_list, summary, f"import {source.label}", reject)
            if write_files:
                summary.rejected_rows_path = rejected_rows.save()
        summary.remarks.sort()
        return summary

    def _write_chunks(
        self, open_list: OpenList, summary: ImportSummary, label: str, reject: RejectCallback
    ) -> None:
        attributes = AttributeRegistry(
            self.connection, {**self.sampled_types, **open_list.attribute_types}
        )
        writer = SubscriberBulkWriter(
            self.connection, label, self.now, self.options.consent, self.left_keys
        )
        entries = _iter_entries(open_list, summary, reject)

        def write_chunk() -> bool:
            chunk = list(islice(entries, CHUNK_SIZE))
            attributes.register_new(entry for _, entry in chunk)
            typed = _iter_typed_entries(chunk, attributes, self.options.tags, reject)
            summary.add_result(writer.write(list(typed)))
            return bool(chunk)

        position = 0
        while write_chunk():
            if not self.options.dry_run:
                self.connection.commit()
            self.progress(open_list.read_position() - position)
            position = open_list.read_position()
        if not self.options.dry_run:
            analyze_tables(self.connection, subscriber, subscriber_tag)
            self.connection.commit()


def _iter_entries(
    open_list: OpenList, summary: ImportSummary, reject: RejectCallback
) -> Iterator[tuple[FileRow, ParsedSubscriber]]:
    """Yield the valid rows with their entries, and reject the others."""
    for row in open_list.rows:
        summary.rows += 1
        try:
            entry = open_list.parse_row(row)
        except SubscriberListError as error:
            reject(row, error)
        else:
            summary.check_entry(entry)
            yield row, entry


def _iter_typed_entries(
    chunk: Sequence[tuple[FileRow, ParsedSubscriber]],
    attributes: AttributeRegistry,
    tags: tuple[str, ...],
    reject: RejectCallback,
) -> Iterator[ParsedSubscriber]:
    """Yield the entries with the given tags added and typed attributes; reject invalid ones."""
    for row, entry in chunk:
        try:
            attributes.coerce_attributes(entry)
            yield entry._replace(tags=clean_tags(entry.tags + tags)) if tags else entry
        except SubscriberListError as error:
            reject(row, error)


def _sample_attribute_types(
    sources: Sequence[ListSource], options: ListImportOptions
) -> dict[str, AttributeType]:
    """Return types inferred from all files of a ZIP: the first one may be too short."""

    def sample(source: ListSource) -> Iterator[ParsedSubscriber]:
        with open_list_file(source, options.mapping) as (open_list, _):
            for row in islice(open_list.rows, SAMPLE_ROWS):
                with suppress(SubscriberListError):
                    yield open_list.parse_row(row)

    return infer_attribute_types(chain.from_iterable(map(sample, sources)), {})
