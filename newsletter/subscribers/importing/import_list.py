"""Imports a file of readers: streaming, a transaction a chunk, and no row stops the rest."""

import datetime
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import sqlalchemy as sa

from newsletter.errors import SubscriberListError
from newsletter.subscribers.attribute_types import Type
from newsletter.subscribers.importing.attributes import Attributes, types_of
from newsletter.subscribers.importing.bulk_writer import ListWriter
from newsletter.subscribers.importing.files.csv_reader import Row
from newsletter.subscribers.importing.files.zip_reader import Unpacked, is_archive, unpacked
from newsletter.subscribers.importing.import_summary import ImportReport
from newsletter.subscribers.importing.open_list import Readers, Source, open_readers
from newsletter.subscribers.importing.rejected_rows import RefusedFile
from newsletter.subscribers.importing.rows.row_parser import CAREFUL, Entry, clean_tags

__all__ = ["ImportReport", "Wishes", "import_file", "import_files"]

CHUNK = 10_000
Refuse = Callable[[Row, SubscriberListError], None]
# Of each file in a ZIP, before any of them is imported.
SAMPLE = 1_000
MOST_UNPACKED = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Wishes:
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


def import_files(  # noqa: PLR0913 - what the caller may choose, each by its name
    engine: sa.Engine,
    path: Path,
    *,
    now: datetime.datetime,
    wishes: Wishes = Wishes(),
    most_unpacked: int = MOST_UNPACKED,
    progress: Callable[[int], None] = lambda _: None,
) -> list[ImportReport]:
    """Import a file of readers, or all of those in a ZIP.

    Whoever has left by one file of a ZIP stays away by the others: the files that tell so come
    first. Files that are no list of readers are passed over, if another one is.

    Args:
        engine: the list's database.
        path: a file that ``import_file`` takes, or a ZIP of them.
        now: the time to record.
        wishes: what the editor says of it.
        most_unpacked: how many bytes a ZIP's files may have together.
        progress: called with the number of bytes just read, which add up to the file's size.

    Raises:
        ListError: the file as a whole can't be read, or none in the ZIP.
        DatabaseError: the database can't be written.
        OSError: the file can't be read.
    """
    if not is_archive(path):
        return [import_file(engine, path, now=now, wishes=wishes, progress=progress)]
    with unpacked(path, most_unpacked) as files:
        sources, passed_over = _lists(files, path, wishes)
        types = _types(sources, wishes)
        share = path.stat().st_size / max(1, sum(each.path.stat().st_size for each in sources))
        with engine.connect() as connection:
            run = _Import(
                connection, now, wishes, lambda read: progress(round(read * share)), types
            )
            reports = [run.of(source) for source in sources]
    reports[0].passed_over.extend(passed_over)
    return reports


def import_file(
    engine: sa.Engine,
    path: Path,
    *,
    now: datetime.datetime,
    wishes: Wishes = Wishes(),
    progress: Callable[[int], None] = lambda _: None,
) -> ImportReport:
    """Add the readers of a file to the list and update those that are there.

    Every chunk is committed whole, so that an import that is cut short can be run again. Nobody
    who has left comes back by it, unless ``wishes`` states their consent. A dry run does the
    same and takes it all back.

    Args:
        engine: the list's database.
        path: CSV, or JSON lines that we have exported.
        now: the time to record.
        wishes: what the editor says of it.
        progress: called with the number of bytes just read.

    Raises:
        ListError: the file as a whole can't be read: empty, no text, no column of addresses.
        DatabaseError: the database can't be written.
        OSError: the file can't be read.
    """
    with engine.connect() as connection:
        run = _Import(connection, now, wishes, progress, {})
        return run.of(Source(path, str(path), path.name, path))


@dataclass(frozen=True, slots=True)
class _Import:
    """One import, of one file or several.

    Attributes:
        connection: on which nothing has begun; of a dry run the caller rolls it back.
        now: the time to record.
        wishes: what the editor says of it.
        progress: called with the number of bytes just read.
        types: of attributes that are new, where other files tell them.
    """

    connection: sa.Connection
    now: datetime.datetime
    wishes: Wishes
    progress: Callable[[int], None]
    types: Mapping[str, Type]

    def of(self, source: Source) -> ImportReport:
        """Import one file."""
        wet = not self.wishes.dry_run
        with (
            open_readers(source, self.wishes.mapping) as (readers, report),
            RefusedFile(source.beside, report.columns, readers.head, wanted=wet) as refused,
        ):

            def refuse(row: Row, error: SubscriberListError) -> None:
                reason = error.problems[0].message
                report.refuse(row.line, reason)
                refused.add(row, reason)

            with _collected_by_chunk():
                self._write(readers, report, f"import {source.label}", refuse)
            if wet:
                report.refused_file = refused.keep()
        report.remarks.sort()
        return report

    def _write(self, readers: Readers, report: ImportReport, label: str, refuse: Refuse) -> None:
        attributes = Attributes(self.connection, {**self.types, **readers.types})
        writer = ListWriter(self.connection, label, self.now, self.wishes.consent)
        entries = _entries(readers, report, refuse)

        def write_chunk() -> bool:
            chunk = list(islice(entries, CHUNK))
            attributes.learn(entry for _, entry in chunk)
            typed = _typed(chunk, attributes, self.wishes.tags, refuse)
            report.add(writer.write(list(typed)))
            return bool(chunk)

        position = 0
        while write_chunk():
            if not self.wishes.dry_run:
                self.connection.commit()
            gc.collect()
            self.progress(readers.position() - position)
            position = readers.position()
        if not self.wishes.dry_run:
            writer.finish()
            self.connection.commit()


@contextmanager
def _collected_by_chunk() -> Iterator[None]:
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


def _entries(readers: Readers, report: ImportReport, refuse: Refuse) -> Iterator[tuple[Row, Entry]]:
    """The rows that can be read; the others are refused."""
    for row in readers.rows:
        report.rows += 1
        try:
            entry = readers.read(row)
        except SubscriberListError as error:
            refuse(row, error)
        else:
            report.consider(entry)
            yield row, entry


def _typed(
    chunk: Sequence[tuple[Row, Entry]],
    attributes: Attributes,
    tags: tuple[str, ...],
    refuse: Refuse,
) -> Iterator[Entry]:
    """The entries with tags for all and attributes in their types; what doesn't fit is refused."""
    for row, entry in chunk:
        try:
            attributes.fit(entry)
            yield entry._replace(tags=clean_tags(entry.tags + tags)) if tags else entry
        except SubscriberListError as error:
            refuse(row, error)


def _lists(
    files: Sequence[Unpacked], path: Path, wishes: Wishes
) -> tuple[list[Source], list[tuple[str, str]]]:
    """The lists of readers in a ZIP, those first by which readers have left; and the other files.

    An export of a service we know may hold other tables of addresses (who opened what): if we
    know one of its files, only those that we know are lists.
    """
    found: list[tuple[Source, ImportReport]] = []
    problems: list[tuple[str, SubscriberListError]] = []
    for file in files:
        beside = path.with_name(f"{path.name}.{file.name}")
        source = Source(file.path, str(path / file.name), f"{path.name}/{file.name}", beside)
        try:
            with open_readers(source, wishes.mapping) as (_, report):
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
    return [source for source, _ in sorted(known, key=_strictness, reverse=True)], others


def _types(sources: Sequence[Source], wishes: Wishes) -> dict[str, Type]:
    """The types of a ZIP's attributes: the first file, which may be short, says too little."""

    def sample(source: Source) -> Iterator[Entry]:
        with open_readers(source, wishes.mapping) as (readers, _):
            for row in islice(readers.rows, SAMPLE):
                with suppress(SubscriberListError):
                    yield readers.read(row)

    return types_of(chain.from_iterable(map(sample, sources)), {})


def _strictness(found: tuple[Source, ImportReport]) -> int:
    source, report = found
    columns = report.columns
    told = columns.format.status_of_file(source.name) if columns else "active"
    return CAREFUL.index(told)
