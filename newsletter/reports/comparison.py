"""The sends that have left, when each did, and what the ones before another came to."""

import datetime
from collections.abc import Sequence
from dataclasses import fields
from statistics import median
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import attempt, batch, send
from newsletter.reports.counts import count_send_results
from newsletter.reports.engagement import count_clicks, count_opens
from newsletter.reports.model import EngagementCounts, SendCounts, SendRates, share
from newsletter.reports.queries import TimeWindow

# Somebody who leaves within so many days does so because of the latest mail.
ATTRIBUTION_PERIOD = datetime.timedelta(days=7)
MAX_COMPARED = 10


class StartedSend(NamedTuple):
    """A send of which something has left.

    Attributes:
        id: in the ledger.
        issue: its name.
        sent_at: when the first request left, or when SendGrid was to deliver it.
        recalled: whether SendGrid was told to take it back.
    """

    id: int
    issue: str
    sent_at: datetime.datetime
    recalled: bool = False


def list_started_sends(connection: sa.Connection) -> list[StartedSend]:
    """All of them, the earliest first."""
    rows = connection.execute(
        sa.select(
            send.c.id,
            send.c.issue,
            send.c.scheduled_at,
            send.c.recalled_at.is_not(None).label("recalled"),
            sa.func.min(attempt.c.started_at).label("started"),
        )
        .select_from(send.join(batch).join(attempt))
        .where(batch.c.state == "accepted", attempt.c.outcome.in_(("accepted", "unknown")))
        .group_by(send.c.id, send.c.issue, send.c.scheduled_at, send.c.recalled_at)
    )
    found = [
        StartedSend(
            row.id, row.issue, max(row.scheduled_at or row.started, row.started), row.recalled
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (one.sent_at, one.id))


def attribution_window(sends: Sequence[StartedSend], current: StartedSend) -> TimeWindow:
    """From when until when what names no send is due to this one: the next one ends it."""
    later = (one.sent_at for one in sends[sends.index(current) + 1 :])
    return current.sent_at, min(
        current.sent_at + ATTRIBUTION_PERIOD, next(later, current.sent_at + ATTRIBUTION_PERIOD)
    )


def compute_rates(
    counts: SendCounts, opened: EngagementCounts | None, clicked: EngagementCounts | None
) -> SendRates:
    """The shares of one send."""
    fates = counts.delivery
    return SendRates(
        delivered=share(fates.delivered, fates.total),
        bounced=share(fates.bounced, fates.total),
        unsubscribed=share(counts.unsubscribed, fates.delivered),
        complaints=share(counts.complaints, fates.delivered),
        opened=share(opened.readers, fates.delivered) if opened else None,
        clicked=share(clicked.readers, fates.delivered) if clicked else None,
    )


def compute_medians(
    connection: sa.Connection,
    sends: Sequence[StartedSend],
    current: StartedSend,
    current_rates: SendRates,
    personal_url_prefixes: tuple[str, ...],
) -> tuple[SendRates, int]:
    """What is usual: medians of up to ten sends before one, but for those that were recalled.

    Args:
        connection: reads at one moment.
        sends: all of them, the earliest first.
        current: the one.
        current_rates: its rates; those that it hasn't aren't looked for, which would take its time.
        personal_url_prefixes: as for ``clicks``.

    Returns:
        The medians, each of the sends that have it, and how many sends those are.
    """
    found = []
    earlier = [one for one in sends[: sends.index(current)] if not one.recalled]
    for one in earlier[-MAX_COMPARED:]:
        counts = count_send_results(connection, one.id, one.sent_at, attribution_window(sends, one))
        opened = (
            count_opens(connection, one.id, one.sent_at)
            if current_rates.opened is not None
            else None
        )
        clicked = None
        if current_rates.clicked is not None:
            clicked, _ = count_clicks(connection, one.id, one.sent_at, (), personal_url_prefixes)
        found.append(compute_rates(counts, opened, clicked))
    return SendRates(*(_median_rate(found, field.name) for field in fields(SendRates))), len(found)


def _median_rate(earlier_rates: Sequence[SendRates], name: str) -> float | None:
    values = [value for one in earlier_rates if (value := getattr(one, name)) is not None]
    return median(values) if values else None
