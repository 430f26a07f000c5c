"""Tells people's opens and clicks from programs', and counts both.

SendGrid says of some opens that a mail program fetched the picture ahead of its reader, and known
scanners name themselves: the event is marked so when it is recorded. What is left are security
programs that look like a browser and follow a mail's links to see where they lead; ``sweeps``
knows them by their speed.
"""

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import event, send_recipient
from newsletter.reports.counts import build_curve
from newsletter.reports.links import IssueLink, LinkMatcher
from newsletter.reports.model import EngagementCounts, LinkClicks
from newsletter.reports.queries import accepted_condition, hours_since

# Nobody follows two links of a mail within a second, nor one before the mail has been there for
# two. SendGrid's times are full seconds.
SWEEP_INTERVAL = datetime.timedelta(seconds=1)
ARRIVAL_INTERVAL = datetime.timedelta(seconds=2)
PAGE_SIZE = 2_000


class Click(NamedTuple):
    """One click of one reader.

    Attributes:
        at: when.
        url: where to; two of the same link are the same.
    """

    at: datetime.datetime
    url: str


def detect_sweeps(
    clicks: Sequence[Click], delivered_at: datetime.datetime | None = None
) -> list[bool]:
    """Which clicks of one reader a program made, by how fast they are.

    Those on different links within a second of each other, and those within the first two
    seconds after the mail's arrival (or before it). The same link twice at once is a person's
    double click.

    Args:
        clicks: in any order.
        delivered_at: when the mail did, if that is known.

    Returns:
        For each click whether it belongs to a sweep.
    """
    order = sorted(range(len(clicks)), key=lambda index: clicks[index])
    runs = [list(run) for _, run in groupby(order, key=lambda index: clicks[index].url)]
    swept = [
        delivered_at is not None and click.at < delivered_at + ARRIVAL_INTERVAL for click in clicks
    ]
    for before, after in pairwise(runs):
        # Clicks of one link stand together; the nearest of another is at the end of the run.
        last, first = clicks[before[-1]].at, clicks[after[0]].at
        for index in before:
            swept[index] |= first - clicks[index].at <= SWEEP_INTERVAL
        for index in after:
            swept[index] |= clicks[index].at - last <= SWEEP_INTERVAL
    return swept


def count_opens(
    connection: sa.Connection, send_id: int, sent_at: datetime.datetime
) -> EngagementCounts | None:
    """Count the opens of a send's readers; ``None`` if there are none."""
    people = sa.not_(event.c.is_bot)
    reader = (
        sa.select(
            sa.func.min(event.c.at).filter(people).label("first"),
            sa.func.count().filter(people).label("people"),
            sa.func.count().filter(event.c.is_bot).label("machines"),
        )
        .join(send_recipient, send_recipient.c.address_key == event.c.address_key)
        .where(accepted_condition(send_id), event.c.send_id == send_id, event.c.type == "open")
        .group_by(event.c.address_key)
        .subquery()
    )
    hour = hours_since(connection, reader.c.first, sent_at).label("hour")
    rows = connection.execute(
        sa.select(
            hour,
            sa.func.count().filter(reader.c.people > 0),
            sa.func.sum(reader.c.people),
            sa.func.count().filter(reader.c.machines > 0),
            sa.func.sum(reader.c.machines),
        ).group_by(hour)
    ).all()
    if not rows:
        return None
    hours = Counter({at: readers for at, readers, *_ in rows if readers})
    readers, total, machine_readers, machine_total = (
        sum(int(row[column]) for row in rows) for column in range(1, 5)
    )
    return EngagementCounts(readers, total, machine_readers, machine_total, build_curve(hours))


def count_clicks(
    connection: sa.Connection,
    send_id: int,
    sent_at: datetime.datetime,
    links: Sequence[IssueLink],
    personal_url_prefixes: tuple[str, ...],
) -> tuple[EngagementCounts | None, tuple[LinkClicks, ...]]:
    """Count the clicks of a send's readers, and by link.

    Args:
        connection: reads at one moment.
        send_id: in the ledger.
        sent_at: when the curve begins.
        links: of the issue, in its order.
        personal_url_prefixes: the beginnings of readers' own addresses; their clicks aren't
            counted.

    Returns:
        ``None`` if there are no clicks; and the links with their clicks in their order, those on
        anything else last.
    """
    finder = LinkMatcher(links, personal_url_prefixes)
    sums: Counter[str] = Counter()
    hours: Counter[int] = Counter()
    by_link: dict[str, Counter[str]] = {url: Counter() for url in (*(one.url for one in links), "")}
    rows = connection.execute(_select_clicks(send_id), execution_options={"yield_per": PAGE_SIZE})
    for _, group in groupby(rows, attrgetter("address_key")):
        people, machines = _separate_bots(group, finder)
        sums["machine_total"] += machines
        sums["machine_readers"] += machines > 0
        if not people:
            continue
        sums["total"] += len(people)
        sums["readers"] += 1
        first = min(click.at for click in people)
        hours[int((first - sent_at).total_seconds() // 3600)] += 1
        for url, times in Counter(click.url for click in people).items():
            by_link[url].update(total=times, readers=1)
    if not sums:
        return None, ()
    tally = EngagementCounts(
        sums["readers"],
        sums["total"],
        sums["machine_readers"],
        sums["machine_total"],
        build_curve(hours),
    )
    return tally, tuple(_iter_link_clicks(links, by_link))


def _separate_bots(rows: Iterable[Any], matcher: LinkMatcher) -> tuple[list[Click], int]:
    """One reader's clicks on the issue's links: the person's, and how many a program made."""
    found = list(rows)
    every = [
        Click(row.at, matcher.match(str(row.url or "")) or str(row.url or "")) for row in found
    ]
    people, machines = [], 0
    for row, click, swept in zip(found, every, detect_sweeps(every, found[0].arrived), strict=True):
        if matcher.is_personal(str(row.url or "")):
            continue
        if row.is_bot or swept:
            machines += 1
        else:
            people.append(Click(click.at, matcher.match(click.url)))
    return people, machines


def _iter_link_clicks(
    links: Sequence[IssueLink], by_link: Mapping[str, Counter[str]]
) -> Iterator[LinkClicks]:
    for link in links:
        counted = by_link[link.url]
        yield LinkClicks(link.url, link.text, counted["readers"], counted["total"])
    if other := by_link[""]:
        yield LinkClicks("", "", other["readers"], other["total"])


def _select_clicks(send_id: int) -> sa.Select[Any]:
    """Every click of an accepted reader, a reader's together, with when their mail arrived."""
    delivery = event.alias("delivery")
    arrived = (
        sa.select(sa.func.min(delivery.c.at))
        .where(
            delivery.c.address_key == event.c.address_key,
            delivery.c.type == "delivered",
            # Not by the index that begins with it: it would find all deliveries for each click.
            delivery.c.send_id + 0 == send_id,
        )
        .scalar_subquery()
    )
    return (
        sa.select(
            event.c.address_key,
            event.c.at,
            event.c.is_bot,
            event.c.raw["url"].as_string().label("url"),
            arrived.label("arrived"),
        )
        .join(send_recipient, send_recipient.c.address_key == event.c.address_key)
        .where(accepted_condition(send_id), event.c.send_id == send_id, event.c.type == "click")
        .order_by(event.c.address_key, event.c.at)
    )
