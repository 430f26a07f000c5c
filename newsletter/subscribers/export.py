"""Export the list as CSV or JSON lines.

Lossless: importing an export into an empty list reproduces the list.
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
from newsletter.db.column_types import ByCodePoint
from newsletter.db.schema import journal, subscriber, subscriber_tag
from newsletter.subscribers.attribute_types import AttributeType, AttributeValue, format_value
from newsletter.subscribers.audience import ALL_SUBSCRIBERS
from newsletter.subscribers.consent.journal import JournalEntry
from newsletter.subscribers.csv_injection import escape_formula
from newsletter.subscribers.importing.attributes import load_attribute_types
from newsletter.subscribers.importing.rows.json_record import format_header
from newsletter.subscribers.topics import load_opted_out_topics

ExportKind = Literal["csv", "jsonl"]
PAGE_SIZE = 5_000
# The import recognizes an export by these columns in this order; the attributes follow, as
# NAME:TYPE.
CSV_COLUMNS = (
    "email", "name", "status", "tags", "joined_at", "confirmed_at", "source", "soft_bounces",
    "token", "paused_until", "opens_consent", "clicks_consent", "opted_out",
)  # fmt: skip
# The import would split a tag at these.
_TAG_SEPARATORS = frozenset(',;|"[')


class ExportOptions(NamedTuple):
    """Options of an export: the format, the subscribers and the details.

    Attributes:
        kind: CSV for spreadsheets, JSON lines for programs.
        condition: the condition of a segment.
        include_journal: whether to include the consent journal; only with JSON lines.
        raw: whether to leave cells unescaped that a spreadsheet would run as formulas.
    """

    kind: ExportKind = "csv"
    condition: sa.ColumnElement[bool] = ALL_SUBSCRIBERS
    include_journal: bool = False
    raw: bool = False


class _SubscriberRow(NamedTuple):
    """A row of the table ``subscriber``."""

    id: int
    address_key: str
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
    opens_consent: bool | None
    clicks_consent: bool | None


def export_subscribers(
    connection: sa.Connection,
    file: BinaryIO,
    options: ExportOptions,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Write the subscribers to a file, page by page, and return how many there were.

    Args:
        connection: a connection in a ``read_transaction``, so that all pages see one snapshot.
        file: the file to write to, in UTF-8.
        options: the format, the subscribers and the details.
        progress: called with the number of subscribers just written.
    """
    types = load_attribute_types(connection)
    formatter = _csv_formatter(types, options) if options.kind == "csv" else _json_formatter(types)
    file.write(formatter.header)
    count = 0
    for rows in _iter_pages(connection, options.condition):
        ids = [row.id for row in rows]
        tags = _load_tags(connection, ids)
        opt_outs = load_opted_out_topics(connection, [row.address_key for row in rows])
        journals = _load_journals(connection, ids) if options.include_journal else {}
        file.write(
            b"".join(
                formatter.format_row(
                    row,
                    tags.get(row.id, []),
                    opt_outs.get(row.address_key, []),
                    journals.get(row.id),
                )
                for row in rows
            )
        )
        count += len(rows)
        progress(len(rows))
    return count


class _RowFormatter(NamedTuple):
    """A formatter of one kind of file.

    Attributes:
        header: the first line.
        format_row: returns the line of a subscriber, their tags, the topics they opted out of and,
            if included, their journal.
    """

    header: bytes
    format_row: Callable[[_SubscriberRow, list[str], list[str], list[JournalEntry] | None], bytes]


def _csv_formatter(types: Mapping[str, AttributeType], options: ExportOptions) -> _RowFormatter:
    buffer = io.StringIO()
    write_row = csv.writer(buffer).writerow
    escape: Callable[[str], str] = str if options.raw else escape_formula

    def format_line(cells: Sequence[str]) -> bytes:
        buffer.seek(0)
        buffer.truncate()
        write_row(cells)
        return buffer.getvalue().encode()

    def format_row(
        row: _SubscriberRow, tags: list[str], opt_outs: list[str], _: list[JournalEntry] | None
    ) -> bytes:
        attributes: dict[str, AttributeValue] = orjson.loads(row.attributes)
        cells = [
            escape(row.address), escape(row.name), row.status, escape(_join_tags(tags)),
            row.joined_at.isoformat(), row.confirmed_at.isoformat() if row.confirmed_at else "",
            escape(row.source), str(row.soft_bounces), escape(row.token),
            row.paused_until.isoformat() if row.paused_until else "",
            _format_answer(row.opens_consent), _format_answer(row.clicks_consent),
            ",".join(opt_outs),
        ]  # fmt: skip
        for name in types:
            value = attributes.get(name, "")
            # A number is not a formula, and a spreadsheet should recognize it as a number.
            cells.append(escape(value) if isinstance(value, str) else format_value(value))
        return format_line(cells)

    header = format_line([*CSV_COLUMNS, *(f"{name}:{type_}" for name, type_ in types.items())])
    # Excel recognizes UTF-8 by the byte-order mark; programs don't need it.
    return _RowFormatter(header if options.raw else codecs.BOM_UTF8 + header, format_row)


def _json_formatter(types: Mapping[str, AttributeType]) -> _RowFormatter:
    def format_row(
        row: _SubscriberRow,
        tags: list[str],
        opt_outs: list[str],
        entries: list[JournalEntry] | None,
    ) -> bytes:
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
            "opens_consent": row.opens_consent,
            "clicks_consent": row.clicks_consent,
            "opted_out": opt_outs,
            # By name: SQLite keeps them as they came, PostgreSQL in an order of its own.
            "attributes": dict(sorted(orjson.loads(row.attributes).items())),
        }
        if entries is not None:
            data["journal"] = [entry.to_dict() for entry in entries]
        return orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE)

    return _RowFormatter(format_header(types), format_row)


def _iter_pages(
    connection: sa.Connection, condition: sa.ColumnElement[bool]
) -> Iterator[Sequence[_SubscriberRow]]:
    columns = [
        sa.cast(subscriber.c.attributes, sa.Text) if name == "attributes" else subscriber.c[name]
        for name in _SubscriberRow._fields
    ]
    page = (
        sa.select(*columns)
        .where(condition, subscriber.c.id > sa.bindparam("after"))
        .order_by(subscriber.c.id)
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
    tags: dict[int, list[str]] = {}
    columns = subscriber_tag.c
    query = (
        sa.select(columns.subscriber_id, columns.tag)
        .where(column_in(connection, columns.subscriber_id, ids))
        .order_by(columns.subscriber_id, ByCodePoint(columns.tag))
    )
    for id_, tag in connection.execute(query):
        tags.setdefault(id_, []).append(tag)
    return tags


def _load_journals(connection: sa.Connection, ids: Sequence[int]) -> dict[int, list[JournalEntry]]:
    journals: dict[int, list[JournalEntry]] = {}
    columns = journal.c
    query = (
        sa.select(columns.subscriber_id, *(columns[name] for name in JournalEntry._fields))
        .where(column_in(connection, columns.subscriber_id, ids))
        .order_by(columns.subscriber_id, columns.seq)
    )
    for id_, *entry in connection.execute(query):
        journals.setdefault(id_, []).append(JournalEntry(*entry))
    return journals


def _format_answer(answer: bool | None) -> str:  # noqa: FBT001 - the value of a column
    return {None: "", True: "yes", False: "no"}[answer]


def _join_tags(tags: Sequence[str]) -> str:
    """Join tags into one cell, quoted so that the import can split them again."""
    return ",".join(
        '"' + tag.replace('"', '""') + '"' if _TAG_SEPARATORS.intersection(tag) else tag
        for tag in tags
    )
