"""Read the dates of other tools: numbers, words, zones, Unix time."""

import datetime
import re

_MONTH_NAMES = """
jan january januar janvier janv enero ene gennaio gen janeiro januari
feb february februar février fevrier févr fevr febrero febbraio fevereiro fev februari
mar march märz maerz mrz mars marzo março marco maart mrt
apr april avril avr abril abr aprile
may mai mayo mag maggio maio mei maj
jun june juni juin junio giugno giu junho
jul july juli juillet juil julio luglio lug julho
aug august août aout agosto ago augustus augusti
sep sept september septembre septiembre settembre set setembro
oct october okt oktober octobre octubre ottobre ott outubro out
nov november novembre noviembre novembro
dec december dez dezember décembre decembre déc diciembre dic dicembre dezembro des desember
""".strip().split("\n")
_MONTHS = {name: month for month, names in enumerate(_MONTH_NAMES, 1) for name in names.split()}
_FILLERS = frozenset(
    """
    mon monday tue tues tuesday wed wednesday thu thurs thursday fri friday sat saturday
    sun sunday montag dienstag mittwoch donnerstag freitag samstag sonntag mo di mi do fr sa so
    lundi mardi mercredi jeudi vendredi samedi dimanche at on the of um uhr à le de del den den
    """.split()
)
# Hours from UTC. Abbreviations that mean several zones (CST) are as in RFC 2822.
_ZONES = {
    name: offset
    for names, offset in (
        ("UTC GMT UT Z WET", 0),
        ("BST WEST CET", 1),
        ("CEST EET", 2),
        ("EEST MSK", 3),
        ("JST KST", 9),
        ("AEST", 10),
        ("AEDT", 11),
        ("EDT", -4),
        ("EST CDT", -5),
        ("CST MDT", -6),
        ("MST PDT", -7),
        ("PST", -8),
    )
    for name in names.split()
}
_TIME = re.compile(
    r"(?:(?<=\d)T|\bat\b|[\s,]|^)\s*(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?"
    r"(?:\s*(?P<half>[ap])\.?m\b\.?)?",
    re.IGNORECASE,
)
_ZONE = re.compile(
    r"\s*(?:(?P<name>[A-Z]{1,4})(?![A-Za-z/]))?\s*"
    r"(?:(?P<sign>[-+\u2212])(?P<hours>\d\d):?(?P<minutes>\d\d)?(?!\d))?"
    r"(?:\s*(?:\([^()]*\)|\[[\w/+-]+\]|[A-Z]\w+/[\w/+-]+))?"
)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)")
_DAY_FIRST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})")
_CJK = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일]")
_WORD = re.compile(r"[^\W\d_]+")
_YEAR = re.compile(r"(?<!\d)(\d{4})(?!\d)")
_DAY = re.compile(r"(?<!\d)(\d{1,2})(?:st|nd|rd|th|er|\.|º)?(?![\w:])", re.IGNORECASE)
_HALF_DAY = 12  # hours
_MONTH_COUNT = 12
_MIN_UNIX_SECONDS = 100_000_000  # 1973
_MIN_UNIX_MILLISECONDS = 100_000_000_000


def parse_foreign_date(value: object) -> datetime.date | datetime.datetime | None:
    """Return the date of any tool's front matter; with its time of day if it has one.

    ``10/02/2026`` is October in America and February elsewhere, and so is no date here;
    ``25/12/2026`` has only one meaning.

    Args:
        value: text, a number (YYYYMMDD or Unix time, in seconds or milliseconds) or a date.
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _parse_number(value)
        if isinstance(value, str):
            return _parse_text(value)
    except (ValueError, OverflowError, OSError):  # 2026-13-45
        return None
    return value if isinstance(value, datetime.date) else None


def parse_zoned_date(value: object, zone: datetime.tzinfo) -> datetime.datetime | None:
    """Return the date of any tool, with a time and a time zone, if it has one in every zone.

    Args:
        value: as for ``parse_foreign_date``.
        zone: that of dates that don't state theirs.
    """
    date = parse_foreign_date(value)
    if date is None or not is_in_every_zone(date):
        return None
    if not isinstance(date, datetime.datetime):
        date = datetime.datetime.combine(date, datetime.time())
    return date if date.tzinfo else date.replace(tzinfo=zone)


def is_in_every_zone(date: datetime.date) -> bool:
    """Return whether a date can be converted to any time zone.

    The year 1 is the empty date of Go, and so of Hugo; the year 9999 means that something never
    ends.
    """
    return datetime.MINYEAR < date.year < datetime.MAXYEAR


def _parse_number(value: float) -> datetime.date | datetime.datetime | None:
    if value >= _MIN_UNIX_MILLISECONDS:
        value /= 1000
    if value >= _MIN_UNIX_SECONDS:
        return datetime.datetime.fromtimestamp(value, datetime.UTC)
    compact = _COMPACT.fullmatch(str(value))
    return datetime.date(*map(int, compact.groups())) if compact else None


def _parse_text(text: str) -> datetime.date | datetime.datetime | None:
    text = " ".join(text.split()).strip(" ,")
    if text.isascii() and text.isdecimal():
        return _parse_number(int(text[:20]))
    time_match = _TIME.search(text)
    if time_match is None:
        return _parse_day(text)
    zone_match = _ZONE.match(text, time_match.end())
    assert zone_match is not None  # it matches the empty text too
    # "Fri Oct 02 23:30:00 UTC 2026" has its year after the time.
    day = _parse_day(f"{text[: time_match.start()]} {text[zone_match.end() :]}")
    if day is None:
        return None
    hour = int(time_match["hour"])
    if time_match["half"]:
        if not 1 <= hour <= _HALF_DAY:
            raise ValueError("not an hour of a half day")
        hour = hour % _HALF_DAY + (_HALF_DAY if time_match["half"].lower() == "p" else 0)
    time = datetime.time(hour, int(time_match["minute"]), int(time_match["second"] or 0))
    zone = None
    if zone_match["sign"]:
        hours, minutes = int(zone_match["hours"]), int(zone_match["minutes"] or 0)
        offset = datetime.timedelta(hours=hours, minutes=minutes)
        zone = datetime.timezone(offset if zone_match["sign"] == "+" else -offset)
    elif zone_match["name"] in _ZONES:
        zone = datetime.timezone(datetime.timedelta(hours=_ZONES[zone_match["name"]]))
    return datetime.datetime.combine(day, time, zone)


def _parse_day(text: str) -> datetime.date | None:
    text = text.strip(" ,")
    if found := _YEAR_FIRST.fullmatch(text):
        return datetime.date(int(found[1]), int(found[3]), int(found[4]))
    if found := _COMPACT.fullmatch(text) or _CJK.match(text):
        return datetime.date(int(found[1]), int(found[2]), int(found[3]))
    if found := _DAY_FIRST.fullmatch(text):
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        if found[2] == "." or first > _MONTH_COUNT or first == second:
            return datetime.date(year, second, first)
        return datetime.date(year, first, second) if second > _MONTH_COUNT else None
    years, days = _YEAR.findall(text), _DAY.findall(text)
    without_numbers = _DAY.sub(" ", _YEAR.sub(" ", text))
    words = [word.casefold() for word in _WORD.findall(without_numbers)]
    months = [_MONTHS[word] for word in words if word in _MONTHS]
    others = [word for word in words if word not in _MONTHS and word not in _FILLERS]
    if len(years) == len(days) == len(months) == 1 and not others:
        return datetime.date(int(years[0]), months[0], int(days[0]))
    return None
