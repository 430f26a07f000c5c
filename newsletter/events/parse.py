"""Parse one event of SendGrid. Pure."""

import datetime
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

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
    event_type = get("event")
    if not isinstance(event_type, str) or not 0 < len(event_type.encode()) <= MAX_TYPE_LENGTH:
        raise ValueError("it has no event type, or one that is too long")
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
