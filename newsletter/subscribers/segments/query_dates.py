"""Read the dates of queries: ``2026-01-31``, ``today``, ``30 days ago``."""

import datetime
import re
from calendar import monthrange
from contextlib import suppress

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_RELATIVE_DATE = re.compile(r"(\d{1,5})\s+(day|week|month|year)s?\s+ago", re.IGNORECASE)
_MIN_DATE, _MAX_DATE = datetime.date(1900, 1, 1), datetime.date(2999, 12, 31)


def parse_query_date(text: str, today: datetime.date) -> datetime.date | None:
    """Return the day that a query names; ``None`` if it is none, or outside of these centuries.

    Args:
        text: ``2026-01-31``, ``today`` or ``30 days ago``.
        today: the current day in the newsletter's time zone.
    """
    if text.lower() == "today":
        return today
    if match := _RELATIVE_DATE.fullmatch(text):
        return _subtract_period(today, int(match[1]), match[2].lower())
    if _ISO_DATE.fullmatch(text):
        with suppress(ValueError):
            day = datetime.date.fromisoformat(text)
            return day if _MIN_DATE <= day <= _MAX_DATE else None
    return None


def _subtract_period(today: datetime.date, count: int, unit: str) -> datetime.date:
    """Return the day that many units before; in a shorter month, at most its last day."""
    if unit in {"day", "week"}:
        days = min(count * (7 if unit == "week" else 1), (today - _MIN_DATE).days)
        return today - datetime.timedelta(days=days)
    months = today.year * 12 + today.month - 1 - count * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    if year < _MIN_DATE.year:
        return _MIN_DATE
    last_day = monthrange(year, month + 1)[1]
    return datetime.date(year, month + 1, min(today.day, last_day))
