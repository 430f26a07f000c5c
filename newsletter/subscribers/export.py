"""Export the list as CSV or JSON lines, without loss.

What is imported into an empty list gives an equal one.
"""

import codecs
import csv
import datetime
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal, NamedTuple

import orjson
import sqlalchemy as sa

from newsletter.db.bulk import column_in
from newsletter.db.schema import journal, subscriber, subscriber_tag
from newsletter.subscribers.attribute_types import AttributeType, AttributeValue, format_value
from newsletter.subscribers.audience import ALL_SUBSCRIBERS
from newsletter.subscribers.consent.journal import JournalEntry
from newsletter.subscribers.csv_injection import escape_formula
from newsletter.subscribers.importing.attributes import load_attribute_types
from newsletter.subscribers.importing.rows.json_record import format_header

ExportKind = Literal["csv", "jsonl"]
PAGE_SIZE = 5_000
# In this order, by which formats.OWN knows them; then the attributes, named KEY:TYPE.
CSV_COLUMNS = (
    "email", "name", "status", "tags", "joined_at", "confirmed_at", "source", "soft_bounces",
    "token", "paused_until",
)  # fmt: skip
# What an importer would take for the end of a tag.
_TAG_SEPARATORS = frozenset(',;|"[')


class ExportOptions(NamedTuple):
    """What to export, and how.

    Attributes:
        kind: CSV for spreadsheets, JSON lines for programs.
        condition: a segment's condition.
        include_journal: with the consent journal; in JSON lines alone.
        raw: leave cells as they are that a spreadsheet would run as formulas.
    """

    kind: ExportKind = "csv"
    condition: sa.ColumnElement[bool] = ALL_SUBSCRIBERS
    include_journal: bool = False
    raw: bool = False


class _SubscriberRow(NamedTuple):
    """A subscriber as the database has them."""

    id: int
    address: str
    name: str
    status: str
    attributes: str
    joined_at: datetime.datetime
    confirmed_at: datetime.datetime | None
    source: str
    soft_bounces: int
    token: str
    paused_until: datetime.datetime | None


def export_subscribers(
    connection: sa.Connection,
    file: BinaryIO,
    options: ExportOptions,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Write the subscribers to a file, page by page, and return how many there were.

    Args:
        connection: in one ``reading`` transaction, so that all pages are of one moment.
        file: where to; UTF-8 is written.
        options: what to write, and how.
        progress: called with the number of subscribers just written.
    """
    types = load_attribute_types(connection)
    write = _csv_formatter(types, options) if options.kind == "csv" else _json_formatter(types)
    file.write(write.header)
    count = 0
    for rows in _iter_pages(connection, options.condition):
        ids = [row.id for row in rows]
        tags = _load_tags(connection, ids)
        lines = _load_journals(connection, ids) if options.include_journal else {}
        file.write(
            b"".join(write.format_row(row, tags.get(row.id, []), lines.get(row.id)) for row in rows)
        )
        count += len(rows)
        progress(len(rows))
    return count


class _RowFormatter(NamedTuple):
    """How one kind of file is written.

    Attributes:
        header: its first line.
        format_row: the line of a subscriber, with their tags and perhaps their journal.
    """

    header: bytes
    format_row: Callable[[_SubscriberRow, list[str], list[JournalEntry] | None], bytes]


def _csv_formatter(types: Mapping[str, AttributeType], options: ExportOptions) -> _RowFormatter:
    buffer = io.StringIO()
    write = csv.writer(buffer).writerow
    safe: Callable[[str], str] = str if options.raw else escape_formula

    def line(cells: Sequence[str]) -> bytes:
        buffer.seek(0)
        buffer.truncate()
        write(cells)
        return buffer.getvalue().encode()

    def row(row: _SubscriberRow, tags: list[str], _: list[JournalEntry] | None) -> bytes:
        attributes: dict[str, AttributeValue] = orjson.loads(row.attributes)
        cells = [
            safe(row.address), safe(row.name), row.status, safe(_join_tags(tags)),
            row.joined_at.isoformat(), row.confirmed_at.isoformat() if row.confirmed_at else "",
            safe(row.source), str(row.soft_bounces), safe(row.token),
            row.paused_until.isoformat() if row.paused_until else "",
        ]  # fmt: skip
        for name in types:
            value = attributes.get(name, "")
            # A number is no formula, and a spreadsheet shall know it as a number.
            cells.append(safe(value) if isinstance(value, str) else format_value(value))
        return line(cells)

    first = line([*CSV_COLUMNS, *(f"{name}:{kind}" for name, kind in types.items())])
    # With a byte-order mark, by which Excel knows UTF-8; programs have no use for it.
    return _RowFormatter(first if options.raw else codecs.BOM_UTF8 + first, row)


def _json_formatter(types: Mapping[str, AttributeType]) -> _RowFormatter:
    def row(row: _SubscriberRow, tags: list[str], lines: list[JournalEntry] | None) -> bytes:
        data: dict[str, Any] = {
            "email": row.address,
            "name": row.name,
            "status": row.status,
            "tags": tags,
            "joined_at": row.joined_at,
            "confirmed_at": row.confirmed_at,
            "source": row.source,
            "soft_bounces": row.soft_bounces,
            "token": row.token,
            "paused_until": row.paused_until,
            "attributes": orjson.Fragment(row.attributes),
        }
        if lines is not None:
            data["journal"] = [each.to_dict() for each in lines]
        return orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE)

    return _RowFormatter(format_header(types), row)


def _iter_pages(
    connection: sa.Connection, condition: sa.ColumnElement[bool]
) -> Iterator[Sequence[_SubscriberRow]]:
    columns = subscriber.c
    wanted = [
        sa.cast(columns.attributes, sa.Text) if name == "attributes" else columns[name]
        for name in _SubscriberRow._fields
    ]
    page = (
        sa.select(*wanted)
        .where(condition, columns.id > sa.bindparam("after"))
        .order_by(columns.id)
        .limit(PAGE_SIZE)
    )
    after = 0
    while True:
        rows = [_SubscriberRow(*row) for row in connection.execute(page, {"after": after})]
        if rows:
            yield rows
        if len(rows) < PAGE_SIZE:
            return
        after = rows[-1].id


def _load_tags(connection: sa.Connection, ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    columns = subscriber_tag.c
    mine = (
        sa.select(columns.subscriber_id, columns.tag)
        .where(column_in(connection, columns.subscriber_id, ids))
        .order_by(columns.subscriber_id, columns.tag)
    )
    for id_, tag in connection.execute(mine):
        found.setdefault(id_, []).append(tag)
    return found


def _load_journals(connection: sa.Connection, ids: Sequence[int]) -> dict[int, list[JournalEntry]]:
    found: dict[int, list[JournalEntry]] = {}
    columns = journal.c
    mine = (
        sa.select(columns.subscriber_id, *(columns[name] for name in JournalEntry._fields))
        .where(column_in(connection, columns.subscriber_id, ids))
        .order_by(columns.subscriber_id, columns.seq)
    )
    for id_, *line in connection.execute(mine):
        found.setdefault(id_, []).append(JournalEntry(*line))
    return found


def _join_tags(tags: Sequence[str]) -> str:
    """Tags in one cell, such that an import takes them apart again."""
    return ",".join(
        '"' + tag.replace('"', '""') + '"' if _TAG_SEPARATORS.intersection(tag) else tag
        for tag in tags
    )
