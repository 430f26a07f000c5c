"""Parse when a send goes out, and where it waits: --at, --undo-window.

Pure: the clock is passed in.
"""

import datetime
import re
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from newsletter.errors import UsageError
from newsletter.sending.providers.facts import ProviderFacts
from newsletter.sending.providers.registry import get_facts
from newsletter.subscribers.recalled_sends import PROVIDER_CANCEL_MARGIN
from newsletter.wording import format_count

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKDAY_PATTERN = re.compile(
    r"(?P<day>[a-z]{3,9})\s+(?P<hour>\d{1,2}):(?P<minute>\d{2})", re.IGNORECASE
)
DURATION_PATTERN = re.compile(r"(?P<count>\d{1,4})(?P<unit>[mh])")
NOBODY_STARTS_IT = (
    "neither newsletter serve nor a cron line with newsletter send --due has been seen lately"
)
TIME_FORMAT_REMEDY = (
    "Write '2026-12-01 09:00', 'Tue 09:00', or with an offset '2026-12-01 09:00+01:00'."
)

# Who starts a send at its time: this machine, the provider, or this machine even if nothing that
# would start it has been seen yet.
WaitingPlace = Literal["here", "provider", "here_unseen"]


class ScheduledTime(NamedTuple):
    """When a send goes, and who holds it until then.

    Attributes:
        at: the time, in UTC.
        held_by_provider: whether the provider holds it; otherwise it waits on this machine.
        undo_seconds: the length of the undo window, 0 without one.
    """

    at: datetime.datetime
    held_by_provider: bool
    undo_seconds: int = 0

    def get_start_time(self, now: datetime.datetime) -> datetime.datetime:
        """Return the time, given when the editor confirmed: an undo window starts only then."""
        return now + datetime.timedelta(seconds=self.undo_seconds) if self.undo_seconds else self.at


def parse_schedule_options(  # noqa: PLR0913 - one parameter per option
    at: str | None,
    undo_window: str | None,
    now: datetime.datetime,
    zone: ZoneInfo,
    *,
    place: WaitingPlace,
    is_starter_seen: bool,
    rate_limited: bool,
) -> ScheduledTime | None:
    """Return when a send goes, from the editor's options; ``None`` for at once.

    Args:
        at: a time, for ``parse_schedule_time``.
        undo_window: a duration, for ``parse_undo_window``.
        now: aware.
        zone: the zone of times without an offset.
        place: from ``choose_waiting_place``.
        is_starter_seen: whether something that starts a send which waits here was seen lately.
        rate_limited: whether there is a limit per hour.

    Raises:
        UsageError: a value is not valid, or the options can't be combined; or nothing would start
            the send.
    """
    hold_option = get_hold_option()
    if undo_window and (at or place != "here"):
        raise UsageError(
            f"--undo-window can't be combined with --at, --local or {hold_option}",
            remedy="Leave it out: a scheduled send can be cancelled anyway.",
        )
    if place != "here" and not at:
        option = hold_option if place == "provider" else "--local"
        raise UsageError(f"{option} requires --at", remedy="Add --at with the time.")
    if undo_window:
        duration = parse_undo_window(undo_window)
        scheduled_time = ScheduledTime(
            now + duration, held_by_provider=True, undo_seconds=round(duration.total_seconds())
        )
    elif at:
        moment = parse_schedule_time(at, now, zone)
        _check_place(place, moment - now, is_starter_seen=is_starter_seen)
        scheduled_time = ScheduledTime(moment, held_by_provider=place == "provider")
    else:
        return None
    if rate_limited and scheduled_time.held_by_provider:
        raise UsageError(
            f"--limit-per-hour has no effect on a send that {get_facts().name} holds: it goes out "
            "all at once",
            remedy=f"Let it wait here instead, with --at and without {hold_option}.",
        )
    return scheduled_time


def choose_waiting_place(*, local: bool, at_provider: bool) -> WaitingPlace:
    """Return where a scheduled send waits, from the editor's options.

    Raises:
        UsageError: both are given.
    """
    if local and at_provider:
        raise UsageError(f"--local and {get_hold_option()} exclude each other", remedy="Use one.")
    return "provider" if at_provider else "here_unseen" if local else "here"


def get_hold_option() -> str:
    """Return the option with which the provider holds a send until its time."""
    return f"--hold-at-{get_facts().key}"


def _check_place(place: WaitingPlace, ahead: datetime.timedelta, *, is_starter_seen: bool) -> None:
    facts = get_facts()
    if place == "provider":
        max_hold = _require_hold(facts)
        if ahead > max_hold:
            raise UsageError(
                f"{facts.name} holds emails for {facts.max_hold_text} at most, and that is in "
                f"{format_rough_duration(ahead)}",
                remedy=f"To let it wait here, use --local and not {get_hold_option()}.",
            )
    if place == "here" and not is_starter_seen:
        remedy = (
            "To let it wait here, start newsletter serve, or let cron run newsletter send --due; "
            "add --local if one of them will run by then."
        )
        if facts.max_hold:
            remedy += (
                f" To let {facts.name} hold it, for up to {facts.max_hold_text}, add "
                f"{get_hold_option()}."
            )
        raise UsageError(f"nothing would start it: {NOBODY_STARTS_IT}", remedy=remedy)


def _require_hold(facts: ProviderFacts) -> datetime.timedelta:
    if facts.max_hold is None:
        raise UsageError(
            f"{facts.name} holds no emails until a later time",
            remedy="To let it wait here, use --at with --local.",
        )
    return facts.max_hold


def parse_schedule_time(text: str, now: datetime.datetime, zone: ZoneInfo) -> datetime.datetime:
    """Parse a time; return it in UTC.

    Args:
        text: a date and time (ISO 8601), or a weekday and time, for the next such time.
        now: aware.
        zone: the zone of times without an offset.

    Raises:
        UsageError: it is not valid, is in the past, or names a local time that doesn't exist or
            exists twice.
    """
    text = text.strip()
    parsed = _parse_weekday(text, now, zone) or _parse_iso_time(text)
    # In the first and the last year, a conversion to another zone can overflow.
    if parsed is None or not datetime.MINYEAR < parsed.year < datetime.MAXYEAR:
        raise UsageError(f"'{text}' is not a valid time", remedy=TIME_FORMAT_REMEDY)
    moment = parsed if parsed.tzinfo else _localize(parsed, zone)
    if moment <= now:
        raise UsageError(
            f"{format_schedule_time(moment, zone)} is in the past",
            remedy="Use a later time.",
        )
    return moment.astimezone(datetime.UTC)


def parse_undo_window(text: str) -> datetime.timedelta:
    """Parse a duration such as ``20m`` or ``2h``, longer than the provider needs to cancel.

    Raises:
        UsageError: it is not valid, or too short or too long for the provider.
    """
    facts = get_facts()
    max_hold = _require_hold(facts)
    match = DURATION_PATTERN.fullmatch(text.strip())
    if not match:
        raise UsageError(f"'{text}' is not a valid duration", remedy="Write 20m or 2h.")
    unit = "minutes" if match["unit"] == "m" else "hours"
    duration = datetime.timedelta(**{unit: int(match["count"])})
    if duration <= PROVIDER_CANCEL_MARGIN:
        raise UsageError(
            f"{facts.name} guarantees a cancellation only until 10 minutes before the scheduled "
            f"time: {text} is too short",
            remedy="Use at least 11m; 20m leaves 10 minutes to cancel.",
        )
    if duration > max_hold:
        raise UsageError(
            f"{facts.name} holds emails for {facts.max_hold_text} at most, and {text} is longer",
            remedy="Use --at with --local, to let it wait here.",
        )
    return duration


def format_schedule_time(moment: datetime.datetime, zone: ZoneInfo) -> str:
    """Format a time in a zone: ``Tue 24 Nov 2026 09:00 Europe/Oslo``."""
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y %H:%M} {zone.key}"


def format_rough_duration(length: datetime.timedelta) -> str:
    """Format a rounded duration: ``38 hours``, ``5 days``, ``1 minute``."""
    minutes = max(1, round(length.total_seconds() / 60))
    for unit, size, minimum in (("day", 1440, 4320), ("hour", 60, 120), ("minute", 1, 0)):
        if minutes >= minimum:
            count = round(minutes / size)
            return format_count(count, unit)
    raise AssertionError(minutes)


def _parse_weekday(text: str, now: datetime.datetime, zone: ZoneInfo) -> datetime.datetime | None:
    """Return the next such local time, without a zone; ``None`` if the text has another form."""
    match = WEEKDAY_PATTERN.fullmatch(text)
    days = [day for day in WEEKDAYS if match and day.startswith(match["day"].lower())]
    if match is None or len(days) != 1:
        return None
    local_now = now.astimezone(zone).replace(tzinfo=None)
    try:
        time = datetime.time(int(match["hour"]), int(match["minute"]))
    except ValueError:
        return None
    days_ahead = (WEEKDAYS.index(days[0]) - local_now.weekday()) % 7
    date = local_now.date() + datetime.timedelta(days=days_ahead)
    local = datetime.datetime.combine(date, time)
    return local if local > local_now else local + datetime.timedelta(days=7)


def _parse_iso_time(text: str) -> datetime.datetime | None:
    if ":" not in text:  # a date alone is not enough
        return None
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None


def _localize(local: datetime.datetime, zone: ZoneInfo) -> datetime.datetime:
    """Return a local time as a moment in the zone (PEP 495).

    Raises:
        UsageError: the time doesn't exist or exists twice, since the clocks change.
    """
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    alternatives = [
        moment.astimezone(datetime.UTC).astimezone(zone)
        for moment in sorted((first, second), key=_to_utc)
    ]
    choices = " or ".join(f"'{moment.isoformat(' ', 'minutes')}'" for moment in alternatives)
    exists = alternatives[0].replace(tzinfo=None, fold=0) == local
    problem = "occurs twice" if exists else "does not exist"
    raise UsageError(
        f"{local:%Y-%m-%d %H:%M} {problem} in {zone.key}: the clocks change",
        remedy=f"Write {choices}.",
    )


def _to_utc(moment: datetime.datetime) -> datetime.datetime:
    return moment.astimezone(datetime.UTC)
