"""Format a send's report as text of 80 columns."""

from collections.abc import Iterator
from textwrap import fill, wrap
from typing import TYPE_CHECKING

from newsletter.cli.output import WIDTH, isolate_bidi
from newsletter.reports.bounce_reasons import group_by_action
from newsletter.reports.model import CURVE_DAYS, CURVE_HOURS, share
from newsletter.reports.output.formatting import (
    DASH,
    count_unclicked_links,
    describe_growth,
    draw_text_bar,
    format_percent,
    sparkline,
)

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from newsletter.reports.model import EngagementCounts, SendReport

DELIVERY_STATES = ("delivered", "bounced", "dropped", "waiting")
# Rates so small that they need a second decimal place.
SMALL_RATES = ("unsubscribed", "complaints")
# Width of the columns label, count and share together.
LEFT_COLUMNS_WIDTH = 37
LINK_BAR_WIDTH = 10
MAX_NAME_WIDTH = 24
_SENTENCE_INDENT = "  "


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


def format_tables(report: "SendReport", zone: "ZoneInfo") -> Iterator[str]:
    """Yield growth and the tables that aren't empty, each after an empty line and a sentence."""
    if report.growth:
        since = report.growth.since.astimezone(zone)
        yield from _format_sentence(describe_growth(report.growth, f"{since.day} {since:%b}"))
    yield from _format_reasons(report)
    yield from _format_curves(report)
    if any(link.total for link in report.links):
        yield from _format_links(report)
    if report.counts.domains and not report.has_no_feedback:
        yield from _format_domains(report)
    if report.compared:
        yield from _format_comparison(report)


def _format_sentence(sentence: str) -> Iterator[str]:
    yield ""
    yield fill(sentence, WIDTH, initial_indent=_SENTENCE_INDENT, subsequent_indent=_SENTENCE_INDENT)


def _format_reasons(report: "SendReport") -> Iterator[str]:
    for failed, reasons in (("bounced", report.counts.bounces), ("dropped", report.counts.drops)):
        if not reasons:
            continue
        yield from _format_sentence(f"Why emails were {failed}, and what to do:")
        for group in group_by_action(reasons):
            for reason, meaning, count in group.reasons:
                yield fill(
                    f"{reason}: {meaning}",
                    WIDTH,
                    initial_indent=f"{count:>9,}  ",
                    subsequent_indent=" " * 11,
                )
            indent = " " * 13
            yield fill(group.action, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _format_curves(report: "SendReport") -> Iterator[str]:
    """Yield the bars of the hours and days that have begun."""
    candidates = {
        "delivered": report.counts.delivery_curve,
        "opened": report.opens.curve if report.opens else None,
        "clicked": report.clicks.curve if report.clicks else None,
    }
    curves = {name: curve for name, curve in candidates.items() if curve and any(curve.days)}
    if not curves:
        return
    shows_days = report.begun_days > 1
    in_days = f", then 1 day (first {CURVE_DAYS} days)" if shows_days else ""
    yield from _format_sentence(
        f"Each reader's first time. Each bar is 1 hour (first {CURVE_HOURS} hours){in_days}."
    )
    for name, curve in curves.items():
        bars = sparkline(curve.hours[: report.begun_hours])
        days = f"  {sparkline(curve.days[: report.begun_days])}" if shows_days else ""
        later = f"  {curve.later:,} later" if curve.later else ""
        yield f"  {name:<13}{bars}{days}{later}"


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
    remark = ""
    if counts.still_deferred:
        remark = f"{counts.still_deferred:,} deferred by their servers so far"
    for name in DELIVERY_STATES:
        count = getattr(counts.delivery, name)
        percentage = format_percent(share(count, report.sent))
        yield _format_line(name, count, percentage, remark if name == "waiting" else "")


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
    yield _format_line(name, tally.readers, format_percent(rate), f"{tally.total:,} times")
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
    yield from _format_sentence("What readers clicked, the most clicks first:")
    yield f"  {'readers':>9}{'clicks':>9}"
    most_clicks = max(link.total for link in report.links)
    for link in report.links:
        if not link.total:
            continue
        label = link.text or link.url or "other links"
        bar = draw_text_bar(link.total, most_clicks, LINK_BAR_WIDTH)
        start = f"  {link.readers:>9,}{link.total:>9,}  {bar:<{LINK_BAR_WIDTH}}  "
        width = WIDTH - len(start)
        first, *more = wrap(label, width - 1) or [""]
        yield start + isolate_bidi(first) + ("…" if more else "")
        if link.text:
            url = link.url.partition("://")[2]
            yield " " * len(start) + (url if len(url) <= width else f"{url[: width - 1]}…")
    if unclicked := count_unclicked_links(report.links):
        yield f"  {unclicked}"


def _format_domains(report: "SendReport") -> Iterator[str]:
    yield from _format_sentence("The same by the domain of the readers' mailboxes:")
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
    yield from _format_sentence(
        "Compared with the issue before:"
        if report.compared == 1
        else f"Compared with the median of the {report.compared} issues before:"
    )
    yield f"  {'':<13}{'this one':>9}{'usually':>10}"
    for name in ("delivered", "bounced", "opened", "clicked", *SMALL_RATES):
        digits = 2 if name in SMALL_RATES else 1
        rate, median = (
            format_percent(getattr(rates, name), digits) for rates in (report.rates, report.medians)
        )
        if (rate, median) != (DASH, DASH):
            yield f"  {name:<13}{rate:>9}{median:>10}"
