"""Counts what became of every reader of a send: one pass of the database over its events.

Facts come in any order, twice, late, or not at all, so a reader's fate follows from which there
are, never from when they were written down:

1. a bounce that is not older than the last delivery: bounced (some servers accept a mail and
   return it minutes later);
2. else a delivery, or a sign that there was one (an open, a click, a complaint): delivered;
3. else dropped, if SendGrid says that it did not try;
4. else waiting.
"""

import datetime
import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from newsletter.reports.bounce_reasons import describe_bounce, describe_drop
from newsletter.reports.model import (
    CURVE_HOURS,
    DeliveryCounts,
    DomainCounts,
    HourlyCurve,
    SendCounts,
)
from newsletter.reports.queries import SEPARATOR, TimeWindow, select_counts_by_domain

MAX_DOMAINS = 8
PAGE_SIZE = 2_000
DELIVERY_STATES = ("delivered", "bounced", "dropped", "waiting")


@dataclass(slots=True)
class _RunningTotals:
    """What has been counted so far."""

    totals: Counter[str] = field(default_factory=Counter)
    bounces: Counter[str] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)
    hours: Counter[int] = field(default_factory=Counter)


def count_send_results(
    connection: sa.Connection,
    send_id: int,
    sent_at: datetime.datetime,
    window: TimeWindow,
) -> SendCounts:
    """Count the accepted readers of a send.

    Args:
        connection: reads at one moment.
        send_id: in the ledger.
        sent_at: when the curve begins.
        window: from when until when a bounce or a leave that names no send is due to this one.
    """
    sums = _RunningTotals()
    largest: list[tuple[int, str, DomainCounts]] = []
    query = select_counts_by_domain(connection, send_id, sent_at, window)
    rows = connection.execute(query, execution_options={"yield_per": PAGE_SIZE})
    for name, group in groupby(rows, itemgetter(0)):
        found = _count_domain(name, group, sums)
        if not name:
            continue
        heapq.heappush(largest, (found.sent, name, found))
        if len(largest) > MAX_DOMAINS:
            heapq.heappop(largest)
    named = [each for _, _, each in sorted(largest, key=lambda one: (-one[0], one[1]))]
    totals = sums.totals
    return SendCounts(
        delivery=DeliveryCounts(*(totals[fate] for fate in DELIVERY_STATES)),
        deferred=totals["deferred"],
        still_deferred=totals["still_deferred"],
        unsubscribed=totals["unsubscribed"],
        complaints=totals["complaints"],
        bounces=dict(sums.bounces.most_common()),
        drops=dict(sums.drops.most_common()),
        domains=_append_other_domains(named, _make_domain_counts("", totals)),
        delivery_curve=build_curve(sums.hours),
    )


def build_curve(hours: Counter[int]) -> HourlyCurve:
    """A curve of counts by hour; those of ``HOURS`` and above are later."""
    later = sum(readers for hour, readers in hours.items() if hour >= CURVE_HOURS)
    early = sum(readers for hour, readers in hours.items() if hour < 0)  # clocks differ
    return HourlyCurve((hours[0] + early, *(hours[hour] for hour in range(1, CURVE_HOURS))), later)


def _count_domain(name: str, rows: Any, sums: _RunningTotals) -> DomainCounts:
    """Add the rows of one domain up, and to the sums."""
    mine: Counter[str] = Counter()
    for _, fate, reason, hour, readers, deferred, complaints, unsubscribed, opened in rows:
        mine.update({fate: readers, "sent": readers, "deferred": deferred, "opened": opened,
                     "complaints": complaints, "unsubscribed": unsubscribed})  # fmt: skip
        if fate == "waiting":
            mine["still_deferred"] += deferred
        elif fate == "delivered":
            sums.hours[hour] += readers
        elif fate == "bounced":
            sums.bounces[describe_bounce(*reason.split(SEPARATOR, 2))] += readers
        else:
            sums.drops[describe_drop(reason)] += readers
    sums.totals.update(mine)
    return _make_domain_counts(name, mine)


def _make_domain_counts(name: str, counts: Counter[str]) -> DomainCounts:
    return DomainCounts(name, *(counts[key] for key in DomainCounts.__slots__[1:]))


def _append_other_domains(
    domains: Sequence[DomainCounts], total: DomainCounts
) -> tuple[DomainCounts, ...]:
    """The domains and what is left of the whole without them, if anything is."""
    rest = [
        whole - sum(parts)
        for whole, *parts in zip(*(astuple(one)[1:] for one in (total, *domains)), strict=True)
    ]
    others = DomainCounts("", *rest)
    return (*domains, others) if others.sent else tuple(domains)
