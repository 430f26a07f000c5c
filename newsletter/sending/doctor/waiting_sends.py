"""Check that something starts the sends that wait here for their time."""

import datetime
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.sending.doctor_check import DoctorCheck, fail, ok, warn
from newsletter.sending.ledger.find_sends import list_sends
from newsletter.sending.ledger.heartbeat import STARTER_NAMES, Heartbeat, load_heartbeats
from newsletter.sending.ledger.record import Ledger, Send, get_ledger_time
from newsletter.sending.planning.schedule import format_rough_duration, format_schedule_time

# As long as a cron line may take that runs once an hour.
OVERDUE_AFTER = datetime.timedelta(minutes=75)
_NEXT_STEP = "Start newsletter serve, or let cron run newsletter send --due."


def check_waiting_sends(engine: sa.Engine, config: Config) -> Iterator[DoctorCheck]:
    """Yield one check if any send waits here; none otherwise."""
    ledger = Ledger(engine)
    waiting = [send for send in list_sends(ledger) if send.is_scheduled_locally]
    if waiting:
        heartbeats = load_heartbeats(ledger)
        yield _check_starters(waiting, heartbeats, get_ledger_time(ledger), config)


def _check_starters(
    waiting: list[Send],
    heartbeats: tuple[Heartbeat, ...],
    now: datetime.datetime,
    config: Config,
) -> DoctorCheck:
    """Return the check of what would start the waiting sends. Pure."""
    first = min(send.scheduled_at for send in waiting if send.scheduled_at)
    time = format_schedule_time(first, ZoneInfo(config.timezone))
    count = f"{len(waiting)} send{'s wait' if len(waiting) > 1 else ' waits'} here"
    seen = ", ".join(
        f"{STARTER_NAMES[beat.starter]} was seen {_format_age(now - beat.seen_at)} ago"
        for beat in heartbeats
    )
    if first <= now - OVERDUE_AFTER:
        return fail(
            "schedule",
            f"{count}, and the first was due at {time}; {seen or 'nothing starts it'}",
            "It has not been started.",
            "Start it with: newsletter send --due",
        )
    if not any(beat.is_recent for beat in heartbeats):
        return warn(
            "schedule",
            f"{count} until {time}; {seen or 'nothing that starts it was seen'}",
            "Nothing would start it.",
            _NEXT_STEP,
        )
    return ok("schedule", f"{count} until {time}; {seen}")


def _format_age(age: datetime.timedelta) -> str:
    return format_rough_duration(max(age, datetime.timedelta(0)))
