"""Compute list statistics: growth, churn, sources, refusals."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from newsletter.db.column_types import ByCodePoint
from newsletter.db.schema import journal, subscriber, subscriber_tag
from newsletter.subscribers.audience import count_by_status
from newsletter.subscribers.queries.unsubscribe_reasons import count_unsubscribe_reasons
from newsletter.subscribers.refused_signups import RefusalCount, load_refused_signups

TOP_COUNT = 10
_DIGITS = "0123456789"


@dataclass(frozen=True, slots=True)
class GrowthPeriod:
    """The growth of the list in a week or a month.

    Attributes:
        start: the first day, in the newsletter's time zone.
        joined: number of times somebody became active: new, confirmed or resubscribed.
        lost: number of times an active subscriber unsubscribed or was suppressed.
        active_at_start: number of active subscribers at the start.
    """

    start: datetime.date
    joined: int
    lost: int
    active_at_start: int

    @property
    def net_growth(self) -> int:
        """The number by which the list grew."""
        return self.joined - self.lost

    @property
    def active_at_end(self) -> int:
        """The number of active subscribers at the end."""
        return self.active_at_start + self.net_growth

    @property
    def churn(self) -> float | None:
        """The share of those active at the start who left; ``None`` if none were active."""
        return self.lost / self.active_at_start if self.active_at_start else None


@dataclass(frozen=True, slots=True)
class ListStats:
    """Statistics of the list.

    Attributes:
        by_status: status -> number of subscribers.
        weeks: weeks beginning on Monday, the oldest first; the last one isn't over yet.
        months: the months that contain these weeks; all complete except the last.
        sources: source, number of subscribers, and how many of them are active; the largest first.
        tags: tag and number of active subscribers who have it, the largest first.
        reasons: reason for unsubscribing as given on the page -> how often.
        refused_signups: sign-ups refused or never confirmed, the latest month first.
    """

    by_status: Mapping[str, int]
    weeks: Sequence[GrowthPeriod]
    months: Sequence[GrowthPeriod]
    sources: Sequence[tuple[str, int, int]]
    tags: Sequence[tuple[str, int]]
    reasons: Mapping[str, int]
    refused_signups: Sequence[RefusalCount]


def compute_stats(
    connection: sa.Connection, *, week_count: int, now: datetime.datetime, zone: ZoneInfo
) -> ListStats:
    """Return the statistics of the list.

    Args:
        connection: a connection in a ``read_transaction``.
        week_count: the number of weeks, including the present one.
        now: the current time, an aware datetime.
        zone: the time zone in which weeks and months begin.
    """
    by_status = count_by_status(connection)
    today = now.astimezone(zone).date()
    mondays = week_starts(today, week_count)
    month_firsts = month_starts(mondays[0], today)
    days = sorted({*mondays, *month_firsts})
    transitions = count_transitions(connection, [_midnight(day, zone) for day in days])
    active = by_status.get("active", 0)
    return ListStats(
        by_status,
        _build_periods(mondays, days, transitions, active),
        _build_periods(month_firsts, days, transitions, active),
        _count_sources(connection),
        _count_tags(connection),
        count_unsubscribe_reasons(connection),
        load_refused_signups(connection),
    )


def week_starts(today: datetime.date, weeks: int) -> list[datetime.date]:
    """Return the Mondays of the last ``weeks`` weeks and the Monday after them."""
    monday = today - datetime.timedelta(days=today.weekday())
    return [monday - datetime.timedelta(weeks=back) for back in range(weeks - 1, -2, -1)]


def month_starts(first: datetime.date, today: datetime.date) -> list[datetime.date]:
    """Return the first days of the months from ``first`` to ``today``, and of the month after."""
    start = first.replace(day=1)
    starts = [start]
    while starts[-1] <= today:
        starts.append((starts[-1] + datetime.timedelta(days=31)).replace(day=1))
    return starts


def count_transitions(
    connection: sa.Connection, bounds: Sequence[datetime.datetime]
) -> list[tuple[int, int]]:
    """Return how many became active, and how many ceased to be, between consecutive bounds.

    Args:
        connection: a connection in a ``read_transaction``.
        bounds: aware, ascending, at least two.
    """
    previous_status = sa.func.lag(journal.c.status).over(
        partition_by=journal.c.subscriber_id, order_by=journal.c.seq
    )
    # An imported subscriber counts when they joined, not when they were imported.
    is_import = sa.and_(journal.c.seq == 1, journal.c.change == "imported")
    entries = (
        sa.select(
            sa.case((is_import, subscriber.c.joined_at), else_=journal.c.at).label("at"),
            (journal.c.status == "active").label("is_active"),
            (sa.func.coalesce(previous_status, "") == "active").label("was_active"),
        )
        .select_from(journal.join(subscriber, subscriber.c.id == journal.c.subscriber_id))
        .subquery()
    )
    is_active, was_active = entries.c.is_active, entries.c.was_active
    period = sa.case(*((entries.c.at < end, index) for index, end in enumerate(bounds[1:])))
    in_range = sa.and_(entries.c.at >= bounds[0], entries.c.at < bounds[-1])
    query = (
        sa.select(
            period,
            sa.func.count().filter(is_active),
            sa.func.count().filter(was_active),
        )
        .where(in_range, is_active != was_active)
        .group_by(period)
    )
    counts = {index: (joined, lost) for index, joined, lost in connection.execute(query)}
    return [counts.get(index, (0, 0)) for index in range(len(bounds) - 1)]


def _build_periods(
    starts: Sequence[datetime.date],
    days: Sequence[datetime.date],
    transitions: Sequence[tuple[int, int]],
    active: int,
) -> list[GrowthPeriod]:
    """Sum the transitions between ``days`` into periods that begin at ``starts``.

    ``active`` is the present number of active subscribers, so the numbers are computed backwards
    from the last period.
    """
    periods: list[GrowthPeriod] = []
    active_at_end = active
    for start, end in reversed(list(pairwise(starts))):
        in_period = transitions[days.index(start) : days.index(end)]
        joined, lost = (sum(counts) for counts in zip(*in_period, strict=True))
        active_at_start = active_at_end - joined + lost
        periods.append(GrowthPeriod(start, joined, lost, active_at_start))
        active_at_end = active_at_start
    return periods[::-1]


def _count_sources(connection: sa.Connection) -> list[tuple[str, int, int]]:
    """Count subscribers by source; a file counts as one source, whatever the row number."""
    source = subscriber.c.source
    stripped = sa.func.rtrim(source, _DIGITS)
    has_row = sa.and_(stripped != source, stripped.like("%:"), source.not_like("%://%"))
    name = sa.case((has_row, sa.func.rtrim(stripped, ":")), else_=source).label("name")
    active = sa.func.count().filter(subscriber.c.status == "active")
    counts = sa.select(name, sa.func.count().label("readers"), active).group_by(name).subquery()
    query = (
        sa.select(counts)
        .order_by(counts.c.readers.desc(), ByCodePoint(counts.c.name))
        .limit(TOP_COUNT)
    )
    return [tuple(row) for row in connection.execute(query)]


def _count_tags(connection: sa.Connection) -> list[tuple[str, int]]:
    tag = subscriber_tag.c.tag
    query = (
        sa.select(tag, sa.func.count())
        .join_from(subscriber_tag, subscriber)
        .where(subscriber.c.status == "active")
        .group_by(tag)
        .order_by(sa.func.count().desc(), ByCodePoint(tag))
        .limit(TOP_COUNT)
    )
    return [tuple(row) for row in connection.execute(query)]


def _midnight(day: datetime.date, zone: ZoneInfo) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time.min, zone)
