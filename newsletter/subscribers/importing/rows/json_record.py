"""One subscriber as a JSON record, to and from.

Pure.

The first line is ``{"newsletter": 1, "attributes": {NAME: TYPE}}``; every other is a subscriber.
"""

import datetime
from collections.abc import Mapping
from typing import Any, get_args

import orjson

from newsletter.db.schema import CHANGE_KINDS, CHANGE_METHODS, STATUSES
from newsletter.errors import Location, SubscriberListError
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.attribute_types import AttributeType, AttributeValue, parse_timestamp
from newsletter.subscribers.consent.journal import JournalEntry, to_changes
from newsletter.subscribers.consent.transitions import replay_status
from newsletter.subscribers.importing.files.csv_reader import FileRow
from newsletter.subscribers.importing.rows.column_mapping import (
    REJECTED_REASON_COLUMN,
    REJECTED_ROW_COLUMN,
)
from newsletter.subscribers.importing.rows.row_parser import (
    ParsedSubscriber,
    clean_name,
    clean_soft_bounces,
    clean_tags,
    clean_text,
    clean_token,
)

FORMAT_VERSION = 1
RECORD_FIELDS = (
    "email", "name", "status", "tags", "joined_at", "confirmed_at", "source", "soft_bounces",
    "token", "paused_until", "attributes", "journal",
)  # fmt: skip
_KNOWN_FIELDS = frozenset({*RECORD_FIELDS, REJECTED_ROW_COLUMN, REJECTED_REASON_COLUMN})


def format_header(types: Mapping[str, AttributeType]) -> bytes:
    """The first line of a file."""
    return orjson.dumps({"newsletter": FORMAT_VERSION, "attributes": dict(types)}) + b"\n"


def parse_header(line: str, where: Location) -> dict[str, AttributeType]:
    """The types of the attributes, from the first line.

    Args:
        line: the line.
        where: its place, for messages.

    Raises:
        ListError: it is no such line, or a newer program's.
    """
    data = _parse_object(line) if line.rstrip().endswith("}") else {}
    types = data.get("attributes")
    if data.get("newsletter") != FORMAT_VERSION or not isinstance(types, dict):
        raise SubscriberListError(
            "these JSON lines are no export of ours, or a newer newsletter's",
            where=where,
            remedy='The first line must be like {"newsletter": 1, "attributes": {"age": "number"}}',
        )
    strange = next((kind for kind in types.values() if kind not in get_args(AttributeType)), None)
    if strange is not None:
        raise SubscriberListError(f"'{strange}' is no type of an attribute", where=where)
    return types


def parse_subscriber_record(row: FileRow) -> ParsedSubscriber:
    """One line as an entry.

    Args:
        row: its only cell is the line.

    Raises:
        ListError: the line is no subscriber, or has what must not get into a mail.
    """
    if row.problem:
        raise SubscriberListError(row.problem)
    data = _parse_object(row.cells[0])
    strange = next((name for name in data if name not in _KNOWN_FIELDS), None)
    if strange is not None:
        raise SubscriberListError(f"'{strange[:60]}' is nothing that a subscriber has")
    address, key = parse_address(_get_text(data, "email"))
    status = _get_text(data, "status") or "active"
    if status not in STATUSES:
        raise SubscriberListError(f"'{status[:60]}' is no status that is known")
    tags = data.get("tags", [])
    if not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise SubscriberListError("'tags' is no list of texts")
    token = _get_text(data, "token")
    return ParsedSubscriber(
        line=row.line,
        key=key,
        address=address,
        name=clean_name(_get_text(data, "name")),
        status=status,
        attributes=_parse_attributes(data.get("attributes", {})),
        tags=clean_tags(tags),
        joined_at=_get_time(data, "joined_at"),
        confirmed_at=_get_time(data, "confirmed_at"),
        source=clean_text(_get_text(data, "source"), "source"),
        token=clean_token(token) if token else "",
        soft_bounces=clean_soft_bounces(str(data.get("soft_bounces", 0))),
        paused_until=_get_time(data, "paused_until"),
        journal=_parse_journal(data.get("journal", []), status),
    )


def _parse_object(line: str) -> dict[str, Any]:
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise SubscriberListError(f"this is no JSON: {error}") from None
    if not isinstance(data, dict):
        raise SubscriberListError("this is no JSON object")
    return data


def _get_text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if value is not None and not isinstance(value, str):
        raise SubscriberListError(f"'{name}' is no text")
    return value or ""


def _get_time(data: Mapping[str, Any], name: str) -> datetime.datetime | None:
    text = _get_text(data, name)
    return parse_timestamp(text) if text else None


def _parse_attributes(data: Any) -> dict[str, AttributeValue]:
    if not isinstance(data, dict):
        raise SubscriberListError("'attributes' is no JSON object")
    found: dict[str, AttributeValue] = {}
    for name, value in data.items():
        if not name.isidentifier() or not isinstance(value, str | int | float):
            raise SubscriberListError(
                f"'{name[:60]}' is no attribute with a text, a number or a truth"
            )
        found[name] = clean_text(value, name) if isinstance(value, str) else value
    return found


def _parse_journal(data: Any, status: str) -> tuple[JournalEntry, ...]:
    if not (isinstance(data, list) and all(isinstance(line, dict) for line in data)):
        raise SubscriberListError("'journal' is no list of changes")
    lines = tuple(_parse_journal_entry(each) for each in data)
    try:
        adds_up = not lines or replay_status(to_changes(lines)) == status
    except ValueError:
        adds_up = False
    if not adds_up:
        raise SubscriberListError(f"the journal does not add up to '{status}'")
    return lines


def _parse_journal_entry(data: Mapping[str, Any]) -> JournalEntry:
    names = ("change", "status", "how", "source", "wording")
    line = JournalEntry(
        parse_timestamp(_get_text(data, "at")),
        *(clean_text(_get_text(data, name), name) for name in names),
    )
    if (
        line.change not in CHANGE_KINDS
        or line.status not in STATUSES
        or line.method not in CHANGE_METHODS
    ):
        raise SubscriberListError("the journal has a change that is not known")
    return line
