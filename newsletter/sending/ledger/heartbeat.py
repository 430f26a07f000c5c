"""Heartbeats: signs that something starts the sends that wait here.

``newsletter serve``, ``newsletter worker`` and each ``newsletter send --due`` leave one, at most
once a minute. Without a recent one, nothing would start a send that waits here.
"""

import datetime
from collections.abc import Mapping
from typing import Literal, NamedTuple

from newsletter.db import read_transaction
from newsletter.db.identity import HEARTBEAT_PREFIX
from newsletter.db.stored_settings import read_setting, write_setting
from newsletter.sending.ledger.record import Ledger

Starter = Literal["serve", "worker", "due"]

MIN_INTERVAL = datetime.timedelta(minutes=1)
# How long a heartbeat counts. A cron line may run as rarely as once an hour.
RECENT: Mapping[Starter, datetime.timedelta] = {
    "serve": datetime.timedelta(minutes=5),
    "worker": datetime.timedelta(minutes=5),
    "due": datetime.timedelta(minutes=75),
}
STARTER_NAMES: Mapping[Starter, str] = {
    "serve": "newsletter serve",
    "worker": "newsletter worker",
    "due": "newsletter send --due",
}


class Heartbeat(NamedTuple):
    """When a program that starts waiting sends was last seen.

    Attributes:
        starter: which program.
        seen_at: when.
        is_recent: whether it counts as running.
    """

    starter: Starter
    seen_at: datetime.datetime
    is_recent: bool


def record_heartbeat(ledger: Ledger, starter: Starter) -> None:
    """Record that a program which starts waiting sends runs here, at most once a minute."""
    key = HEARTBEAT_PREFIX + starter
    with read_transaction(ledger.engine) as connection:
        now = ledger.clock(connection)
        seen_at = _parse(read_setting(connection, key))
    # One in the future is of a clock that was wrong.
    if seen_at and datetime.timedelta(0) <= now - seen_at < MIN_INTERVAL:
        return
    text = now.astimezone(datetime.UTC).isoformat(timespec="seconds")
    with ledger.engine.begin() as connection:
        write_setting(connection, key, text)


def load_heartbeats(ledger: Ledger) -> tuple[Heartbeat, ...]:
    """Return the heartbeats on record, those of ``newsletter serve`` first."""
    with read_transaction(ledger.engine) as connection:
        now = ledger.clock(connection)
        return tuple(
            Heartbeat(starter, seen_at, -MIN_INTERVAL <= now - seen_at <= longest)
            for starter, longest in RECENT.items()
            if (seen_at := _parse(read_setting(connection, HEARTBEAT_PREFIX + starter)))
        )


def _parse(value: str | None) -> datetime.datetime | None:
    try:
        seen_at = datetime.datetime.fromisoformat(value or "")
    except ValueError:
        return None
    return seen_at if seen_at.tzinfo else None
