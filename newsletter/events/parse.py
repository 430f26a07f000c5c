"""Parse SendGrid's events from webhook bodies and files. Pure."""

import datetime
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import orjson

from newsletter.errors import Location, Problem, SubscriberListError
from newsletter.events.json_array import ArrayElement, split_array
from newsletter.events.unreadable_item import (
    WEBHOOK_SOURCE,
    UnreadableItem,
    make_unreadable_item,
)

MAX_PROBLEMS = 20
MAX_ID = 2**63 - 1
_MAX_ID_DIGITS = len(str(MAX_ID))
MAX_ATTEMPT_NUMBER = 2**31 - 1
# All three are in indexes; PostgreSQL limits an index entry to about 2,700 bytes.
MAX_EVENT_ID_LENGTH = 1_000
MAX_TYPE_LENGTH = 100
MAX_ADDRESS_LENGTH = 320
# They change a subscriber's status: without an address, nobody knows whose.
_TYPES_WITH_ADDRESS = frozenset(
    {"bounce", "dropped", "spamreport", "unsubscribe", "group_unsubscribe"}
)
# SendGrid was founded in 2009; a time of 0, or of a clock that is wrong, is none.
_EARLIEST = datetime.datetime(2009, 1, 1, tzinfo=datetime.UTC)
_LATEST = datetime.datetime.max.replace(tzinfo=datetime.UTC)
_MAX_CLOCK_DIFFERENCE = datetime.timedelta(days=1)
_ESCAPED_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of SendGrid's webhook, or of an export of such events.

    Attributes:
        id: ``sg_event_id``; for an event without one, a hash of the whole event.
        type: ``processed``, ``delivered``, ``bounce``, …
        at: when it happened; for an event without a time, when it was received.
        address: the recipient's address, as SendGrid has it; ``""`` if there is none.
        send_id: the send's id, from our custom args; ``None`` if the event has none of ours.
        batch_id: the batch's id.
        attempt_number: the number of the batch's request.
        is_unique: whether it has an id or a time; of two others with the same content, it is not
            known whether they are the same event.
        raw: the whole event.
        raw_json: the whole event as JSON.
    """

    id: str
    type: str
    at: datetime.datetime
    address: str
    send_id: int | None
    batch_id: int | None
    attempt_number: int | None
    is_unique: bool
    raw: dict[str, Any]
    raw_json: str


class WebhookBody(NamedTuple):
    """The entries of one request to the webhook.

    Attributes:
        events: in their order.
        unreadable: what is not an event.
    """

    events: list[Event]
    unreadable: list[UnreadableItem]


def parse_webhook_body(body: bytes, received_at: datetime.datetime | None = None) -> WebhookBody:
    """Return the entries of one request: a JSON array of events, or a single one.

    Whatever is not an event must not block the others, since SendGrid would send all of them again
    and again for a day.

    Args:
        body: the body of the request.
        received_at: as for ``parse_event``.
    """
    try:
        entries = _load_json(body)
        if isinstance(entries, list):
            return WebhookBody([parse_event(entry, received_at) for entry in entries], [])
    except ValueError:
        pass
    parsed = WebhookBody([], [])
    for element in _split_text(body):
        item = _parse_element(element.text, received_at, WEBHOOK_SOURCE)
        if isinstance(item, Event):
            parsed.events.append(item)
        else:
            parsed.unreadable.append(item)
    return parsed


def iter_file_entries(
    lines: Iterable[bytes], path: str, received_at: datetime.datetime | None = None
) -> Iterator[Event | UnreadableItem]:
    """Yield the entries of a file: events, and what is not an event, with its line.

    Each line is a JSON object or a list of them; or the whole file is one list.

    Args:
        lines: the lines of the file.
        path: its name, for ``UnreadableItem.source``.
        received_at: as for ``parse_event``.
    """
    for number, line in enumerate(_join_lines(iter(lines)), 1):
        passed_lines, passed_bytes = number, 0
        for element in _split_text(line):
            passed_lines += line.count(b"\n", passed_bytes, element.offset)
            passed_bytes = element.offset
            yield _parse_element(element.text, received_at, str(Location(path, passed_lines)))


def parse_event_lines(
    lines: Iterable[bytes], path: str, received_at: datetime.datetime | None = None
) -> Iterator[Event]:
    """Yield the events in a file in which everything must be an event.

    Args:
        lines: as for ``iter_file_entries``; likewise the others.
        path: its name, for messages.
        received_at: as for ``parse_event``.

    Raises:
        SubscriberListError: some lines are invalid; all of them at once, after the last line.
    """
    problems: list[Problem] = []
    for item in iter_file_entries(lines, path, received_at):
        if isinstance(item, Event):
            yield item
            continue
        problems.append(unreadable_problem(item))
        if len(problems) == MAX_PROBLEMS:
            break
    if problems:
        raise nothing_imported_error(problems)


def unreadable_problem(item: UnreadableItem) -> Problem:
    """Return the problem of a line of a file that is not an event."""
    path, _, line = item.source.rpartition(":")
    return Problem(f"this line is not a SendGrid event: {item.reason}", Location(path, int(line)))


def nothing_imported_error(problems: list[Problem]) -> SubscriberListError:
    """Return the error for a file that is rejected as a whole."""
    remedy = "Each line must be a JSON object with event and timestamp."
    first, *others = (*problems, Problem("nothing was imported from the file", remedy=remedy))
    return SubscriberListError(
        first.message, where=first.where, remedy=first.remedy, other_problems=tuple(others)
    )


def parse_event(entry: object, received_at: datetime.datetime | None = None) -> Event:
    """Return one event.

    SendGrid's events have an id and a time. Users report unsubscribes without an id, and nobody
    who has unsubscribed may be lost for that: such an event gets a hash of its content as its id,
    which makes it the same event if it is received again.

    Args:
        entry: the decoded JSON.
        received_at: aware; the time of an event that has none, or one that can't be right.
            ``None`` rejects such an event.

    Raises:
        ValueError: it has no type, time or address, or can't be stored. The message holds no part
            of it.
    """
    if not isinstance(entry, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - callers catch one type
    get = entry.get
    address = get("email")
    if not (isinstance(address, str) and len(address) <= MAX_ADDRESS_LENGTH):
        address = ""
    event_type = _require_text(get("event"), MAX_TYPE_LENGTH)
    if event_type in _TYPES_WITH_ADDRESS and not address:
        raise ValueError("it has no email address")
    latest = received_at + _MAX_CLOCK_DIFFERENCE if received_at else _LATEST
    happened_at = _parse_time(get("timestamp"), latest)
    at = happened_at or received_at
    if at is None:
        raise ValueError("its timestamp is not a time in seconds")
    try:
        return Event(
            id=_parse_event_id(entry),
            type=event_type,
            at=at,
            address=address,
            send_id=_parse_id(get("nl_send"), MAX_ID),
            batch_id=_parse_id(get("nl_batch"), MAX_ID),
            attempt_number=_parse_id(get("nl_attempt"), MAX_ATTEMPT_NUMBER),
            is_unique=happened_at is not None or _has_event_id(entry),
            raw=entry,
            raw_json=orjson.dumps(entry).decode(),
        )
    except (TypeError, OverflowError, OSError) as error:  # orjson raises a TypeError
        raise ValueError(f"it can't be stored: {error}") from error


def _split_text(data: bytes) -> list[ArrayElement]:
    """Return the elements of an array; any other text is one element."""
    data = _strip_bom(data)
    split = split_array(data)
    if split and split.elements:
        return split.elements
    is_empty = b"".join(data.split()) in {b"", b"[]"}
    return [] if is_empty else [ArrayElement(0, data.strip())]


def _parse_element(
    text: bytes, received_at: datetime.datetime | None, source: str
) -> Event | UnreadableItem:
    try:
        entry = _load_json(text)
    except ValueError:
        return make_unreadable_item(text, "it is not valid JSON", source)
    try:
        return parse_event(entry, received_at)
    except ValueError as error:
        return make_unreadable_item(text, str(error), source)


def _join_lines(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines, or the whole file as one line if it is a list over several lines."""
    first = next(lines, b"")
    split = split_array(_strip_bom(first))
    if split and not split.is_closed:
        rest = list(lines)
        whole = first + b"".join(rest)
        joined = split_array(_strip_bom(whole))
        lines = iter(rest)
        if joined and joined.is_closed:
            yield whole
            return
    yield from chain((first,), lines)


def _load_json(data: bytes) -> Any:
    """Return parsed JSON (RFC 8259), repairing invalid characters inside strings.

    Raises:
        ValueError: it is not JSON.
    """
    data = _strip_bom(data)
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError:
        data = _repair_json(data)
        parsed = orjson.loads(data)
    if b"\\u0000" in data:  # PostgreSQL can't store NUL in text
        return orjson.loads(_ESCAPED_NUL.sub(rb"\1\\ufffd", data))
    return parsed


def _repair_json(data: bytes) -> bytes:
    """Replace invalid UTF-8 and lone surrogates, and escape bare control characters."""
    try:
        parsed = json.loads(data.decode("utf-8", "replace"), strict=False)
        return json.dumps(parsed, ensure_ascii=False).encode("utf-8", "replace")
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _strip_bom(data: bytes) -> bytes:
    return data.removeprefix(b"\xef\xbb\xbf")


def _require_text(value: object, max_bytes: int) -> str:
    if not isinstance(value, str) or not 0 < len(value.encode()) <= max_bytes:
        raise ValueError("it has no event type, or one that is too long")
    return value


def _parse_event_id(entry: dict[str, Any]) -> str:
    if _has_event_id(entry):
        return str(entry["sg_event_id"])
    content = orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _has_event_id(entry: dict[str, Any]) -> bool:
    value = entry.get("sg_event_id")
    return isinstance(value, str) and 0 < len(value.encode()) <= MAX_EVENT_ID_LENGTH


def _parse_time(value: Any, latest: datetime.datetime) -> datetime.datetime | None:
    """Return a time in seconds since 1970; ``None`` if no event can have happened then."""
    if value is None or isinstance(value, bool):
        return None
    try:
        at = _to_datetime(int(value))
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return at if _EARLIEST <= at <= latest else None


@lru_cache(maxsize=10_000)  # the events of one body have few different times
def _to_datetime(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _parse_id(value: object, maximum: int) -> int | None:
    """Return an id from our custom args, which are strings, or ``None`` if it is not ours."""
    if not isinstance(value, (str, int)):
        return None
    text = str(value)
    if len(text) > _MAX_ID_DIGITS or not text.isascii() or not text.isdecimal():
        return None
    return number if 0 < (number := int(text)) <= maximum else None
