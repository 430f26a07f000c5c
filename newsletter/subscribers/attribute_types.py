"""Types of attributes: infer, parse and format values."""

import datetime
import math
import re
from collections.abc import Iterable
from typing import Literal

from newsletter.errors import SubscriberListError

AttributeType = Literal["text", "number", "boolean", "date"]
AttributeValue = str | int | float | bool

MAX_TEXT_LENGTH = 10_000
# What looks the same after it was a number: no leading zeros (postcodes), no sign (telephones).
_CANONICAL_NUMBER = re.compile(
    r"(?:0|-?[1-9]\d{0,14}|-?(?:0|[1-9]\d{0,8})\.\d{0,5}[1-9])", re.ASCII
)
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MAX_NUMBER = 1e15
TRUE_WORDS = frozenset({"true", "yes", "y", "1", "t"})
FALSE_WORDS = frozenset({"false", "no", "n", "0", "f"})
_TYPE_DESCRIPTIONS = {
    "number": "numbers", "boolean": "true or false", "date": "dates like 2026-11-24",
}  # fmt: skip

_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(\.\d{1,9})?)?"  # day, clock, fraction
    r" ?(Z|UTC|GMT|[+-]\d\d:?\d\d)?(?: (?:[A-Z]{2,5}|[+-]\d{2,4}))?",  # zone, its name
    re.ASCII,
)


def infer_type(values: Iterable[AttributeValue]) -> AttributeType:
    """The type of a new attribute, by its first values: text unless all of them say otherwise.

    Only what would be printed the same is taken for a number or a truth, since posts print it.
    """
    kinds = {_infer_value_type(value) for value in values}
    return kinds.pop() if len(kinds) == 1 else "text"


def _infer_value_type(value: AttributeValue) -> AttributeType:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if value[:1].isdecimal() or value[:1] == "-":
        if _CANONICAL_NUMBER.fullmatch(value):
            return "number"
        return "date" if _is_iso_date(value) else "text"
    return "boolean" if value.casefold() in {"true", "false"} else "text"


def coerce_value(
    value: AttributeValue, attribute_type: AttributeType, attribute: str
) -> AttributeValue:
    """``value`` as its attribute's type.

    Raises:
        ListError: it is none of that type.
    """
    if attribute_type == "text":
        return value if isinstance(value, str) else format_value(value)
    if attribute_type == "number":
        found: AttributeValue | None = _to_number(value)
    elif attribute_type == "boolean":
        found = _to_boolean(value)
    else:
        found = value if isinstance(value, str) and _is_iso_date(value) else None
    if found is None:
        raise SubscriberListError(
            f"'{attribute}' holds {_TYPE_DESCRIPTIONS[attribute_type]}; "
            f"'{format_value(value)[:60]}' is none"
        )
    return found


def format_value(value: AttributeValue) -> str:
    """A value as text, as posts and exports print it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, int) or value.is_integer() else repr(value)


def parse_boolean(text: str) -> bool | None:
    """Yes or no in the words of spreadsheets and exports; ``None`` if it is neither."""
    word = text.strip().casefold()
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None


def parse_timestamp(text: str) -> datetime.datetime:
    """A time as exports write it, ISO 8601 and its likes; without a zone it is UTC.

    Raises:
        ListError: it is no time, or one before or after the calendar.
    """
    try:
        time = datetime.datetime.fromisoformat(_to_iso_format(text))
        if time.tzinfo is None:
            time = time.replace(tzinfo=datetime.UTC)
        return time.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise SubscriberListError(
            f"'{text[:60]}' is no date that can be read; write it like 2026-11-24"
        ) from None


def _to_iso_format(text: str) -> str:
    """ISO 8601 of what Mailchimp, beehiiv or a Go program writes."""
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day, clock, fraction, zone = found.groups("")
    return f"{day}T{clock or '00:00'}{fraction[:7]}{'Z' if zone in {'UTC', 'GMT'} else zone}"


def _to_number(value: AttributeValue) -> int | float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value if math.isfinite(value) and abs(value) < _MAX_NUMBER else None
    if not _NUMBER.fullmatch(value):
        return None
    return float(value) if "." in value else int(value)


def _to_boolean(value: AttributeValue) -> bool | None:
    if isinstance(value, bool):
        return value
    return parse_boolean(value) if isinstance(value, str) else None


def _is_iso_date(text: str) -> bool:
    if not _ISO_DATE.fullmatch(text):
        return False
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True
