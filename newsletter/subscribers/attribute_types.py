"""Attributes have types: how a column's type is found, and how its cells are read. Pure."""

import datetime
import math
import re
from collections.abc import Iterable
from typing import Literal

from newsletter.errors import SubscriberListError

Type = Literal["text", "number", "boolean", "date"]
Value = str | int | float | bool

MOST_TEXT = 10_000
# What looks the same after it was a number: no leading zeros (postcodes), no sign (telephones).
_SAME_NUMBER = re.compile(r"(?:0|-?[1-9]\d{0,14}|-?(?:0|[1-9]\d{0,8})\.\d{0,5}[1-9])", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOST_NUMBER = 1e15
YES = frozenset({"true", "yes", "y", "1", "t"})
NO = frozenset({"false", "no", "n", "0", "f"})
_CALLED = {
    "number": "numbers", "boolean": "true or false", "date": "dates like 2026-11-24",
}  # fmt: skip

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(\.\d{1,9})?)?"  # day, clock, fraction
    r" ?(Z|UTC|GMT|[+-]\d\d:?\d\d)?(?: (?:[A-Z]{2,5}|[+-]\d{2,4}))?",  # zone, its name
    re.ASCII,
)


def type_of(values: Iterable[Value]) -> Type:
    """The type of a new attribute, by its first values: text unless all of them say otherwise.

    Only what would be printed the same is taken for a number or a truth, since posts print it.
    """
    kinds = {_kind(value) for value in values}
    return kinds.pop() if len(kinds) == 1 else "text"


def _kind(value: Value) -> Type:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if value[:1].isdecimal() or value[:1] == "-":
        if _SAME_NUMBER.fullmatch(value):
            return "number"
        return "date" if _is_day(value) else "text"
    return "boolean" if value.casefold() in {"true", "false"} else "text"


def read_value(value: Value, kind: Type, attribute: str) -> Value:
    """``value`` as its attribute's type.

    Raises:
        ListError: it is none of that type.
    """
    if kind == "text":
        return value if isinstance(value, str) else shown(value)
    if kind == "number":
        found: Value | None = _number(value)
    elif kind == "boolean":
        found = _truth(value)
    else:
        found = value if isinstance(value, str) and _is_day(value) else None
    if found is None:
        raise SubscriberListError(
            f"'{attribute}' holds {_CALLED[kind]}; '{shown(value)[:60]}' is none"
        )
    return found


def shown(value: Value) -> str:
    """A value as text, as posts and exports print it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, int) or value.is_integer() else repr(value)


def read_truth(text: str) -> bool | None:
    """Yes or no in the words of spreadsheets and exports; ``None`` if it is neither."""
    word = text.strip().casefold()
    return True if word in YES else False if word in NO else None


def read_time(text: str) -> datetime.datetime:
    """A time as exports write it, ISO 8601 and its likes; without a zone it is UTC.

    Raises:
        ListError: it is no time, or one before or after the calendar.
    """
    try:
        time = datetime.datetime.fromisoformat(_iso(text))
        if time.tzinfo is None:
            time = time.replace(tzinfo=datetime.UTC)
        return time.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise SubscriberListError(
            f"'{text[:60]}' is no date that can be read; write it like 2026-11-24"
        ) from None


def _iso(text: str) -> str:
    """ISO 8601 of what Mailchimp, beehiiv or a Go program writes."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day, clock, fraction, zone = found.groups("")
    return f"{day}T{clock or '00:00'}{fraction[:7]}{'Z' if zone in {'UTC', 'GMT'} else zone}"


def _number(value: Value) -> int | float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value if math.isfinite(value) and abs(value) < _MOST_NUMBER else None
    if not _NUMBER.fullmatch(value):
        return None
    return float(value) if "." in value else int(value)


def _truth(value: Value) -> bool | None:
    if isinstance(value, bool):
        return value
    return read_truth(value) if isinstance(value, str) else None


def _is_day(text: str) -> bool:
    if not _DAY.fullmatch(text):
        return False
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True
