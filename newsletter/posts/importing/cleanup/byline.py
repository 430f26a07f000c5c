"""Parse bylines: author and date in a line under the title."""

import datetime
import re
from typing import NamedTuple

_MAX_LENGTH = 150  # characters
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = (
    r"(?P<month{n}>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?\.?"
)
_DATE = re.compile(
    rf"\b(?:{_MONTH.format(n=1)} (?P<day1>\d{{1,2}})(?:[a-z]{{2}})?,? (?P<year1>\d{{4}})"
    rf"|(?P<day2>\d{{1,2}})(?:[a-z]{{2}}|\.)? {_MONTH.format(n=2)},? (?P<year2>\d{{4}})"
    r"|(?P<iso>\d{4}-\d{2}-\d{2})(?:T[\d:.Z+-]+)?)\b",
    re.IGNORECASE,
)
_NAME = r"[^\W\d_a-z][\w.'\u2019-]*"
_AUTHOR = re.compile(
    rf"\b[Bb][Yy]:? (?P<author>{_NAME}(?: (?:(?:de|van|von|der|di|la) )*{_NAME}){{0,3}})"
)
# Text that may surround author and date, without spaces.
_FILLER = re.compile(
    r"(?:posted|published|written|updated|on|at|in|\d{1,2}:\d{2}(?:[ap]m)?"
    r"|\d+min(?:ute)?s?(?:read)?|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|[|,;:.·•/–—-])+",  # noqa: RUF001 - dashes separate the parts of a byline
    re.IGNORECASE,
)


class Byline(NamedTuple):
    """Author and date of a byline; empty or ``None`` if missing."""

    author: str
    date: datetime.date | None


def parse_byline(text: str) -> Byline | None:
    """Parse a line like ``By Ada Berg | 3 March 2024``; return ``None`` for any other line."""
    if len(text) > _MAX_LENGTH:
        return None
    date_match = _DATE.search(text)
    date = _parse_date(date_match) if date_match else None
    rest = (
        f"{text[: date_match.start()]} {text[date_match.end() :]}" if date_match and date else text
    )
    author_match = _AUTHOR.search(rest)
    if author_match:
        rest = f"{rest[: author_match.start()]} {rest[author_match.end() :]}"
    if not (author_match or date) or not _FILLER.fullmatch("".join(rest.split()) or "|"):
        return None
    return Byline(author_match["author"] if author_match else "", date)


def _parse_date(found: re.Match[str]) -> datetime.date | None:
    try:
        if found["iso"]:
            return datetime.date.fromisoformat(found["iso"])
        group_number = 1 if found["month1"] else 2
        month = _MONTHS.index(found[f"month{group_number}"].lower()) + 1
        return datetime.date(
            int(found[f"year{group_number}"]), month, int(found[f"day{group_number}"])
        )
    except ValueError:
        return None
