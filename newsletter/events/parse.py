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

MOST_PROBLEMS = 20
LARGEST_ID = 2**63 - 1
_DIGITS = len(str(LARGEST_ID))
LARGEST_ATTEMPT = 2**31 - 1
# All three are in indexes, whose entries PostgreSQL keeps below 2,700 bytes.
LONGEST_ID = 1_000
LONGEST_TYPE = 100
LONGEST_ADDRESS = 320
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of SendGrid's webhook, or of an export of those.

    Attributes:
        id: ``sg_event_id``.
        type: ``processed``, ``delivered``, ``bounce``, …
        at: when it happened.
        address: whose mail it is about, as SendGrid has it; ``""`` if it is about none.
        send: the send's id, from our custom args; ``None`` if it has none of ours.
        batch: the batch's.
        attempt: the number of the batch's request.
        raw: all of it.
        text: all of it as JSON.
    """

    id: str
    type: str
    at: datetime.datetime
    address: str
    send: int | None
    batch: int | None
    attempt: int | None
    raw: dict[str, Any]
    text: str


class Body(NamedTuple):
    """What a request of the webhook holds.

    Attributes:
        events: in their order.
        odd: how many entries are no events, and can't be kept.
    """

    events: list[Event]
    odd: int


def read_body(body: bytes) -> Body:
    """The events of one request.

    One odd entry must not keep the others out, as SendGrid would send all of them again and
    again for a day: what is no event is counted, the rest is taken.

    Raises:
        ListError: it is no JSON array.
    """
    try:
        found = _loads(body)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise SubscriberListError("this is no JSON array of events")
    events, odd = [], 0
    for one in found:
        try:
            events.append(as_event(one))
        except ValueError:
            odd += 1
    return Body(events, odd)


def read_events(lines: Iterable[bytes], path: str) -> Iterator[Event]:
    """The events of a file: JSON objects, or lists of them, one a line; or one list over many.

    Args:
        lines: of the file.
        path: its name, for messages.

    Raises:
        ListError: some lines hold no events; all of them at once, after the last line.
    """
    problems: list[Problem] = []
    for number, line in enumerate(_joined(iter(lines)), 1):
        if not line.strip():
            continue
        try:
            found = _loads(line)
            yield from [as_event(one) for one in (found if isinstance(found, list) else [found])]
        except ValueError:
            problems.append(
                Problem("this line holds no event of SendGrid's", Location(path, number))
            )
            if len(problems) == MOST_PROBLEMS:
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


def as_event(found: object) -> Event:
    """One event as it came.

    Raises:
        ValueError: it has no id, type or time, or can't be stored.
    """
    if not isinstance(found, dict):
        raise ValueError("an event is a JSON object")  # noqa: TRY004 - all refusals are one kind
    get = found.get
    address = get("email")
    try:
        return Event(
            id=_text(get("sg_event_id"), LONGEST_ID),
            type=_text(get("event"), LONGEST_TYPE),
            at=_time(int(get("timestamp", ""))),
            address=address if isinstance(address, str) and len(address) <= LONGEST_ADDRESS else "",
            send=_number(get("nl_send"), LARGEST_ID),
            batch=_number(get("nl_batch"), LARGEST_ID),
            attempt=_number(get("nl_attempt"), LARGEST_ATTEMPT),
            raw=found,
            text=orjson.dumps(found).decode(),
        )
    except (TypeError, OverflowError, OSError) as error:  # orjson's own is a TypeError
        raise ValueError(str(error)) from error


def _joined(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The lines; a list that goes on after the first of them as one line."""
    first = next(lines, b"")
    if _unmarked(first).lstrip().startswith(b"["):
        try:
            _loads(first)
        except ValueError:
            yield first + b"".join(lines)
            return
    yield from chain((first,), lines)


def _loads(data: bytes) -> Any:
    """JSON (RFC 8259); what senders get wrong inside of strings is mended.

    Raises:
        ValueError: it is no JSON.
    """
    data = _unmarked(data)
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        data = _mended(data)
        found = orjson.loads(data)
    if b"\\u0000" in data:  # PostgreSQL stores none
        return orjson.loads(_NUL.sub(rb"\1\\ufffd", data))
    return found


def _mended(data: bytes) -> bytes:
    """Bytes that are no UTF-8, half surrogates and bare control characters as question marks."""
    try:
        found = json.loads(data.decode("utf-8", "replace"), strict=False)
    except RecursionError as error:
        raise ValueError("too deep") from error
    return json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")


def _unmarked(data: bytes) -> bytes:
    return data.removeprefix(b"\xef\xbb\xbf")


def _text(value: object, longest: int) -> str:
    if not isinstance(value, str) or not 0 < len(value.encode()) <= longest:
        raise ValueError("not a text, empty or too long")
    return value


@lru_cache(maxsize=10_000)  # the events of a body are of the same seconds
def _time(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _number(value: object, largest: int) -> int | None:
    """Our ids are written as text, since custom args are; other people's args are none."""
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    if len(text) > _DIGITS or not text.isascii() or not text.isdecimal():
        return None
    return number if 0 < (number := int(text)) <= largest else None
