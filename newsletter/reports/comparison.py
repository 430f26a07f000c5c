"""The sends that have left, when each did, and what the ones before another came to."""

import datetime
from collections.abc import Sequence
from dataclasses import fields
from statistics import median
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import attempt, batch, send
from newsletter.reports.counts import count
from newsletter.reports.engagement import clicks, opens
from newsletter.reports.model import Counts, Rates, Tally, share
from newsletter.reports.queries import Window

# Somebody who leaves within so many days does so because of the latest mail.
DUE = datetime.timedelta(days=7)
COMPARED = 10


class Departure(NamedTuple):
    """A send of which something has left.

    Attributes:
        id: in the ledger.
        issue: its name.
        at: when the first request left, or when SendGrid was to deliver it.
        recalled: whether SendGrid was told to take it back.
    """

    id: int
    issue: str
    at: datetime.datetime
    recalled: bool = False


def departures(connection: sa.Connection) -> list[Departure]:
    """All of them, the earliest first."""
    rows = connection.execute(
        sa.select(
            send.c.id,
            send.c.issue,
            send.c.scheduled_at,
            send.c.recalled_at.is_not(None).label("recalled"),
            sa.func.min(attempt.c.started).label("started"),
        )
        .select_from(send.join(batch).join(attempt))
        .where(batch.c.state == "accepted", attempt.c.outcome.in_(("accepted", "unknown")))
        .group_by(send.c.id, send.c.issue, send.c.scheduled_at, send.c.recalled_at)
    )
    found = [
        Departure(
            row.id, row.issue, max(row.scheduled_at or row.started, row.started), row.recalled
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (one.at, one.id))


def window(sends: Sequence[Departure], of: Departure) -> Window:
    """From when until when what names no send is due to this one: the next one ends it."""
    later = (one.at for one in sends[sends.index(of) + 1 :])
    return of.at, min(of.at + DUE, next(later, of.at + DUE))


def rates(counts: Counts, opened: Tally | None, clicked: Tally | None) -> Rates:
    """The shares of one send."""
    fates = counts.fates
    return Rates(
        delivered=share(fates.delivered, fates.sum),
        bounced=share(fates.bounced, fates.sum),
        unsubscribed=share(counts.unsubscribed, fates.delivered),
        complaints=share(counts.complaints, fates.delivered),
        opened=share(opened.readers, fates.delivered) if opened else None,
        clicked=share(clicked.readers, fates.delivered) if clicked else None,
    )


def before(
    connection: sa.Connection,
    sends: Sequence[Departure],
    of: Departure,
    mine: Rates,
    own: tuple[str, ...],
) -> tuple[Rates, int]:
    """What is usual: medians of up to ten sends before one, but for those that were recalled.

    Args:
        connection: reads at one moment.
        sends: all of them, the earliest first.
        of: the one.
        mine: its rates; those that it hasn't aren't looked for, which would take its time.
        own: as for ``clicks``.

    Returns:
        The medians, each of the sends that have it, and how many sends those are.
    """
    found = []
    earlier = [one for one in sends[: sends.index(of)] if not one.recalled]
    for one in earlier[-COMPARED:]:
        counts = count(connection, one.id, one.at, window(sends, one))
        opened = opens(connection, one.id, one.at) if mine.opened is not None else None
        clicked = None
        if mine.clicked is not None:
            clicked, _ = clicks(connection, one.id, one.at, (), own)
        found.append(rates(counts, opened, clicked))
    return Rates(*(_median(found, field.name) for field in fields(Rates))), len(found)


def _median(found: Sequence[Rates], name: str) -> float | None:
    values = [value for one in found if (value := getattr(one, name)) is not None]
    return median(values) if values else None
