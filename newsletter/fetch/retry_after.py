"""Read a ``Retry-After`` header, and say it in a sentence. Pure."""

import datetime
import email.utils

from newsletter.wording import format_count

_MAX_DIGITS = 9


def parse_retry_after(value: str, now: datetime.datetime) -> int | None:
    """Return the seconds that a ``Retry-After`` states, in either form (RFC 9110 10.2.3)."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return int(value[:_MAX_DIGITS])
    try:
        date = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=datetime.UTC)
    return max(int((date - now).total_seconds()), 0)


def format_wait(seconds: int) -> str:
    """Format a time to wait, rounded up: ``30 seconds``, ``2 minutes``, ``3 hours``."""
    for unit, noun in ((3_600, "hour"), (60, "minute")):
        if seconds >= unit:
            return format_count(-(-seconds // unit), noun)
    return format_count(seconds, "second")
