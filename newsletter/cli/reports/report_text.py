"""Format a send's report as text of 80 columns."""

from collections.abc import Iterator
from textwrap import fill, wrap
from typing import TYPE_CHECKING

from newsletter.cli.output import WIDTH, isolate_bidi
from newsletter.reports.model import CURVE_HOURS, share
from newsletter.reports.output.formatting import (
    DASH,
    format_percent,
    format_reasons,
    group_hours,
    sparkline,
)

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from newsletter.reports.model import EngagementCounts, SendReport

DELIVERY_STATES = ("delivered", "bounced", "dropped", "waiting")
# Rates so small that they need a second decimal place.
SMALL_RATES = ("unsubscribed", "complaints")
# Hours in one bar of a sparkline.
HOURS_PER_MARK = 3
# Width of the columns label, count and share together.
LEFT_COLUMNS_WIDTH = 37
MAX_NAME_WIDTH = 24


def format_outcome(report: "SendReport", zone: "ZoneInfo") -> Iterator[str]:
    """Yield the lines on delivery, opens, clicks and unsubscribes."""
    yield _format_headline(report, zone)
    yield from _format_delivery(report)
    parts = " + ".join(
        f"{getattr(report.counts.delivery, name):,} {name}" for name in DELIVERY_STATES
    )
    yield fill(
        f"{parts} = {report.sent:,} sent", WIDTH, initial_indent="  ", subsequent_indent="    "
    )
    yield ""
    yield from _format_engagement(
        "opened",
        report.opens,
        report.rates.opened,
        "by mail programs",
        nothing=_describe_nothing(report, 0),
    )
    yield from _format_engagement(
        "clicked",
        report.clicks,
        report.rates.clicked,
        "by link scanners",
        nothing=_describe_nothing(report, 1),
    )
    yield _format_line(
        "unsubscribed", report.counts.unsubscribed, format_percent(report.rates.unsubscribed)
    )


def format_complaints(report: "SendReport") -> str:
    """Return the line on complaints, compared with Gmail's thresholds."""
    remarks = {
        "green": "(Gmail's threshold: 0.10 %)",
        "yellow": "at or above Gmail's 0.10 %; never reach 0.30 %",
        "red": "at or above 0.30 %: Gmail will reject mail",
    }
    rate = format_percent(report.rates.complaints, 2)
    remark = remarks[report.complaint_state]
    return _format_line("complaints", report.counts.complaints, rate, remark)


def format_tables(report: "SendReport") -> Iterator[str]:
    """Yield the tables of links, mailbox domains and earlier sends, each after an empty line."""
    yield f"  Each bar is {HOURS_PER_MARK} hours (first {CURVE_HOURS} hours)."
    if report.links:
        yield from _format_links(report)
    yield from _format_domains(report)
    if report.compared:
        yield from _format_comparison(report)


def _format_headline(report: "SendReport", zone: "ZoneInfo") -> str:
    from wcwidth import wcswidth

    at = report.sent_at.astimezone(zone)
    sent = f"sent {at:%a} {at.day} {at:%b %Y %H:%M} to {report.sent:,}"
    title = isolate_bidi(report.subject)
    space = WIDTH - max(wcswidth(title), 0) - len(sent)
    return f"{title}{' ' * space}{sent}" if space > 1 else f"{title}\n  {sent}"


def _format_line(label: str, count: int, percentage: str, remark: str = "") -> str:
    """Format label, count and share in columns, with the remark wrapped to their right."""
    first, *more = wrap(remark, WIDTH - LEFT_COLUMNS_WIDTH) or [""]
    start = f"  {label:<13}{count:>9,}  {percentage:>8}   {first}".rstrip()
    return "\n".join([start, *(f"{'':{LEFT_COLUMNS_WIDTH}}{line}" for line in more)])


def _format_delivery(report: "SendReport") -> Iterator[str]:
    counts = report.counts
    remarks = dict.fromkeys(DELIVERY_STATES, "")
    if counts.delivery.delivered:
        remarks["delivered"] = sparkline(group_hours(counts.delivery_curve.hours, HOURS_PER_MARK))
    remarks["bounced"] = format_reasons(list(counts.bounces.items()))
    remarks["dropped"] = format_reasons(list(counts.drops.items()))
    if counts.still_deferred:
        remarks["waiting"] = f"{counts.still_deferred:,} deferred by their servers so far"
    for name, remark in remarks.items():
        count = getattr(counts.delivery, name)
        yield _format_line(name, count, format_percent(share(count, report.sent)), remark)


def _format_engagement(
    name: str,
    tally: "EngagementCounts | None",
    rate: float | None,
    bot_label: str,
    *,
    nothing: str,
) -> Iterator[str]:
    if tally is None:
        yield f"  {name:<13}{nothing}"
        return
    curve = sparkline(group_hours(tally.curve.hours, HOURS_PER_MARK))
    yield _format_line(name, tally.readers, format_percent(rate), f"{curve}  {tally.total:,} times")
    if tally.agreed:
        yield f"{'':{LEFT_COLUMNS_WIDTH}}of {tally.agreed.sent:,} who agreed to it"
    if tally.machine_total:
        yield f"{'':{LEFT_COLUMNS_WIDTH}}{tally.machine_total:,} more {bot_label}, left out"


def _describe_nothing(report: "SendReport", index: int) -> str:
    """Return why no opens (0) or clicks (1) are shown."""
    if agreed := report.agreed[index]:
        if not agreed.sent:
            return "not known: nobody had agreed to it"
        return f"none recorded of the {agreed.sent:,} who agreed to it"
    return "none recorded" if report.tracking[index] else "not known: tracking is off"


def _format_links(report: "SendReport") -> Iterator[str]:
    yield ""
    yield f"  {'readers':>9}{'clicks':>9}   link, in the issue's order"
    for link in report.links:
        label = link.text or link.url or "other links"
        start = f"  {link.readers:>9,}{link.total:>9,}   "
        width = WIDTH - len(start)
        first, *more = wrap(label, width - 1) or [""]
        yield start + isolate_bidi(first) + ("…" if more else "")
        if link.text:
            url = link.url.partition("://")[2]
            yield " " * len(start) + (url if len(url) <= width else f"{url[: width - 1]}…")


def _format_domains(report: "SendReport") -> Iterator[str]:
    yield ""
    # Of those who agreed, few may be at one domain.
    shows_opens = report.opens and not report.agreed[0]
    last_header = "opened" if shows_opens else ""
    yield (
        f"  {'mailbox domain':<{MAX_NAME_WIDTH}}{'sent':>9}{'delivered':>12}{'bounced':>10}"
        f"{'complaints':>12}{last_header:>9}"
    ).rstrip()
    for domain in report.counts.domains:
        opened = format_percent(share(domain.opened, domain.delivered)) if shows_opens else ""
        name = domain.name or "all others"
        shown_name = name if len(name) < MAX_NAME_WIDTH else f"{name[: MAX_NAME_WIDTH - 2]}…"
        delivered = format_percent(share(domain.delivered, domain.sent))
        bounced = format_percent(share(domain.bounced, domain.sent))
        complained = format_percent(share(domain.complaints, domain.delivered), 2)
        yield (
            f"  {shown_name:<{MAX_NAME_WIDTH}}{domain.sent:>9,}{delivered:>12}{bounced:>10}"
            f"{complained:>12}{opened:>9}"
        ).rstrip()


def _format_comparison(report: "SendReport") -> Iterator[str]:
    yield ""
    issues = "issue" if report.compared == 1 else f"{report.compared} issues"
    yield f"  {'':<13}{'this one':>9}  median of the last {issues}"
    for name in ("delivered", "bounced", "opened", "clicked", *SMALL_RATES):
        digits = 2 if name in SMALL_RATES else 1
        rate, median = (
            format_percent(getattr(rates, name), digits) for rates in (report.rates, report.medians)
        )
        if (rate, median) != (DASH, DASH):
            yield f"  {name:<13}{rate:>9}{median:>10}"
