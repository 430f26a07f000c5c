"""A report in lines of 80 columns, for ``newsletter report``."""

from collections.abc import Iterator
from textwrap import fill, wrap
from typing import TYPE_CHECKING

from newsletter.cli.output import WIDTH, isolated
from newsletter.reports.model import HOURS, share
from newsletter.reports.output.formatting import DASH, listed, percent, sparkline, steps

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from newsletter.reports.model import Domain, Report, Tally

FATES = ("delivered", "bounced", "dropped", "waiting")
# Rates so small that a tenth of a per cent is too coarse.
SMALL = ("unsubscribed", "complaints")
# Hours in one mark of a curve.
STEP = 3
# The columns that label, count and share take.
BESIDE = 37
MOST_NAME = 24


def outcome(of: "Report", zone: "ZoneInfo") -> Iterator[str]:
    """What became of the mail, and what people did with it."""
    yield _headline(of, zone)
    yield from _fates(of)
    parts = " + ".join(f"{getattr(of.counts.fates, name):,} {name}" for name in FATES)
    yield fill(f"{parts} = {of.sent:,} sent", WIDTH, initial_indent="  ", subsequent_indent="    ")
    yield ""
    yield from _interest("opened", of.opens, of.rates.opened, "by mail programs", on=of.tracking[0])
    yield from _interest(
        "clicked", of.clicks, of.rates.clicked, "by link scanners", on=of.tracking[1]
    )
    yield _line("unsubscribed", of.counts.unsubscribed, percent(of.rates.unsubscribed))


def complaints(of: "Report") -> str:
    """Complaints against Gmail's lines."""
    words = {
        "green": "(Gmail's line: 0.10 %)",
        "yellow": "above Gmail's 0.10 %; never reach 0.30 %",
        "red": "at or above 0.30 %: Gmail will turn mail away",
    }
    told = percent(of.rates.complaints, 2)
    return _line("complaints", of.counts.complaints, told, words[of.complaint_state])


def tables(of: "Report") -> Iterator[str]:
    """Links, mailbox domains and the sends before, each after an empty line."""
    yield f"  A mark of a curve is {STEP} hours of the first {HOURS}."
    if of.links:
        yield from _links(of)
    yield from _domains(of)
    if of.compared:
        yield from _compared(of)


def _headline(of: "Report", zone: "ZoneInfo") -> str:
    from wcwidth import wcswidth

    at = of.sent_at.astimezone(zone)
    sent = f"sent {at:%a} {at.day} {at:%b %Y %H:%M} to {of.sent:,}"
    title = isolated(of.subject)
    space = WIDTH - max(wcswidth(title), 0) - len(sent)
    return f"{title}{' ' * space}{sent}" if space > 1 else f"{title}\n  {sent}"


def _line(label: str, count: int, part: str, rest: str = "") -> str:
    """Label, count and share in columns; what there is to say of it wrapped beside them."""
    first, *more = wrap(rest, WIDTH - BESIDE) or [""]
    start = f"  {label:<13}{count:>9,}  {part:>8}   {first}".rstrip()
    return "\n".join([start, *(f"{'':{BESIDE}}{line}" for line in more)])


def _fates(of: "Report") -> Iterator[str]:
    counts = of.counts
    said = dict.fromkeys(FATES, "")
    if counts.fates.delivered:
        said["delivered"] = sparkline(steps(counts.delivered.hours, STEP))
    said["bounced"] = listed(list(counts.bounces.items()))
    said["dropped"] = listed(list(counts.drops.items()))
    if counts.still_deferred:
        said["waiting"] = f"{counts.still_deferred:,} put off by their servers so far"
    for name, words in said.items():
        count = getattr(counts.fates, name)
        yield _line(name, count, percent(share(count, of.sent)), words)


def _interest(
    name: str, tally: "Tally | None", rate: float | None, machines: str, *, on: bool
) -> Iterator[str]:
    if tally is None:
        yield f"  {name:<13}{'none recorded' if on else 'not known: tracking is off'}"
        return
    curve = sparkline(steps(tally.curve.hours, STEP))
    yield _line(name, tally.readers, percent(rate), f"{curve}  {tally.total:,} times")
    if tally.machine_total:
        yield f"{'':{BESIDE}}{tally.machine_total:,} more {machines}, left out"


def _links(of: "Report") -> Iterator[str]:
    yield ""
    yield f"  {'readers':>9}{'clicks':>9}   link, in the issue's order"
    for link in of.links:
        words = link.text or link.url or "other links"
        start = f"  {link.readers:>9,}{link.total:>9,}   "
        room = WIDTH - len(start)
        first, *more = wrap(words, room - 1) or [""]
        yield start + isolated(first) + ("…" if more else "")
        if link.text:
            url = link.url.partition("://")[2]
            yield " " * len(start) + (url if len(url) <= room else f"{url[: room - 1]}…")


def _domains(of: "Report") -> Iterator[str]:
    yield ""
    last = "opened" if of.opens else ""
    yield (
        f"  {'mailbox domain':<{MOST_NAME}}{'sent':>9}{'delivered':>12}{'bounced':>10}"
        f"{'complaints':>12}{last:>9}"
    ).rstrip()
    for domain in of.counts.domains:
        opened = percent(share(domain.opened, domain.delivered)) if of.opens else ""
        yield _domain(domain, opened)


def _domain(of: "Domain", opened: str) -> str:
    name = of.name or "all others"
    cut = name if len(name) < MOST_NAME else f"{name[: MOST_NAME - 2]}…"
    complained = percent(share(of.complaints, of.delivered), 2)
    return (
        f"  {cut:<{MOST_NAME}}{of.sent:>9,}{percent(share(of.delivered, of.sent)):>12}"
        f"{percent(share(of.bounced, of.sent)):>10}{complained:>12}{opened:>9}"
    ).rstrip()


def _compared(of: "Report") -> Iterator[str]:
    yield ""
    issues = "issue" if of.compared == 1 else f"{of.compared} issues"
    yield f"  {'':<13}{'this one':>9}  median of the last {issues}"
    for name in ("delivered", "bounced", "opened", "clicked", *SMALL):
        digits = 2 if name in SMALL else 1
        mine, usual = (percent(getattr(one, name), digits) for one in (of.rates, of.medians))
        if (mine, usual) != (DASH, DASH):
            yield f"  {name:<13}{mine:>9}{usual:>10}"
