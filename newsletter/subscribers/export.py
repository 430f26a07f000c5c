"""Exports the list without loss: what is imported into an empty list gives an equal one."""

import codecs
import csv
import datetime
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal, NamedTuple

import orjson
import sqlalchemy as sa

from newsletter.db.bulk import among
from newsletter.db.schema import journal, subscriber, subscriber_tag
from newsletter.subscribers.attribute_types import Type, Value, shown
from newsletter.subscribers.audience import EVERYBODY
from newsletter.subscribers.consent.journal import Line
from newsletter.subscribers.csv_injection import neutral
from newsletter.subscribers.importing.attributes import known_attributes
from newsletter.subscribers.importing.rows.json_record import head

Kind = Literal["csv", "jsonl"]
PAGE = 5_000
# In this order, by which formats.OWN knows them; then the attributes, named KEY:TYPE.
COLUMNS = (
    "email", "name", "status", "tags", "joined_at", "confirmed_at", "source", "soft_bounces",
    "token", "paused_until",
)  # fmt: skip
# What an importer would take for the end of a tag.
_SEPARATORS = frozenset(',;|"[')


class Choice(NamedTuple):
    """What to export, and how.

    Attributes:
        kind: CSV for spreadsheets, JSON lines for programs.
        within: a segment's condition.
        journal: with the consent journal; in JSON lines alone.
        raw: leave cells as they are that a spreadsheet would run as formulas.
    """

    kind: Kind = "csv"
    within: sa.ColumnElement[bool] = EVERYBODY
    journal: bool = False
    raw: bool = False


class _Row(NamedTuple):
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


def export(
    connection: sa.Connection,
    file: BinaryIO,
    choice: Choice,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Write the subscribers to a file, page by page, and return how many there were.

    Args:
        connection: in one ``reading`` transaction, so that all pages are of one moment.
        file: where to; UTF-8 is written.
        choice: what to write, and how.
        progress: called with the number of subscribers just written.
    """
    types = known_attributes(connection)
    write = _csv_lines(types, choice) if choice.kind == "csv" else _json_lines(types)
    file.write(write.first)
    count = 0
    for rows in _pages(connection, choice.within):
        ids = [row.id for row in rows]
        tags = _tags(connection, ids)
        lines = _journals(connection, ids) if choice.journal else {}
        file.write(
            b"".join(write.row(row, tags.get(row.id, []), lines.get(row.id)) for row in rows)
        )
        count += len(rows)
        progress(len(rows))
    return count


class _Writer(NamedTuple):
    """How one kind of file is written.

    Attributes:
        first: its first line.
        row: the line of a subscriber, with their tags and perhaps their journal.
    """

    first: bytes
    row: Callable[[_Row, list[str], list[Line] | None], bytes]


def _csv_lines(types: Mapping[str, Type], choice: Choice) -> _Writer:
    buffer = io.StringIO()
    write = csv.writer(buffer).writerow
    safe: Callable[[str], str] = str if choice.raw else neutral

    def line(cells: Sequence[str]) -> bytes:
        buffer.seek(0)
        buffer.truncate()
        write(cells)
        return buffer.getvalue().encode()

    def row(row: _Row, tags: list[str], _: list[Line] | None) -> bytes:
        attributes: dict[str, Value] = orjson.loads(row.attributes)
        cells = [
            safe(row.address), safe(row.name), row.status, safe(_listed(tags)),
            row.joined_at.isoformat(), row.confirmed_at.isoformat() if row.confirmed_at else "",
            safe(row.source), str(row.soft_bounces), safe(row.token),
            row.paused_until.isoformat() if row.paused_until else "",
        ]  # fmt: skip
        for name in types:
            value = attributes.get(name, "")
            # A number is no formula, and a spreadsheet shall know it as a number.
            cells.append(safe(value) if isinstance(value, str) else shown(value))
        return line(cells)

    first = line([*COLUMNS, *(f"{name}:{kind}" for name, kind in types.items())])
    # With a byte-order mark, by which Excel knows UTF-8; programs have no use for it.
    return _Writer(first if choice.raw else codecs.BOM_UTF8 + first, row)


def _json_lines(types: Mapping[str, Type]) -> _Writer:
    def row(row: _Row, tags: list[str], lines: list[Line] | None) -> bytes:
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
            data["journal"] = [each._asdict() for each in lines]
        return orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE)

    return _Writer(head(types), row)


def _pages(connection: sa.Connection, within: sa.ColumnElement[bool]) -> Iterator[Sequence[_Row]]:
    columns = subscriber.c
    wanted = [
        sa.cast(columns.attributes, sa.Text) if name == "attributes" else columns[name]
        for name in _Row._fields
    ]
    page = (
        sa.select(*wanted)
        .where(within, columns.id > sa.bindparam("after"))
        .order_by(columns.id)
        .limit(PAGE)
    )
    after = 0
    while True:
        rows = [_Row(*row) for row in connection.execute(page, {"after": after})]
        if rows:
            yield rows
        if len(rows) < PAGE:
            return
        after = rows[-1].id


def _tags(connection: sa.Connection, ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    columns = subscriber_tag.c
    mine = (
        sa.select(columns.subscriber_id, columns.tag)
        .where(among(connection, columns.subscriber_id, ids))
        .order_by(columns.subscriber_id, columns.tag)
    )
    for id_, tag in connection.execute(mine):
        found.setdefault(id_, []).append(tag)
    return found


def _journals(connection: sa.Connection, ids: Sequence[int]) -> dict[int, list[Line]]:
    found: dict[int, list[Line]] = {}
    columns = journal.c
    mine = (
        sa.select(columns.subscriber_id, *(columns[name] for name in Line._fields))
        .where(among(connection, columns.subscriber_id, ids))
        .order_by(columns.subscriber_id, columns.n)
    )
    for id_, *line in connection.execute(mine):
        found.setdefault(id_, []).append(Line(*line))
    return found


def _listed(tags: Sequence[str]) -> str:
    """Tags in one cell, such that an import takes them apart again."""
    return ",".join(
        '"' + tag.replace('"', '""') + '"' if _SEPARATORS.intersection(tag) else tag for tag in tags
    )
