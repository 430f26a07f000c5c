"""Count opens and clicks, by people and by bots.

SendGrid marks opens for which a mail client prefetched the image, and known scanners identify
themselves: such events are marked when they are recorded. What remains is security software that
poses as a browser and follows the links in an email; ``detect_sweeps`` recognises it by its speed.
"""

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import event, send_recipient
from newsletter.db.transaction import without_nested_loops
from newsletter.reports.counts import build_curve
from newsletter.reports.links import IssueLink, LinkMatcher
from newsletter.reports.model import AgreedReaders, EngagementCounts, LinkClicks
from newsletter.reports.queries import accepted_condition, hours_since
from newsletter.reports.tracked_readers import tracked_recipient_condition

# Nobody clicks two links in an email within a second, nor any link within two seconds of its
# arrival. SendGrid's times are full seconds.
SWEEP_INTERVAL = datetime.timedelta(seconds=1)
ARRIVAL_INTERVAL = datetime.timedelta(seconds=2)
PAGE_SIZE = 2_000


class Click(NamedTuple):
    """One click by one recipient.

    Attributes:
        at: when it happened.
        url: the link; clicks on the same link have the same URL.
    """

    at: datetime.datetime
    url: str


def detect_sweeps(
    clicks: Sequence[Click], delivered_at: datetime.datetime | None = None
) -> list[bool]:
    """Return which clicks by one recipient are too fast for a person.

    These are clicks on different links within a second of each other, and clicks within two seconds
    of the email's arrival (or before it). The same link twice at once is a person's double click.

    Args:
        clicks: the clicks of one recipient, in any order.
        delivered_at: when the email arrived, if that is known.

    Returns:
        For each click, whether it belongs to a sweep.
    """
    order = sorted(range(len(clicks)), key=lambda index: clicks[index])
    runs = [list(run) for _, run in groupby(order, key=lambda index: clicks[index].url)]
    swept = [
        delivered_at is not None and click.at < delivered_at + ARRIVAL_INTERVAL for click in clicks
    ]
    for before, after in pairwise(runs):
        # Clicks on one link are adjacent; the nearest click on another link is at the run's end.
        last, first = clicks[before[-1]].at, clicks[after[0]].at
        for index in before:
            swept[index] |= first - clicks[index].at <= SWEEP_INTERVAL
        for index in after:
            swept[index] |= clicks[index].at - last <= SWEEP_INTERVAL
    return swept


def count_opens(
    connection: sa.Connection,
    send_id: int,
    sent_at: datetime.datetime,
    agreed: AgreedReaders | None = None,
) -> EngagementCounts | None:
    """Return the opens by a send's recipients, or ``None`` if there are none.

    ``agreed`` are those who had agreed to it, if readers were asked: only theirs are counted.
    """
    by_person = sa.not_(event.c.is_bot)
    recipient = (
        sa.select(
            sa.func.min(event.c.at).filter(by_person).label("first"),
            # The same open may be reported several times, under new ids.
            sa.func.count(sa.distinct(event.c.at)).filter(by_person).label("by_people"),
            sa.func.count(sa.distinct(event.c.at)).filter(event.c.is_bot).label("by_bots"),
        )
        .join(send_recipient, send_recipient.c.address_key == event.c.address_key)
        .where(
            accepted_condition(send_id),
            event.c.send_id == send_id,
            event.c.type == "open",
            *((tracked_recipient_condition("opens"),) if agreed else ()),
        )
        .group_by(event.c.address_key)
        .subquery()
    )
    hour = hours_since(connection, recipient.c.first, sent_at).label("hour")
    with without_nested_loops(connection):
        rows = connection.execute(
            sa.select(
                hour,
                sa.func.count().filter(recipient.c.by_people > 0),
                sa.func.sum(recipient.c.by_people),
                sa.func.count().filter(recipient.c.by_bots > 0),
                sa.func.sum(recipient.c.by_bots),
            ).group_by(hour)
        ).all()
    if not rows:
        return None
    hours = Counter({number: readers for number, readers, *_ in rows if readers})
    readers, total, machine_readers, machine_total = (
        sum(int(row[column]) for row in rows) for column in range(1, 5)
    )
    return EngagementCounts(
        readers, total, machine_readers, machine_total, build_curve(hours), agreed
    )


def count_clicks(  # noqa: PLR0913 - the send, how it is shown, and whose clicks count
    connection: sa.Connection,
    send_id: int,
    sent_at: datetime.datetime,
    links: Sequence[IssueLink],
    personal_url_prefixes: tuple[str, ...],
    *,
    agreed: AgreedReaders | None = None,
) -> tuple[EngagementCounts | None, tuple[LinkClicks, ...]]:
    """Return the clicks by a send's recipients, in all and by link.

    Args:
        connection: in a read transaction with one snapshot.
        send_id: the send's id.
        sent_at: the start of the curve.
        links: the links of the issue, in its order.
        personal_url_prefixes: prefixes of recipients' personal URLs, whose clicks aren't counted.
        agreed: those who had agreed to it, if readers were asked: only their clicks are counted.

    Returns:
        The totals, or ``None`` if there are no clicks; and the links with their clicks: the most
        clicked first, else in the order of the issue; clicks on anything else are last.
    """
    matcher = LinkMatcher(links, personal_url_prefixes)
    totals: Counter[str] = Counter()
    hours: Counter[int] = Counter()
    by_link: dict[str, Counter[str]] = {
        url: Counter() for url in (*(link.url for link in links), "")
    }
    query = _select_clicks(send_id)
    if agreed:
        query = query.where(tracked_recipient_condition("clicks"))
    with without_nested_loops(connection):
        rows = connection.execute(query, execution_options={"yield_per": PAGE_SIZE})
    for _, group in groupby(rows, attrgetter("address_key")):
        clicks, bot_clicks = _separate_bots(group, matcher)
        totals["machine_total"] += bot_clicks
        totals["machine_readers"] += bot_clicks > 0
        if not clicks:
            continue
        totals["total"] += len(clicks)
        totals["readers"] += 1
        first = min(click.at for click in clicks)
        hours[int((first - sent_at).total_seconds() // 3600)] += 1
        for url, times in Counter(click.url for click in clicks).items():
            by_link[url].update(total=times, readers=1)
    if not totals:
        return None, ()
    engagement = EngagementCounts(
        totals["readers"],
        totals["total"],
        totals["machine_readers"],
        totals["machine_total"],
        build_curve(hours),
        agreed,
    )
    return engagement, tuple(_iter_link_clicks(links, by_link))


def _separate_bots(rows: Iterable[Any], matcher: LinkMatcher) -> tuple[list[Click], int]:
    """Return one recipient's clicks by a person, and the number of clicks by bots."""
    # The same click may be reported several times, under new ids.
    events = list({(row.at, row.url, row.is_bot): row for row in rows}.values())
    recorded = [
        Click(row.at, matcher.match(str(row.url or "")) or str(row.url or "")) for row in events
    ]
    clicks, bot_clicks = [], 0
    for row, click, is_sweep in zip(
        events, recorded, detect_sweeps(recorded, events[0].delivered_at), strict=True
    ):
        if matcher.is_personal(str(row.url or "")):
            continue
        if row.is_bot or is_sweep:
            bot_clicks += 1
        else:
            clicks.append(Click(click.at, matcher.match(click.url)))
    return clicks, bot_clicks


def _iter_link_clicks(
    links: Sequence[IssueLink], by_link: Mapping[str, Counter[str]]
) -> Iterator[LinkClicks]:
    for link in sorted(links, key=lambda link: -by_link[link.url]["total"]):
        counts = by_link[link.url]
        yield LinkClicks(link.url, link.text, counts["readers"], counts["total"])
    if other := by_link[""]:
        yield LinkClicks("", "", other["readers"], other["total"])


def _select_clicks(send_id: int) -> sa.Select[Any]:
    """Return a query for all clicks by accepted recipients, grouped by recipient.

    Each row has the time at which the recipient's email arrived.
    """
    delivery = event.alias("delivery")
    delivered_at = (
        sa.select(sa.func.min(delivery.c.at))
        .where(
            delivery.c.address_key == event.c.address_key,
            delivery.c.type == "delivered",
            # "+ 0" avoids the index on send_id, which would scan all deliveries for each click.
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
            delivered_at.label("delivered_at"),
        )
        .join(send_recipient, send_recipient.c.address_key == event.c.address_key)
        .where(accepted_condition(send_id), event.c.send_id == send_id, event.c.type == "click")
        .order_by(event.c.address_key, event.c.at)
    )
