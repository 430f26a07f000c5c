"""SendGrid's events: bytes -> what each of them says. Pure."""

import datetime
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import orjson

from newsletter.errors import Location, Problem, SubscriberListError

MAX_PROBLEMS = 20
MAX_ID = 2**63 - 1
_MAX_ID_DIGITS = len(str(MAX_ID))
MAX_ATTEMPT_NUMBER = 2**31 - 1
# All three are in indexes, whose entries PostgreSQL keeps below 2,700 bytes.
MAX_EVENT_ID_LENGTH = 1_000
MAX_TYPE_LENGTH = 100
MAX_ADDRESS_LENGTH = 320
_ESCAPED_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of SendGrid's webhook, or of an export of those.

    Attributes:
        id: ``sg_event_id``.
        type: ``processed``, ``delivered``, ``bounce``, …
        at: when it happened.
        address: whose mail it is about, as SendGrid has it; ``""`` if it is about none.
        send_id: the send's id, from our custom args; ``None`` if it has none of ours.
        batch_id: the batch's.
        attempt_number: the number of the batch's request.
        raw: all of it.
        raw_json: all of it as JSON.
    """

    id: str
    type: str
    at: datetime.datetime
    address: str
    send_id: int | None
    batch_id: int | None
    attempt_number: int | None
    raw: dict[str, Any]
    raw_json: str


class WebhookBody(NamedTuple):
    """What a request of the webhook holds.

    Attributes:
        events: in their order.
        invalid_count: how many entries are no events, and can't be kept.
    """

    events: list[Event]
    invalid_count: int


def parse_webhook_body(body: bytes) -> WebhookBody:
    """The events of one request.

    One odd entry must not keep the others out, as SendGrid would send all of them again and
    again for a day: what is no event is counted, the rest is taken.

    Raises:
        ListError: it is no JSON array.
    """
    try:
        found = _load_json(body)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise SubscriberListError("this is no JSON array of events")
    events, odd = [], 0
    for one in found:
        try:
            events.append(parse_event(one))
        except ValueError:
            odd += 1
    return WebhookBody(events, odd)


def parse_event_lines(lines: Iterable[bytes], path: str) -> Iterator[Event]:
    """The events of a file: JSON objects, or lists of them, one a line; or one list over many.

    Args:
        lines: of the file.
        path: its name, for messages.

    Raises:
        ListError: some lines hold no events; all of them at once, after the last line.
    """
    problems: list[Problem] = []
    for number, line in enumerate(_join_lines(iter(lines)), 1):
        if not line.strip():
            continue
        try:
            found = _load_json(line)
            yield from [parse_event(one) for one in (found if isinstance(found, list) else [found])]
        except ValueError:
            problems.append(
                Problem("this line holds no event of SendGrid's", Location(path, number))
            )
            if len(problems) == MAX_PROBLEMS:
                break
    if problems:
        raise SubscriberListError.from_problems(
            [
                *problems,
                Problem(
                    "nothing of the file was used",
                    remedy="Each line must be a JSON object with event, timestamp and sg_event_id.",
                ),
            ]
        )


def parse_event(entry: object) -> Event:
    """One event as it came.

    Raises:
        ValueError: it has no id, type or time, or can't be stored.
    """
    if not isinstance(entry, dict):
        raise ValueError("an event is a JSON object")  # noqa: TRY004 - all refusals are one kind
    get = entry.get
    address = get("email")
    try:
        return Event(
            id=_require_text(get("sg_event_id"), MAX_EVENT_ID_LENGTH),
            type=_require_text(get("event"), MAX_TYPE_LENGTH),
            at=_to_datetime(int(get("timestamp", ""))),
            address=address
            if isinstance(address, str) and len(address) <= MAX_ADDRESS_LENGTH
            else "",
            send_id=_parse_id(get("nl_send"), MAX_ID),
            batch_id=_parse_id(get("nl_batch"), MAX_ID),
            attempt_number=_parse_id(get("nl_attempt"), MAX_ATTEMPT_NUMBER),
            raw=entry,
            raw_json=orjson.dumps(entry).decode(),
        )
    except (TypeError, OverflowError, OSError) as error:  # orjson's own is a TypeError
        raise ValueError(str(error)) from error


def _join_lines(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The lines; a list that goes on after the first of them as one line."""
    first = next(lines, b"")
    if _strip_bom(first).lstrip().startswith(b"["):
        try:
            _load_json(first)
        except ValueError:
            yield first + b"".join(lines)
            return
    yield from chain((first,), lines)


def _load_json(data: bytes) -> Any:
    """JSON (RFC 8259); what senders get wrong inside of strings is mended.

    Raises:
        ValueError: it is no JSON.
    """
    data = _strip_bom(data)
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        data = _repair_json(data)
        found = orjson.loads(data)
    if b"\\u0000" in data:  # PostgreSQL stores none
        return orjson.loads(_ESCAPED_NUL.sub(rb"\1\\ufffd", data))
    return found


def _repair_json(data: bytes) -> bytes:
    """Bytes that are no UTF-8, half surrogates and bare control characters as question marks."""
    try:
        found = json.loads(data.decode("utf-8", "replace"), strict=False)
    except RecursionError as error:
        raise ValueError("too deep") from error
    return json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")


def _strip_bom(data: bytes) -> bytes:
    return data.removeprefix(b"\xef\xbb\xbf")


def _require_text(value: object, max_bytes: int) -> str:
    if not isinstance(value, str) or not 0 < len(value.encode()) <= max_bytes:
        raise ValueError("not a text, empty or too long")
    return value


@lru_cache(maxsize=10_000)  # the events of a body are of the same seconds
def _to_datetime(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _parse_id(value: object, maximum: int) -> int | None:
    """Our ids are written as text, since custom args are; other people's args are none."""
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    if len(text) > _MAX_ID_DIGITS or not text.isascii() or not text.isdecimal():
        return None
    return number if 0 < (number := int(text)) <= maximum else None
