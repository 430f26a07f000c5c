"""Read SendGrid's events from webhook bodies and files. Pure."""

import datetime
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple

import orjson

from newsletter.errors import Location, Problem, SubscriberListError
from newsletter.events.json_array import ArrayElement, split_array
from newsletter.events.parse import Event, parse_event
from newsletter.events.unreadable_item import (
    WEBHOOK_SOURCE,
    UnreadableItem,
    make_unreadable_item,
)

MAX_PROBLEMS = 20
_ESCAPED_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


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
