"""SendGrid's events as they come in a file: text -> which attempt each speaks of. Pure."""

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from newsletter.errors import ListError, Location, Problem

MOST_PROBLEMS = 20
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Event:
    """One event of SendGrid's webhook, or of an export of those.

    Attributes:
        id: ``sg_event_id``.
        type: ``processed``, ``delivered``, ``bounce``, …
        at: when it happened.
        address: whose mail it is about, as SendGrid has it.
        send: the send's id, from our custom args; ``None`` if it has none of ours.
        batch: the batch's.
        attempt: the number of the batch's request.
        raw: all of it.
    """

    id: str
    type: str
    at: datetime.datetime
    address: str
    send: int | None
    batch: int | None
    attempt: int | None
    raw: dict[str, Any]


def read_events(lines: Iterable[bytes], path: str) -> Iterator[Event]:
    """The events of a file: JSON objects, or lists of them, one a line.

    Args:
        lines: of the file.
        path: its name, for messages.

    Raises:
        ListError: some lines hold no events; all of them at once, after the last line.
    """
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield from _events(line)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, OverflowError):
            problems.append(
                Problem("this line holds no event of SendGrid's", Location(path, number))
            )
            if len(problems) == MOST_PROBLEMS:
                break
    if problems:
        raise ListError.of(
            [
                *problems,
                Problem(
                    "nothing of the file was used",
                    remedy="Each line must be a JSON object with event, timestamp and sg_event_id.",
                ),
            ]
        )


def _events(line: bytes) -> list[Event]:
    if b"\\u0000" in line:  # PostgreSQL stores none
        raise ValueError(line)
    found = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
    return [_event(one) for one in (found if isinstance(found, list) else [found])]


def _event(found: Any) -> Event:
    return Event(
        id=_text(found["sg_event_id"]),
        type=_text(found["event"]),
        at=datetime.datetime.fromtimestamp(int(found["timestamp"]), datetime.UTC),
        address=str(found.get("email") or ""),
        send=_number(found.get("nl_send")),
        batch=_number(found.get("nl_batch")),
        attempt=_number(found.get("nl_attempt")),
        raw=found,
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(value)
    return value


def _number(value: object) -> int | None:
    """Our ids are written as text, since custom args are; other people's args are none."""
    text = str(value)
    if not text.isascii() or not text.isdecimal() or not 0 < (number := int(text)) <= LARGEST_ID:
        return None
    return number
