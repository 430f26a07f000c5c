"""Import a file of subscribers: the whole run.

Streaming, a transaction a chunk, and no row stops the rest.
"""

import datetime
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import sqlalchemy as sa

from newsletter.errors import SubscriberListError
from newsletter.subscribers.attribute_types import AttributeType
from newsletter.subscribers.importing.attributes import AttributeRegistry, infer_attribute_types
from newsletter.subscribers.importing.bulk_writer import SubscriberBulkWriter
from newsletter.subscribers.importing.files.csv_reader import FileRow
from newsletter.subscribers.importing.files.zip_reader import (
    UnpackedFile,
    is_zip_file,
    unpack_lists,
)
from newsletter.subscribers.importing.import_summary import ImportSummary
from newsletter.subscribers.importing.open_list import ListSource, OpenList, open_list_file
from newsletter.subscribers.importing.rejected_rows import RejectedRowsFile
from newsletter.subscribers.importing.rows.row_parser import (
    STATUS_PRECEDENCE,
    ParsedSubscriber,
    clean_tags,
)

__all__ = [
    "ImportSummary",
    "ListImportOptions",
    "import_subscriber_file",
    "import_subscriber_files",
]

CHUNK_SIZE = 10_000
RejectCallback = Callable[[FileRow, SubscriberListError], None]
# Of each file in a ZIP, before any of them is imported.
SAMPLE_ROWS = 1_000
MAX_UNPACKED_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ListImportOptions:
    """What the editor says of a file.

    Attributes:
        mapping: column -> what it holds, where its name doesn't tell.
        tags: for every reader in it.
        consent: where the consent comes from of those who have left and come back by this file;
            ``""`` if nobody comes back.
        dry_run: change nothing, write no file.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    consent: str = ""
    dry_run: bool = False


def import_subscriber_files(  # noqa: PLR0913 - what the caller may choose, each by its name
    engine: sa.Engine,
    path: Path,
    *,
    now: datetime.datetime,
    options: ListImportOptions = ListImportOptions(),
    max_unpacked_bytes: int = MAX_UNPACKED_BYTES,
    progress: Callable[[int], None] = lambda _: None,
) -> list[ImportSummary]:
    """Import a file of readers, or all of those in a ZIP.

    Whoever has left by one file of a ZIP stays away by the others: the files that tell so come
    first. Files that are no list of readers are passed over, if another one is.

    Args:
        engine: the list's database.
        path: a file that ``import_file`` takes, or a ZIP of them.
        now: the time to record.
        options: what the editor says of it.
        max_unpacked_bytes: how many bytes a ZIP's files may have together.
        progress: called with the number of bytes just read, which add up to the file's size.

    Raises:
        ListError: the file as a whole can't be read, or none in the ZIP.
        DatabaseError: the database can't be written.
        OSError: the file can't be read.
    """
    if not is_zip_file(path):
        return [import_subscriber_file(engine, path, now=now, options=options, progress=progress)]
    with unpack_lists(path, max_unpacked_bytes) as files:
        sources, passed_over = _find_lists(files, path, options)
        types = _sample_attribute_types(sources, options)
        share = path.stat().st_size / max(1, sum(each.path.stat().st_size for each in sources))
        with engine.connect() as connection:
            run = _ImportRun(
                connection, now, options, lambda read: progress(round(read * share)), types
            )
            reports = [run.import_source(source) for source in sources]
    reports[0].skipped_files.extend(passed_over)
    return reports


def import_subscriber_file(
    engine: sa.Engine,
    path: Path,
    *,
    now: datetime.datetime,
    options: ListImportOptions = ListImportOptions(),
    progress: Callable[[int], None] = lambda _: None,
) -> ImportSummary:
    """Add the readers of a file to the list and update those that are there.

    Every chunk is committed whole, so that an import that is cut short can be run again. Nobody
    who has left comes back by it, unless ``wishes`` states their consent. A dry run does the
    same and takes it all back.

    Args:
        engine: the list's database.
        path: CSV, or JSON lines that we have exported.
        now: the time to record.
        options: what the editor says of it.
        progress: called with the number of bytes just read.

    Raises:
        ListError: the file as a whole can't be read: empty, no text, no column of addresses.
        DatabaseError: the database can't be written.
        OSError: the file can't be read.
    """
    with engine.connect() as connection:
        run = _ImportRun(connection, now, options, progress, {})
        return run.import_source(ListSource(path, str(path), path.name, path))


@dataclass(frozen=True, slots=True)
class _ImportRun:
    """One import, of one file or several.

    Attributes:
        connection: on which nothing has begun; of a dry run the caller rolls it back.
        now: the time to record.
        options: what the editor says of it.
        progress: called with the number of bytes just read.
        sampled_types: of attributes that are new, where other files tell them.
    """

    connection: sa.Connection
    now: datetime.datetime
    options: ListImportOptions
    progress: Callable[[int], None]
    sampled_types: Mapping[str, AttributeType]

    def import_source(self, source: ListSource) -> ImportSummary:
        """Import one file."""
        wet = not self.options.dry_run
        with (
            open_list_file(source, self.options.mapping) as (readers, report),
            RejectedRowsFile(
                source.rejected_rows_base, report.columns, readers.header_line, enabled=wet
            ) as refused,
        ):

            def refuse(row: FileRow, error: SubscriberListError) -> None:
                reason = error.problems[0].message
                report.count_rejected(row.line, reason)
                refused.add(row, reason)

            with _defer_garbage_collection():
                self._write_chunks(readers, report, f"import {source.label}", refuse)
            if wet:
                report.rejected_rows_path = refused.save()
        report.remarks.sort()
        return report

    def _write_chunks(
        self, open_list: OpenList, summary: ImportSummary, label: str, reject: RejectCallback
    ) -> None:
        attributes = AttributeRegistry(
            self.connection, {**self.sampled_types, **open_list.attribute_types}
        )
        writer = SubscriberBulkWriter(self.connection, label, self.now, self.options.consent)
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
            gc.collect()
            self.progress(open_list.read_position() - position)
            position = open_list.read_position()
        if not self.options.dry_run:
            writer.update_planner_statistics()
            self.connection.commit()


@contextmanager
def _defer_garbage_collection() -> Iterator[None]:
    """Rows make no cycles of objects, and looking for some takes a fifth of an import's time.

    Between two chunks hardly an object is left to look at.
    """
    enabled = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()


def _iter_entries(
    open_list: OpenList, summary: ImportSummary, reject: RejectCallback
) -> Iterator[tuple[FileRow, ParsedSubscriber]]:
    """The rows that can be read; the others are refused."""
    for row in open_list.rows:
        summary.rows += 1
        try:
            entry = open_list.parse_row(row)
        except SubscriberListError as error:
            reject(row, error)
        else:
            summary.check_address(entry)
            yield row, entry


def _iter_typed_entries(
    chunk: Sequence[tuple[FileRow, ParsedSubscriber]],
    attributes: AttributeRegistry,
    tags: tuple[str, ...],
    reject: RejectCallback,
) -> Iterator[ParsedSubscriber]:
    """The entries with tags for all and attributes in their types; what doesn't fit is refused."""
    for row, entry in chunk:
        try:
            attributes.coerce_attributes(entry)
            yield entry._replace(tags=clean_tags(entry.tags + tags)) if tags else entry
        except SubscriberListError as error:
            reject(row, error)


def _find_lists(
    files: Sequence[UnpackedFile], path: Path, options: ListImportOptions
) -> tuple[list[ListSource], list[tuple[str, str]]]:
    """The lists of readers in a ZIP, those first by which readers have left; and the other files.

    An export of a service we know may hold other tables of addresses (who opened what): if we
    know one of its files, only those that we know are lists.
    """
    found: list[tuple[ListSource, ImportSummary]] = []
    problems: list[tuple[str, SubscriberListError]] = []
    for file in files:
        beside = path.with_name(f"{path.name}.{file.name}")
        source = ListSource(file.path, str(path / file.name), f"{path.name}/{file.name}", beside)
        try:
            with open_list_file(source, options.mapping) as (_, report):
                found.append((source, report))
        except SubscriberListError as error:
            problems.append((file.name, error))
    if not found:
        raise problems[0][1]
    known = [(source, report) for source, report in found if report.service] or found
    others = [(name, error.problems[0].message) for name, error in problems]
    others += [
        (source.name, "no list of readers, by its columns")
        for source, report in found
        if (source, report) not in known
    ]
    return [source for source, _ in sorted(known, key=_status_rank, reverse=True)], others


def _sample_attribute_types(
    sources: Sequence[ListSource], options: ListImportOptions
) -> dict[str, AttributeType]:
    """The types of a ZIP's attributes: the first file, which may be short, says too little."""

    def sample(source: ListSource) -> Iterator[ParsedSubscriber]:
        with open_list_file(source, options.mapping) as (readers, _):
            for row in islice(readers.rows, SAMPLE_ROWS):
                with suppress(SubscriberListError):
                    yield readers.parse_row(row)

    return infer_attribute_types(chain.from_iterable(map(sample, sources)), {})


def _status_rank(found: tuple[ListSource, ImportSummary]) -> int:
    source, report = found
    columns = report.columns
    told = columns.format.status_from_filename(source.name) if columns else "active"
    return STATUS_PRECEDENCE.index(told)
