"""Types of attributes: infer a column's type, convert its values.

Pure functions. An attribute is a number, a boolean, a date or text.
"""

import datetime
import math
import re
from collections.abc import Iterable
from typing import Literal

from newsletter.errors import SubscriberListError

AttributeType = Literal["text", "number", "boolean", "date"]
AttributeValue = str | int | float | bool

MAX_TEXT_LENGTH = 10_000  # characters, of one value
# Text that survives a round trip through a number: no leading zeros (postal codes), no plus sign
# (telephone numbers).
_CANONICAL_NUMBER = re.compile(
    r"(?:0|-?[1-9]\d{0,14}|-?(?:0|[1-9]\d{0,8})\.\d{0,5}[1-9])", re.ASCII
)
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MAX_NUMBER = 1e15
TRUE_WORDS = frozenset({"true", "yes", "y", "1", "t"})
FALSE_WORDS = frozenset({"false", "no", "n", "0", "f"})
_TYPE_DESCRIPTIONS = {
    "number": "a number",
    "boolean": "true or false",
    "date": "a date like 2026-11-24",
}
_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(\.\d{1,9})?)?"  # day, time, fraction
    r" ?(Z|UTC|GMT|[+-]\d\d:?\d\d)?(?: (?:[A-Z]{2,5}|[+-]\d{2,4}))?",  # offset, name of the zone
    re.ASCII,
)


def infer_type(values: Iterable[AttributeValue]) -> AttributeType:
    """Return the type of a new attribute from its first values: text unless all have another type.

    A value counts as a number or a boolean only if it is formatted the same again, since posts
    print it.
    """
    types = {_infer_value_type(value) for value in values}
    return types.pop() if len(types) == 1 else "text"


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
    """Return ``value`` converted to the type of its attribute.

    Args:
        value: the value.
        attribute_type: the type of the attribute.
        attribute: the name of the attribute, for the error message.

    Raises:
        SubscriberListError: ``value`` can't be converted to that type.
    """
    if attribute_type == "text":
        return value if isinstance(value, str) else format_value(value)
    if attribute_type == "number":
        converted: AttributeValue | None = _to_number(value)
    elif attribute_type == "boolean":
        converted = _to_boolean(value)
    else:
        converted = value if isinstance(value, str) and _is_iso_date(value) else None
    if converted is None:
        raise SubscriberListError(
            f"'{attribute}' must be {_TYPE_DESCRIPTIONS[attribute_type]}, "
            f"not '{format_value(value)[:60]}'"
        )
    return converted


def format_value(value: AttributeValue) -> str:
    """Return a value as text, as posts and exports print it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, int) or value.is_integer() else repr(value)


def parse_boolean(text: str) -> bool | None:
    """Parse a yes or a no as spreadsheets and exports write it; ``None`` if it is neither."""
    folded = text.strip().casefold()
    return True if folded in TRUE_WORDS else False if folded in FALSE_WORDS else None


def parse_timestamp(text: str) -> datetime.datetime:
    """Parse a time as exports write it, in ISO 8601 or similar; without a time zone it is UTC.

    Raises:
        SubscriberListError: ``text`` is not a time, or is outside the years 1 to 9999.
    """
    try:
        parsed = datetime.datetime.fromisoformat(_to_iso_format(text))
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=datetime.UTC)
        return parsed.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise SubscriberListError(
            f"'{text[:60]}' is not a valid date; write it like 2026-11-24"
        ) from None


def _to_iso_format(text: str) -> str:
    """Return in ISO 8601 a timestamp as Mailchimp, beehiiv or a Go program writes it."""
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day, time, fraction, offset = found.groups("")
    return f"{day}T{time or '00:00'}{fraction[:7]}{'Z' if offset in {'UTC', 'GMT'} else offset}"


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
