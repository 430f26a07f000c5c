"""Parse a date as people and spreadsheets write it, if it is clear.

Pure functions. ``01.05.2024`` may be in January or in May; another date in the same column, such
as ``31.05.2024``, proves the order.
"""

import datetime
import re
from collections.abc import Iterable
from typing import Literal
from unicodedata import combining, normalize

from newsletter.errors import SubscriberListError
from newsletter.subscribers.attribute_types import parse_timestamp

DateOrder = Literal["day first", "month first"]

_MONTH_NAMES = (
    "jan january januar enero ene janvier janv gennaio gen januari",
    "feb february februar febrero fevrier fevr febbraio februari",
    "mar march marz maerz marzo mars maart mrt",
    "apr april abril abr avril avr aprile",
    "may mai mayo maggio mag mei",
    "jun june juni junio juin giugno giu",
    "jul july juli julio juillet juil luglio lug",
    "aug august agosto ago aout augustus",
    "sep sept september septiembre septembre settembre set",
    "oct october oktober okt octubre octobre ottobre ott",
    "nov november noviembre novembre",
    "dec december dezember dez diciembre dic decembre dicembre desember des",
)
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, 1) for name in names.split()}
_TIME = (
    r"(?:,? (?:at )?(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?(?:[.,]\d{1,9})?"
    r"(?: ?(?P<half>[ap])\.?m\.?)?)?(?P<zone> ?(?:z|utc|gmt|[+-]\d\d:?\d\d))?"
)
_WEEKDAY = r"(?:[^\W\d_]{2,10}\.?,? )?"
_MONTH_NAME = r"(?P<month>[^\W\d_]{3,10})\.?"
_NAMED = tuple(
    re.compile(pattern + _TIME, re.ASCII)
    for pattern in (
        _WEEKDAY
        + r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|\.)?[ -](?:de |of )?"
        + _MONTH_NAME
        + r",?[ -](?:de |del )?(?P<year>\d{4})",
        _WEEKDAY + _MONTH_NAME + r" (?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>\d{4})",
    )
)
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})(?P<separator>[/.])(?P<month>\d{1,2})(?P=separator)(?P<day>\d{1,2})" + _TIME,
    re.ASCII,
)
_YEAR_LAST = re.compile(
    r"(?P<first>\d{1,2})(?P<separator>[/.-])(?P<second_part>\d{1,2})(?P=separator)(?P<year>\d{4})"
    + _TIME,
    re.ASCII,
)
_MAX_MONTH = 12


def parse_date_cell(text: str, order: DateOrder | None = None) -> datetime.datetime:
    """Parse a date, with or without a time; without a time zone it is UTC.

    Args:
        text: the date: ISO 8601 or similar, with the name of a month, or in numbers.
        order: the order of day and month in numbers, if the column proves it.

    Raises:
        SubscriberListError: ``text`` is not a date, or day and month could be swapped.
    """
    text = text.strip()
    try:
        return parse_timestamp(text)
    except SubscriberListError:
        folded = _fold(text)
        found = _parse_parts(folded, order)
        if found is None and order is None and has_two_meanings(text):
            raise SubscriberListError(
                f"'{text[:60]}' could be two dates, as day and month can be swapped; "
                "write it like 2026-11-24"
            ) from None
        if found is None:
            raise
        return found


def detect_date_order(texts: Iterable[str]) -> DateOrder | None:
    """Return the order of day and month that the dates of a column prove; ``None`` if they don't.

    Dates that prove different orders prove nothing about the others.
    """
    orders: set[DateOrder] = set()
    for text in texts:
        found = _YEAR_LAST.fullmatch(_fold(text.strip()))
        if found and max(int(found["first"]), int(found["second_part"])) > _MAX_MONTH:
            orders.add("day first" if int(found["first"]) > _MAX_MONTH else "month first")
            if len(orders) > 1:
                return None
    return orders.pop() if orders else None


def has_two_meanings(text: str) -> bool:
    """Return whether day and month of a date in numbers can be swapped."""
    found = _YEAR_LAST.fullmatch(_fold(text.strip()))
    return found is not None and _numeric_order(found) is None


def _parse_parts(text: str, order: DateOrder | None) -> datetime.datetime | None:
    for pattern in _NAMED:
        found = pattern.fullmatch(text)
        if found and found["month"] in _MONTHS:
            return _build_time(found, _MONTHS[found["month"]], int(found["day"]))
    found = _YEAR_FIRST.fullmatch(text)
    if found:
        return _build_time(found, int(found["month"]), int(found["day"]))
    found = _YEAR_LAST.fullmatch(text)
    order = (_numeric_order(found) or order) if found else None
    if found is None or order is None:
        return None
    first, second = int(found["first"]), int(found["second_part"])
    day, month = (first, second) if order == "day first" else (second, first)
    return _build_time(found, month, day)


def _numeric_order(found: re.Match[str]) -> DateOrder | None:
    """Return the order that a date proves by itself, as no month is above 12."""
    first, second = int(found["first"]), int(found["second_part"])
    if first > _MAX_MONTH or first == second:
        return "day first"
    return "month first" if second > _MAX_MONTH else None


def _build_time(found: re.Match[str], month: int, day: int) -> datetime.datetime | None:
    """Return the time of a match; ``None`` if there is no such day or hour."""
    hour, half = int(found["hour"] or 0), found["half"]
    if half and not 1 <= hour <= _MAX_MONTH:
        return None
    hour = hour % 12 + 12 * (half == "p") if half else hour
    iso = (
        f"{found['year']}-{month:02}-{day:02}T{hour:02}:{found['minute'] or '00'}:"
        f"{found['second'] or '00'}{(found['zone'] or '').strip().upper()}"
    )
    try:
        return parse_timestamp(iso)
    except SubscriberListError:
        return None


def _fold(text: str) -> str:
    """Return a text in lower case, without accents and with single spaces."""
    if len(text) > 60:  # noqa: PLR2004 - longer than any date
        return ""
    decomposed = normalize("NFKD", " ".join(text.split()).lower())
    return "".join(char for char in decomposed if not combining(char))
