"""List started sends, compute their rates and the medians before one."""

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

# An unsubscribe within this period is attributed to the latest send.
ATTRIBUTION_PERIOD = datetime.timedelta(days=7)
MAX_COMPARED = 10


class StartedSend(NamedTuple):
    """A send of which at least one batch was accepted.

    Attributes:
        id: its id in the ledger.
        issue: the issue's name.
        sent_at: when the first request was sent, or when SendGrid was to deliver it.
        recalled: whether the scheduled send was cancelled at SendGrid.
    """

    id: int
    issue: str
    sent_at: datetime.datetime
    recalled: bool = False


def list_started_sends(connection: sa.Connection) -> list[StartedSend]:
    """Return all started sends, the earliest first."""
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
    sends = [
        StartedSend(
            row.id, row.issue, max(row.scheduled_at or row.started, row.started), row.recalled
        )
        for row in rows
    ]
    return sorted(sends, key=lambda started: (started.sent_at, started.id))


def attribution_window(sends: Sequence[StartedSend], current: StartedSend) -> TimeWindow:
    """Return the period in which events without a send's id are attributed to this send.

    It lasts seven days, or until the next send.
    """
    later = (started.sent_at for started in sends[sends.index(current) + 1 :])
    return current.sent_at, min(
        current.sent_at + ATTRIBUTION_PERIOD, next(later, current.sent_at + ATTRIBUTION_PERIOD)
    )


def compute_rates(
    counts: SendCounts, opened: EngagementCounts | None, clicked: EngagementCounts | None
) -> SendRates:
    """Return the rates of one send."""
    delivery = counts.delivery
    return SendRates(
        delivered=share(delivery.delivered, delivery.total),
        bounced=share(delivery.bounced, delivery.total),
        unsubscribed=share(counts.unsubscribed, delivery.delivered),
        complaints=share(counts.complaints, delivery.delivered),
        opened=share(opened.readers, delivery.delivered) if opened else None,
        clicked=share(clicked.readers, delivery.delivered) if clicked else None,
    )


def compute_medians(
    connection: sa.Connection,
    sends: Sequence[StartedSend],
    current: StartedSend,
    current_rates: SendRates,
    personal_url_prefixes: tuple[str, ...],
) -> tuple[SendRates, int]:
    """Return the median rates of up to ten sends before ``current``, without cancelled ones.

    Args:
        connection: in a read transaction with one snapshot.
        sends: all started sends, the earliest first.
        current: the send to compare.
        current_rates: its rates; rates that it lacks are not computed, since that takes long.
        personal_url_prefixes: as for ``count_clicks``.

    Returns:
        The medians, each over the sends that have that rate, and how many sends were compared.
    """
    earlier_rates = []
    earlier = [started for started in sends[: sends.index(current)] if not started.recalled]
    for started in earlier[-MAX_COMPARED:]:
        counts = count_send_results(
            connection, started.id, started.sent_at, attribution_window(sends, started)
        )
        opened = (
            count_opens(connection, started.id, started.sent_at)
            if current_rates.opened is not None
            else None
        )
        clicked = None
        if current_rates.clicked is not None:
            clicked, _ = count_clicks(
                connection, started.id, started.sent_at, (), personal_url_prefixes
            )
        earlier_rates.append(compute_rates(counts, opened, clicked))
    return (
        SendRates(*(_median_rate(earlier_rates, field.name) for field in fields(SendRates))),
        len(earlier_rates),
    )


def _median_rate(earlier_rates: Sequence[SendRates], name: str) -> float | None:
    values = [value for rates in earlier_rates if (value := getattr(rates, name)) is not None]
    return median(values) if values else None
