"""Parse when a send goes out: --at, --undo-window.

Pure: the clock is passed in.
"""

import datetime
import re
from typing import NamedTuple
from zoneinfo import ZoneInfo

from newsletter.errors import UsageError

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKDAY_PATTERN = re.compile(
    r"(?P<day>[a-z]{3,9})\s+(?P<hour>\d{1,2}):(?P<minute>\d{2})", re.IGNORECASE
)
DURATION_PATTERN = re.compile(r"(?P<count>\d{1,4})(?P<unit>[mh])")
# How far ahead SendGrid takes mail, less the time that handing it over may take.
PROVIDER_MAX_HOLD = datetime.timedelta(hours=72) - datetime.timedelta(minutes=10)
# SendGrid promises to take mail back until so long before its time.
PROVIDER_CANCEL_MARGIN = datetime.timedelta(minutes=10)
TIME_FORMAT_REMEDY = (
    "Write '2026-12-01 09:00', 'Tue 09:00', or with an offset '2026-12-01 09:00+01:00'."
)


class ScheduledTime(NamedTuple):
    """When a send goes, and who holds it until then.

    Attributes:
        at: in UTC.
        held_by_provider: whether SendGrid does; otherwise it waits here.
        undo_seconds: the length of the undo window, 0 without one.
    """

    at: datetime.datetime
    held_by_provider: bool
    undo_seconds: int = 0

    def get_start_time(self, now: datetime.datetime) -> datetime.datetime:
        """The moment, now that the editor has agreed: an undo window begins only then."""
        return now + datetime.timedelta(seconds=self.undo_seconds) if self.undo_seconds else self.at


def parse_schedule_options(  # noqa: PLR0913 - one an option
    at: str | None,
    undo_window: str | None,
    now: datetime.datetime,
    zone: ZoneInfo,
    *,
    wait_locally: bool,
    rate_limited: bool,
) -> ScheduledTime | None:
    """When a send goes, from what the editor says; ``None`` for at once.

    Args:
        at: a time as ``read_time`` takes it.
        undo_window: a length as ``read_length`` takes it.
        now: aware.
        zone: of times without an offset.
        wait_locally: whether it is to wait here.
        rate_limited: whether only so many readers an hour may get it.

    Raises:
        UsageProblem: they can't be read, or don't go together.
    """
    if undo_window and (at or wait_locally):
        raise UsageError(
            "--undo-window holds a send that goes now",
            remedy="Leave it out: what is scheduled can be cancelled anyway.",
        )
    if wait_locally and not at:
        raise UsageError("--local says where a send waits", remedy="Say until when with --at.")
    if undo_window:
        length = parse_undo_window(undo_window)
        slot = ScheduledTime(
            now + length, held_by_provider=True, undo_seconds=round(length.total_seconds())
        )
    elif at:
        moment = parse_schedule_time(at, now, zone)
        slot = ScheduledTime(
            moment, held_by_provider=not wait_locally and moment - now <= PROVIDER_MAX_HOLD
        )
    else:
        return None
    if rate_limited and slot.held_by_provider:
        raise UsageError(
            "what SendGrid holds it lets go all at once, whatever --limit-per-hour says",
            remedy="Let it wait here, with --at and --local.",
        )
    return slot


def parse_schedule_time(text: str, now: datetime.datetime, zone: ZoneInfo) -> datetime.datetime:
    """The moment that ``text`` names, in UTC.

    Args:
        text: a date and time (ISO 8601), or a weekday and time: the next one that comes.
        now: aware.
        zone: of times without an offset.

    Raises:
        UsageProblem: it can't be read, is past, or names a local time that doesn't exist or
            exists twice.
    """
    text = text.strip()
    found = _parse_weekday(text, now, zone) or _parse_iso_time(text)
    # Zones have no answer for the first and the last year there is.
    if found is None or not datetime.MINYEAR < found.year < datetime.MAXYEAR:
        raise UsageError(f"'{text}' is no time", remedy=TIME_FORMAT_REMEDY)
    moment = found if found.tzinfo else _localize(found, zone)
    if moment <= now:
        raise UsageError(
            f"{format_schedule_time(moment, zone)} is past", remedy="Leave --at out to send now."
        )
    return moment.astimezone(datetime.UTC)


def parse_undo_window(text: str) -> datetime.timedelta:
    """A length of time such as ``20m`` or ``2h``, longer than what SendGrid needs to take back.

    Raises:
        UsageProblem: it can't be read, or is too short or too long for SendGrid.
    """
    found = DURATION_PATTERN.fullmatch(text.strip())
    if not found:
        raise UsageError(f"'{text}' is no length of time", remedy="Write 20m or 2h.")
    unit = "minutes" if found["unit"] == "m" else "hours"
    length = datetime.timedelta(**{unit: int(found["count"])})
    if length <= PROVIDER_CANCEL_MARGIN:
        raise UsageError(
            f"SendGrid promises to take mail back only until 10 minutes before its time: "
            f"{text} would be no window at all",
            remedy="Give it at least 11m; 20m leaves 10 minutes to think.",
        )
    if length > PROVIDER_MAX_HOLD:
        raise UsageError(
            f"SendGrid holds mail for 72 hours at most, and {text} is longer",
            remedy="Use --at with --local.",
        )
    return length


def format_schedule_time(moment: datetime.datetime, zone: ZoneInfo) -> str:
    """``Tue 24 Nov 2026 09:00 Europe/Oslo``."""
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y %H:%M} {zone.key}"


def format_rough_duration(length: datetime.timedelta) -> str:
    """Roughly how long, for people: ``38 hours``, ``5 days``, ``1 minute``."""
    minutes = max(1, round(length.total_seconds() / 60))
    for unit, size, least in (("day", 1440, 4320), ("hour", 60, 120), ("minute", 1, 0)):
        if minutes >= least:
            count = round(minutes / size)
            return f"{count:,} {unit}" + ("" if count == 1 else "s")
    raise AssertionError(minutes)


def _parse_weekday(text: str, now: datetime.datetime, zone: ZoneInfo) -> datetime.datetime | None:
    found = WEEKDAY_PATTERN.fullmatch(text)
    days = [day for day in WEEKDAYS if found and day.startswith(found["day"].lower())]
    if found is None or len(days) != 1:
        return None
    local = now.astimezone(zone).replace(tzinfo=None)
    try:
        time = datetime.time(int(found["hour"]), int(found["minute"]))
    except ValueError:
        return None
    ahead = (WEEKDAYS.index(days[0]) - local.weekday()) % 7
    moment = datetime.datetime.combine(local.date() + datetime.timedelta(days=ahead), time)
    return moment if moment > local else moment + datetime.timedelta(days=7)


def _parse_iso_time(text: str) -> datetime.datetime | None:
    if ":" not in text:  # a day alone is no time
        return None
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None


def _localize(local: datetime.datetime, zone: ZoneInfo) -> datetime.datetime:
    """``local`` as a moment, if exactly one clock time of the zone is that (PEP 495)."""
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    options = [
        option.astimezone(datetime.UTC).astimezone(zone)
        for option in sorted((first, second), key=_to_utc)
    ]
    choices = " or ".join(f"'{option.isoformat(' ', 'minutes')}'" for option in options)
    exists = options[0].replace(tzinfo=None, fold=0) == local
    what = "comes twice" if exists else "does not exist"
    raise UsageError(
        f"{local:%Y-%m-%d %H:%M} {what} in {zone.key}: the clocks change",
        remedy=f"Write {choices}.",
    )


def _to_utc(moment: datetime.datetime) -> datetime.datetime:
    return moment.astimezone(datetime.UTC)
