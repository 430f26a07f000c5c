"""Parse subscribers in our JSON lines; write and parse the header line.

Pure functions. The first line, the header, is ``{"newsletter": 1, "attributes": {NAME: TYPE}}``;
each of the others is a subscriber.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import orjson

from newsletter.config.tracking import TRACKED_ACTIONS, TrackedAction
from newsletter.db.schema import CHANGE_KINDS, CHANGE_METHODS, STATUSES
from newsletter.errors import Location, SubscriberListError
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.attribute_types import AttributeType, AttributeValue, parse_timestamp
from newsletter.subscribers.consent.journal import JournalEntry, to_changes
from newsletter.subscribers.consent.tracking_answers import (
    TrackingAnswers,
    consent_column,
    replay_answers,
)
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
    clean_topics,
)

FORMAT_VERSION = 1
RECORD_FIELDS = (
    "email", "name", "status", "tags", "joined_at", "confirmed_at", "source", "soft_bounces",
    "token", "paused_until", "opens_consent", "clicks_consent", "opted_out", "attributes",
    "journal",
)  # fmt: skip
_KNOWN_FIELDS = frozenset({*RECORD_FIELDS, REJECTED_ROW_COLUMN, REJECTED_REASON_COLUMN})


def format_header(types: Mapping[str, AttributeType]) -> bytes:
    """Return the header line, which declares the types of the attributes."""
    return orjson.dumps({"newsletter": FORMAT_VERSION, "attributes": dict(types)}) + b"\n"


def parse_header(line: str, where: Location) -> dict[str, AttributeType]:
    """Parse the header line; return the types of attributes that it declares.

    Args:
        line: the first line of the file.
        where: its location, for messages.

    Raises:
        SubscriberListError: the line is not such a header, or is of a newer version.
    """
    try:
        data = _parse_object(line) if line.rstrip().endswith("}") else {}
    except SubscriberListError as error:
        raise SubscriberListError(
            error.problems[0].message, where=where, remedy="Export it again."
        ) from None
    types = data.get("attributes")
    if data.get("newsletter") != FORMAT_VERSION or not isinstance(types, dict):
        raise SubscriberListError(
            "this file was not exported by newsletter, or was exported by a newer version of it",
            where=where,
            remedy='The first line must be like {"newsletter": 1, "attributes": {"age": "number"}}',
        )
    invalid = next(
        (type_ for type_ in types.values() if type_ not in get_args(AttributeType)), None
    )
    if invalid is not None:
        raise SubscriberListError(f"'{invalid}' is not an attribute type", where=where)
    odd_name = next((name for name in types if not name.isidentifier()), None)
    if odd_name is not None:
        raise SubscriberListError(f"'{odd_name[:60]}' is not an attribute's name", where=where)
    return types


def parse_subscriber_record(row: FileRow) -> ParsedSubscriber:
    """Parse one line into a subscriber.

    Args:
        row: a row whose only cell is the line.

    Raises:
        SubscriberListError: the line is not a subscriber, or contains characters that must not get
            into an email.
    """
    if row.problem:
        raise SubscriberListError(row.problem)
    data = _parse_object(row.cells[0])
    unknown = next((name for name in data if name not in _KNOWN_FIELDS), None)
    if unknown is not None:
        raise SubscriberListError(f"'{unknown[:60]}' is not a known field")
    address, key = parse_address(_get_text(data, "email"))
    status = _get_text(data, "status") or "active"
    if status not in STATUSES:
        raise SubscriberListError(f"'{status[:60]}' is not a known status")
    token = _get_text(data, "token")
    journal = _parse_journal(data.get("journal", []), status)
    answers = _parse_answers(data, journal)
    return ParsedSubscriber(
        line=row.line,
        key=key,
        address=address,
        name=clean_name(_get_text(data, "name")),
        status=status,
        attributes=_parse_attributes(data.get("attributes", {})),
        tags=clean_tags(_get_texts(data, "tags")),
        joined_at=_get_time(data, "joined_at"),
        confirmed_at=_get_time(data, "confirmed_at"),
        source=clean_text(_get_text(data, "source"), "source"),
        token=clean_token(token) if token else "",
        soft_bounces=clean_soft_bounces(str(data.get("soft_bounces", 0))),
        paused_until=_get_time(data, "paused_until"),
        journal=journal,
        opens_consent=answers.get("opens"),
        clicks_consent=answers.get("clicks"),
        opted_out=clean_topics(_get_texts(data, "opted_out")),
    )


def _parse_object(line: str) -> dict[str, Any]:
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise SubscriberListError(f"invalid JSON: {error}") from None
    if not isinstance(data, dict):
        raise SubscriberListError("the line is not a JSON object")
    return data


def _get_text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if value is not None and not isinstance(value, str):
        raise SubscriberListError(f"'{name}' must be a string")
    return value or ""


def _get_texts(data: Mapping[str, Any], name: str) -> list[str]:
    values = data.get(name, [])
    if not (isinstance(values, list) and all(isinstance(value, str) for value in values)):
        raise SubscriberListError(f"'{name}' must be a list of strings")
    return values


def _get_time(data: Mapping[str, Any], name: str) -> datetime.datetime | None:
    text = _get_text(data, name)
    return parse_timestamp(text) if text else None


def _parse_attributes(data: Any) -> dict[str, AttributeValue]:
    if not isinstance(data, dict):
        raise SubscriberListError("'attributes' must be a JSON object")
    attributes: dict[str, AttributeValue] = {}
    for name, value in data.items():
        if not name.isidentifier() or not isinstance(value, str | int | float):
            raise SubscriberListError(
                f"'{name[:60]}' is not an attribute with a string, number or boolean value"
            )
        attributes[name] = clean_text(value, name) if isinstance(value, str) else value
    return attributes


def _parse_answers(data: Mapping[str, Any], journal: Sequence[JournalEntry]) -> TrackingAnswers:
    """Return whether opens and clicks may be recorded: what the journal says, if there is one."""
    answers: dict[TrackedAction, bool] = {}
    for action in TRACKED_ACTIONS:
        answer = data.get(consent_column(action))
        if answer is not None and not isinstance(answer, bool):
            raise SubscriberListError(f"'{consent_column(action)}' must be true, false or null")
        if answer is not None:
            answers[action] = answer
    if not journal:
        return answers
    replayed = replay_answers(entry.change for entry in journal)
    for action, answer in answers.items():
        if replayed.get(action) != answer:
            raise SubscriberListError(f"the journal does not match '{consent_column(action)}'")
    return replayed


def _parse_journal(data: Any, status: str) -> tuple[JournalEntry, ...]:
    if not (isinstance(data, list) and all(isinstance(item, dict) for item in data)):
        raise SubscriberListError("'journal' must be a list of JSON objects")
    entries = tuple(_parse_journal_entry(item) for item in data)
    try:
        matches_status = not entries or replay_status(to_changes(entries)) == status
    except ValueError:
        matches_status = False
    if not matches_status:
        raise SubscriberListError(f"the journal does not match the status '{status}'")
    return entries


def _parse_journal_entry(data: Mapping[str, Any]) -> JournalEntry:
    names = ("change", "status", "how", "source", "wording")
    entry = JournalEntry(
        parse_timestamp(_get_text(data, "at")),
        *(clean_text(_get_text(data, name), name) for name in names),
    )
    if (
        entry.change not in CHANGE_KINDS
        or entry.status not in STATUSES
        or entry.method not in CHANGE_METHODS
    ):
        raise SubscriberListError("the journal contains an unknown change, status or method")
    return entry
