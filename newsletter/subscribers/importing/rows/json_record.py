"""One subscriber as an object of our JSON lines, in both directions. Pure.

The first line is ``{"newsletter": 1, "attributes": {NAME: TYPE}}``; every other is a subscriber.
"""

import datetime
from collections.abc import Mapping
from typing import Any, get_args

import orjson

from newsletter.db.schema import CHANGES, HOWS, STATUSES
from newsletter.errors import Location, SubscriberListError
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.attribute_types import Type, Value, read_time
from newsletter.subscribers.consent.journal import Line, changes
from newsletter.subscribers.consent.transitions import status_of
from newsletter.subscribers.importing.files.csv_reader import Row
from newsletter.subscribers.importing.rows.column_mapping import REFUSED_BECAUSE, REFUSED_ROW
from newsletter.subscribers.importing.rows.row_parser import (
    Entry,
    clean_count,
    clean_name,
    clean_tags,
    clean_text,
    clean_token,
)

VERSION = 1
FIELDS = (
    "email", "name", "status", "tags", "joined_at", "confirmed_at", "source", "soft_bounces",
    "token", "paused_until", "attributes", "journal",
)  # fmt: skip
_KNOWN = frozenset({*FIELDS, REFUSED_ROW, REFUSED_BECAUSE})


def head(types: Mapping[str, Type]) -> bytes:
    """The first line of a file."""
    return orjson.dumps({"newsletter": VERSION, "attributes": dict(types)}) + b"\n"


def read_head(line: str, where: Location) -> dict[str, Type]:
    """The types of the attributes, from the first line.

    Args:
        line: the line.
        where: its place, for messages.

    Raises:
        ListError: it is no such line, or a newer program's.
    """
    data = _object(line) if line.rstrip().endswith("}") else {}
    types = data.get("attributes")
    if data.get("newsletter") != VERSION or not isinstance(types, dict):
        raise SubscriberListError(
            "these JSON lines are no export of ours, or a newer newsletter's",
            where=where,
            remedy='The first line must be like {"newsletter": 1, "attributes": {"age": "number"}}',
        )
    strange = next((kind for kind in types.values() if kind not in get_args(Type)), None)
    if strange is not None:
        raise SubscriberListError(f"'{strange}' is no type of an attribute", where=where)
    return types


def read_record(row: Row) -> Entry:
    """One line as an entry.

    Args:
        row: its only cell is the line.

    Raises:
        ListError: the line is no subscriber, or has what must not get into a mail.
    """
    if row.problem:
        raise SubscriberListError(row.problem)
    data = _object(row.cells[0])
    strange = next((name for name in data if name not in _KNOWN), None)
    if strange is not None:
        raise SubscriberListError(f"'{strange[:60]}' is nothing that a subscriber has")
    address, key = parse_address(_text(data, "email"))
    status = _text(data, "status") or "active"
    if status not in STATUSES:
        raise SubscriberListError(f"'{status[:60]}' is no status that is known")
    tags = data.get("tags", [])
    if not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise SubscriberListError("'tags' is no list of texts")
    token = _text(data, "token")
    return Entry(
        line=row.line,
        key=key,
        address=address,
        name=clean_name(_text(data, "name")),
        status=status,
        attributes=_attributes(data.get("attributes", {})),
        tags=clean_tags(tags),
        joined_at=_time(data, "joined_at"),
        confirmed_at=_time(data, "confirmed_at"),
        source=clean_text(_text(data, "source"), "source"),
        token=clean_token(token) if token else "",
        soft_bounces=clean_count(str(data.get("soft_bounces", 0))),
        paused_until=_time(data, "paused_until"),
        journal=_journal(data.get("journal", []), status),
    )


def _object(line: str) -> dict[str, Any]:
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise SubscriberListError(f"this is no JSON: {error}") from None
    if not isinstance(data, dict):
        raise SubscriberListError("this is no JSON object")
    return data


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if value is not None and not isinstance(value, str):
        raise SubscriberListError(f"'{name}' is no text")
    return value or ""


def _time(data: Mapping[str, Any], name: str) -> datetime.datetime | None:
    text = _text(data, name)
    return read_time(text) if text else None


def _attributes(data: Any) -> dict[str, Value]:
    if not isinstance(data, dict):
        raise SubscriberListError("'attributes' is no JSON object")
    found: dict[str, Value] = {}
    for name, value in data.items():
        if not name.isidentifier() or not isinstance(value, str | int | float):
            raise SubscriberListError(
                f"'{name[:60]}' is no attribute with a text, a number or a truth"
            )
        found[name] = clean_text(value, name) if isinstance(value, str) else value
    return found


def _journal(data: Any, status: str) -> tuple[Line, ...]:
    if not (isinstance(data, list) and all(isinstance(line, dict) for line in data)):
        raise SubscriberListError("'journal' is no list of changes")
    lines = tuple(_line(each) for each in data)
    try:
        adds_up = not lines or status_of(changes(lines)) == status
    except ValueError:
        adds_up = False
    if not adds_up:
        raise SubscriberListError(f"the journal does not add up to '{status}'")
    return lines


def _line(data: Mapping[str, Any]) -> Line:
    line = Line(
        at=read_time(_text(data, "at")),
        **{name: clean_text(_text(data, name), name) for name in Line._fields[1:]},
    )
    if line.change not in CHANGES or line.status not in STATUSES or line.how not in HOWS:
        raise SubscriberListError("the journal has a change that is not known")
    return line
