"""Statistics of the list: growth, churn, sources, tags.

Counted by the database.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from newsletter.db.schema import journal, subscriber, subscriber_tag
from newsletter.subscribers.audience import count_by_status
from newsletter.subscribers.queries.unsubscribe_reasons import count_unsubscribe_reasons

TOP_COUNT = 10
_DIGITS = "0123456789"


@dataclass(frozen=True, slots=True)
class GrowthPeriod:
    """A week or a month of the list.

    Attributes:
        start: its first day, in the newsletter's zone.
        joined: how often somebody became active: new readers, confirmed ones, those come back.
        lost: how often somebody active left or was suppressed.
        active_at_start: how many were active when it began.
    """

    start: datetime.date
    joined: int
    lost: int
    active_at_start: int

    @property
    def net_growth(self) -> int:
        """By how many the list grew."""
        return self.joined - self.lost

    @property
    def active_at_end(self) -> int:
        """How many were active at its end."""
        return self.active_at_start + self.net_growth

    @property
    def churn(self) -> float | None:
        """The part of those active at its start that left; ``None`` if there was nobody."""
        return self.lost / self.active_at_start if self.active_at_start else None


@dataclass(frozen=True, slots=True)
class ListStats:
    """The list in numbers.

    Attributes:
        by_status: status -> readers.
        weeks: from Monday on, the oldest first; the last one isn't over yet.
        months: those that the weeks lie in, each whole but the last.
        sources: where readers came from, readers, and how many of those are active; most first.
        tags: tag and active readers who have it, most first.
        reasons: why readers left, of those who said so on the page: reason -> answers.
    """

    by_status: Mapping[str, int]
    weeks: Sequence[GrowthPeriod]
    months: Sequence[GrowthPeriod]
    sources: Sequence[tuple[str, int, int]]
    tags: Sequence[tuple[str, int]]
    reasons: Mapping[str, int]


def compute_stats(
    connection: sa.Connection, *, week_count: int, now: datetime.datetime, zone: ZoneInfo
) -> ListStats:
    """Count the list.

    Args:
        connection: reads at one moment.
        week_count: how many, the present one included.
        now: aware.
        zone: in which weeks and months begin.
    """
    by_status = count_by_status(connection)
    today = now.astimezone(zone).date()
    mondays = week_starts(today, week_count)
    firsts = month_starts(mondays[0], today)
    days = sorted({*mondays, *firsts})
    moves = _count_transitions(connection, [_midnight(day, zone) for day in days])
    active = by_status.get("active", 0)
    return ListStats(
        by_status,
        _build_periods(mondays, days, moves, active),
        _build_periods(firsts, days, moves, active),
        _count_sources(connection),
        _count_tags(connection),
        count_unsubscribe_reasons(connection),
    )


def week_starts(today: datetime.date, weeks: int) -> list[datetime.date]:
    """The Mondays of the last ``weeks`` weeks and the one after them."""
    monday = today - datetime.timedelta(days=today.weekday())
    return [monday - datetime.timedelta(weeks=back) for back in range(weeks - 1, -2, -1)]


def month_starts(first: datetime.date, today: datetime.date) -> list[datetime.date]:
    """The first days of the months from ``first`` to ``today``, and of the one after them."""
    start = first.replace(day=1)
    starts = [start]
    while starts[-1] <= today:
        starts.append((starts[-1] + datetime.timedelta(days=31)).replace(day=1))
    return starts


def _count_transitions(
    connection: sa.Connection, bounds: Sequence[datetime.datetime]
) -> list[tuple[int, int]]:
    """How many became active, and ceased to be, from each bound to the next."""
    before = sa.func.lag(journal.c.status).over(
        partition_by=journal.c.subscriber_id, order_by=journal.c.seq
    )
    # A list that was moved here brings along since when its readers are on it.
    brought = sa.and_(journal.c.seq == 1, journal.c.change == "imported")
    lines = (
        sa.select(
            sa.case((brought, subscriber.c.joined_at), else_=journal.c.at).label("at"),
            (journal.c.status == "active").label("is_active"),
            (sa.func.coalesce(before, "") == "active").label("was_active"),
        )
        .select_from(journal.join(subscriber, subscriber.c.id == journal.c.subscriber_id))
        .subquery()
    )
    is_active, was_active = lines.c.is_active, lines.c.was_active
    number = sa.case(*((lines.c.at < end, at) for at, end in enumerate(bounds[1:])))
    within = sa.and_(lines.c.at >= bounds[0], lines.c.at < bounds[-1])
    counted = (
        sa.select(
            number,
            sa.func.count().filter(is_active),
            sa.func.count().filter(was_active),
        )
        .where(within, is_active != was_active)
        .group_by(number)
    )
    moves = {at: (joined, left) for at, joined, left in connection.execute(counted)}
    return [moves.get(at, (0, 0)) for at in range(len(bounds) - 1)]


def _build_periods(
    starts: Sequence[datetime.date],
    days: Sequence[datetime.date],
    transitions: Sequence[tuple[int, int]],
    active: int,
) -> list[GrowthPeriod]:
    """Add the moves between ``days`` up to those between ``starts``, backwards from today."""
    periods: list[GrowthPeriod] = []
    after = active
    for start, end in reversed(list(pairwise(starts))):
        mine = transitions[days.index(start) : days.index(end)]
        joined, left = (sum(counts) for counts in zip(*mine, strict=True))
        before = after - joined + left
        periods.append(GrowthPeriod(start, joined, left, before))
        after = before
    return periods[::-1]


def _count_sources(connection: sa.Connection) -> list[tuple[str, int, int]]:
    """An import counts as one source, whatever the rows."""
    source = subscriber.c.source
    bare = sa.func.rtrim(source, _DIGITS)
    is_row = sa.and_(bare != source, bare.like("%:"), source.not_like("%://%"))
    name = sa.case((is_row, sa.func.rtrim(bare, ":")), else_=source).label("name")
    active = sa.func.count().filter(subscriber.c.status == "active")
    counted = (
        sa.select(name, sa.func.count(), active)
        .group_by(name)
        .order_by(sa.func.count().desc(), name)
        .limit(TOP_COUNT)
    )
    return [tuple(row) for row in connection.execute(counted)]


def _count_tags(connection: sa.Connection) -> list[tuple[str, int]]:
    tag = subscriber_tag.c.tag
    counted = (
        sa.select(tag, sa.func.count())
        .join_from(subscriber_tag, subscriber)
        .where(subscriber.c.status == "active")
        .group_by(tag)
        .order_by(sa.func.count().desc(), tag)
        .limit(TOP_COUNT)
    )
    return [tuple(row) for row in connection.execute(counted)]


def _midnight(day: datetime.date, zone: ZoneInfo) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time.min, zone)
