"""Count a send's recipients: delivered, bounced, dropped, waiting.

The database does it in one pass over the events. Events arrive in any order, twice, late, or not
at all, so a recipient's state depends on which events there are, never on when they were recorded:

1. bounced, if there is a bounce that is not older than the last delivery (some servers accept an
   email and return it minutes later);
2. else delivered, if there is a delivery or proof of one (an open, a click, a complaint, an
   unsubscribe);
3. else dropped, if SendGrid reports that it did not try;
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
    CURVE_DAYS,
    CURVE_HOURS,
    DeliveryCounts,
    DomainCounts,
    SendCounts,
    TimeCurve,
)
from newsletter.reports.queries import SEPARATOR, TimeWindow, select_counts_by_domain

MAX_DOMAINS = 8
PAGE_SIZE = 2_000
DELIVERY_STATES = ("delivered", "bounced", "dropped", "waiting")


@dataclass(slots=True)
class _RunningTotals:
    """The sums over the domains counted so far."""

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
    """Count the accepted recipients of a send.

    Args:
        connection: in a read transaction with one snapshot.
        send_id: the send's id.
        sent_at: the start of the curve.
        window: the period in which bounces and unsubscribes without a send's id are attributed to
            this send.
    """
    running = _RunningTotals()
    largest: list[tuple[int, str, DomainCounts]] = []
    query = select_counts_by_domain(connection, send_id, sent_at, window)
    rows = connection.execute(query, execution_options={"yield_per": PAGE_SIZE})
    for name, group in groupby(rows, itemgetter(0)):
        domain = _count_domain(name, group, running)
        if not name:
            continue
        heapq.heappush(largest, (domain.sent, name, domain))
        if len(largest) > MAX_DOMAINS:
            heapq.heappop(largest)
    named = [domain for _, _, domain in sorted(largest, key=lambda entry: (-entry[0], entry[1]))]
    totals = running.totals
    return SendCounts(
        delivery=DeliveryCounts(*(totals[state] for state in DELIVERY_STATES)),
        deferred=totals["deferred"],
        still_deferred=totals["still_deferred"],
        unsubscribed=totals["unsubscribed"],
        complaints=totals["complaints"],
        bounces=_sort_by_count(running.bounces),
        drops=_sort_by_count(running.drops),
        domains=_append_other_domains(named, _make_domain_counts("", totals)),
        delivery_curve=build_curve(running.hours),
    )


def _sort_by_count(reasons: Counter[str]) -> dict[str, int]:
    """Return the most frequent first; the database returns equally frequent ones in any order."""
    return dict(sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0])))


def build_curve(hours: Counter[int]) -> TimeCurve:
    """Return a curve from counts by hour; those before the send count as its first hour."""
    by_hour: Counter[int] = Counter()
    by_day: Counter[int] = Counter()
    for hour, count in hours.items():
        counted = max(hour, 0)  # clocks differ
        by_hour[counted] += count
        by_day[min(counted // CURVE_HOURS, CURVE_DAYS)] += count
    return TimeCurve(
        tuple(by_hour[hour] for hour in range(CURVE_HOURS)),
        tuple(by_day[day] for day in range(CURVE_DAYS)),
        by_day[CURVE_DAYS],
    )


def _count_domain(name: str, rows: Any, running: _RunningTotals) -> DomainCounts:
    """Sum up the rows of one domain, and add them to the totals."""
    counts: Counter[str] = Counter()
    for _, state, reason, hour, count, deferred, complaints, unsubscribed, opened in rows:
        counts.update({state: count, "sent": count, "deferred": deferred, "opened": opened,
                       "complaints": complaints, "unsubscribed": unsubscribed})  # fmt: skip
        if state == "waiting":
            counts["still_deferred"] += deferred
        elif state == "delivered":
            running.hours[hour] += count
        elif state == "bounced":
            running.bounces[describe_bounce(*reason.split(SEPARATOR, 3))] += count
        else:
            running.drops[describe_drop(reason)] += count
    running.totals.update(counts)
    return _make_domain_counts(name, counts)


def _make_domain_counts(name: str, counts: Counter[str]) -> DomainCounts:
    return DomainCounts(name, *(counts[key] for key in DomainCounts.__slots__[1:]))


def _append_other_domains(
    domains: Sequence[DomainCounts], total: DomainCounts
) -> tuple[DomainCounts, ...]:
    """Return the domains and, if there are any others, the counts of all others together."""
    rest = [
        whole - sum(parts)
        for whole, *parts in zip(
            *(astuple(domain)[1:] for domain in (total, *domains)), strict=True
        )
    ]
    others = DomainCounts("", *rest)
    return (*domains, others) if others.sent else tuple(domains)
