"""List the sends that have gone out; compute their rates and medians."""

import datetime
from collections.abc import Sequence
from dataclasses import fields
from statistics import median
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import attempt, batch, event, send
from newsletter.reports.counts import count_send_results
from newsletter.reports.engagement import count_clicks, count_opens
from newsletter.reports.model import (
    EngagementCounts,
    GrowthSinceIssue,
    SendCounts,
    SendRates,
    share,
)
from newsletter.reports.queries import ENGAGEMENT_TYPES, TimeWindow
from newsletter.reports.tracked_readers import count_agreed_readers
from newsletter.subscribers.queries.stats import count_transitions
from newsletter.subscribers.recalled_sends import is_recalled

# An unsubscribe within this period is attributed to the latest send.
ATTRIBUTION_PERIOD = datetime.timedelta(days=7)
MAX_COMPARED = 10
_DELIVERY_EVENTS = ("delivered", "bounce", *ENGAGEMENT_TYPES)


class StartedSend(NamedTuple):
    """A send that has gone out, or of which at least one batch has.

    Attributes:
        id: its id in the ledger.
        issue: the issue's name.
        sent_at: when the first request was sent, or when SendGrid was to deliver it.
        parent_id: of a catch-up, the send that it adds to.
    """

    id: int
    issue: str
    sent_at: datetime.datetime
    parent_id: int | None = None


def list_started_sends(connection: sa.Connection, now: datetime.datetime) -> list[StartedSend]:
    """Return all sends that have gone out by now, the earliest first.

    Those that SendGrid still holds have not, nor have recalled ones. A send that was cancelled, but
    not in time, has if there is any event of it.

    Args:
        connection: in a read transaction.
        now: aware.
    """
    is_cancelled_there = sa.and_(send.c.state == "cancelled", send.c.provider_batch_id != "")
    has_event = sa.exists().where(event.c.send_id == send.c.id, event.c.type.in_(_DELIVERY_EVENTS))
    columns = (
        send.c.id,
        send.c.issue,
        send.c.parent_id,
        send.c.scheduled_at,
        send.c.recalled_at,
    )
    rows = connection.execute(
        sa.select(
            *columns,
            sa.func.min(attempt.c.started_at).label("started"),
        )
        .select_from(send.join(batch).join(attempt))
        .where(
            batch.c.state == "accepted",
            attempt.c.outcome.in_(("accepted", "unknown")),
            sa.or_(~is_cancelled_there, has_event),
        )
        .group_by(*columns)
    )
    sends = [
        StartedSend(
            row.id, row.issue, max(row.scheduled_at or row.started, row.started), row.parent_id
        )
        for row in rows
        if not is_recalled(row.scheduled_at, row.recalled_at)
        and (row.scheduled_at is None or row.scheduled_at <= now)
    ]
    return sorted(sends, key=lambda started: (started.sent_at, started.id))


def attribution_window(sends: Sequence[StartedSend], current: StartedSend) -> TimeWindow:
    """Return the period in which events without a send's id are attributed to this send.

    It lasts seven days, or until the next send of another issue: a catch-up has other recipients.
    """
    later = (
        started.sent_at
        for started in sends[sends.index(current) + 1 :]
        if started.parent_id is None
    )
    return current.sent_at, min(
        current.sent_at + ATTRIBUTION_PERIOD, next(later, current.sent_at + ATTRIBUTION_PERIOD)
    )


def count_growth(
    connection: sa.Connection, sends: Sequence[StartedSend], current: StartedSend
) -> GrowthSinceIssue | None:
    """Return how the list grew from the issue before to this one.

    Args:
        connection: in a read transaction with one snapshot.
        sends: from ``list_started_sends``.
        current: one of them.

    Returns:
        ``None`` if there is no issue before, or if ``current`` is a catch-up.
    """
    before = [send for send in sends[: sends.index(current)] if send.parent_id is None]
    if not before or current.parent_id is not None or before[-1].sent_at == current.sent_at:
        return None
    ((joined, left),) = count_transitions(connection, [before[-1].sent_at, current.sent_at])
    return GrowthSinceIssue(before[-1].issue, before[-1].sent_at, joined, left)


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
        opened=_engagement_rate(opened, delivery.delivered),
        clicked=_engagement_rate(clicked, delivery.delivered),
    )


def _engagement_rate(engagement: EngagementCounts | None, delivered: int) -> float | None:
    if engagement is None:
        return None
    return share(
        engagement.readers, engagement.agreed.delivered if engagement.agreed else delivered
    )


def compute_medians(
    connection: sa.Connection,
    sends: Sequence[StartedSend],
    current: StartedSend,
    current_rates: SendRates,
    personal_url_prefixes: tuple[str, ...],
) -> tuple[SendRates, int]:
    """Return the median rates of up to ten sends before ``current``.

    Args:
        connection: in a read transaction with one snapshot.
        sends: from ``list_started_sends``.
        current: the send to compare; catch-ups are not compared with.
        current_rates: its rates; rates that it lacks are not computed, since that takes long.
        personal_url_prefixes: as for ``count_clicks``.

    Returns:
        The medians, each over the sends that have that rate, and how many sends were compared.
    """
    earlier_rates = []
    earlier = [
        started
        for started in sends[: sends.index(current)]
        if started.parent_id is None and started.id != current.parent_id
    ]
    for started in earlier[-MAX_COMPARED:]:
        counts = count_send_results(
            connection, started.id, started.sent_at, attribution_window(sends, started)
        )
        opens_agreed, clicks_agreed = count_agreed_readers(connection, started.id)
        opened = (
            count_opens(connection, started.id, started.sent_at, opens_agreed)
            if current_rates.opened is not None
            else None
        )
        clicked = None
        if current_rates.clicked is not None:
            clicked, _ = count_clicks(
                connection,
                started.id,
                started.sent_at,
                (),
                personal_url_prefixes,
                agreed=clicks_agreed,
            )
        earlier_rates.append(compute_rates(counts, opened, clicked))
    return (
        SendRates(*(_median_rate(earlier_rates, field.name) for field in fields(SendRates))),
        len(earlier_rates),
    )


def _median_rate(earlier_rates: Sequence[SendRates], name: str) -> float | None:
    values = [value for rates in earlier_rates if (value := getattr(rates, name)) is not None]
    return median(values) if values else None
