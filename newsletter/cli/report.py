"""``newsletter report``: what became of a send."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import WIDTH, isolated, note, say

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from newsletter.events.report_sends import Departure
    from newsletter.events.report_shape import Domain, Report, Tally
    from newsletter.project import Project
    from newsletter.sending.ledger import Ledger

# Hours in one mark of a curve.
STEP = 3
BESIDE = 37
MOST_NAME = 24


@click.command(short_help="See what became of a send.")
@click.argument("issue", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@click.option(
    "--html", "page", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write a page that needs nothing else, to look at or to pass on.",
)  # fmt: skip
def report(issue: str | None, page: Path | None, *, as_json: bool) -> None:
    """See what became of a send: delivered, bounced, read, left, complained.

    ISSUE is an issue's name or a part of it; without it, the latest send is shown. What
    SendGrid reports comes by newsletter serve, or by newsletter events import. Opens and
    clicks are there only if tracking is on, and programs' are left out of people's.

    \b
    Examples:
      newsletter report
      newsletter report building-trust --html report.html
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from zoneinfo import ZoneInfo

    from newsletter.db import database, reading
    from newsletter.errors import shown
    from newsletter.events.report import report as made
    from newsletter.events.report_data import as_data
    from newsletter.events.report_page import page_of
    from newsletter.events.report_sends import departures
    from newsletter.project import open_project
    from newsletter.sending.sends import ledger_of

    project = open_project()
    with database(project.config.database, project.root) as engine:
        with reading(engine) as connection:
            gone = departures(connection)
        of = _chosen(issue, gone, project, ledger_of(engine, project.config))
        with reading(engine) as connection:
            found = made(connection, of, project.config, datetime.datetime.now(datetime.UTC))
    if as_json:
        say(json.dumps(as_data(found), ensure_ascii=False))
    else:
        _show(found, ZoneInfo(project.config.timezone))
    if page:
        _write(page, page_of(found, project.config).encode())
        if not as_json:
            say(shown(page), colour="green")


def _chosen(
    name: str | None, gone: "list[Departure]", project: "Project", ledger: "Ledger"
) -> "Departure":
    """The send that is meant.

    Raises:
        ProjectError: there is none, or nothing of it has left.
    """
    from newsletter.errors import ProjectError
    from newsletter.project import find_issue
    from newsletter.sending.sends import find_send

    if name is None:
        if not gone:
            raise ProjectError(
                "nothing has been sent yet", remedy="Send an issue with: newsletter send"
            )
        return gone[-1]
    try:
        found = find_send(ledger, name)
    except ProjectError as error:
        if any(name.casefold() in one.issue.casefold() for one in gone):
            raise
        try:
            folder = find_issue(project, name)
        except ProjectError:
            raise error from None
        raise ProjectError(
            f"{folder.name} has not been sent",
            remedy=f"Send it with: newsletter send {folder.name[11:]}",
        ) from None
    left = next((one for one in gone if one.id == found.id), None)
    if left is None:
        raise ProjectError(
            f"nobody has {found.issue} yet", remedy=f"See: newsletter status {found.slug}"
        )
    return left


def _write(path: Path, data: bytes) -> None:
    """Write aside, then rename: a full disk leaves the old file whole."""
    aside = path.with_name(f".{path.name}.new")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _show(of: "Report", zone: "ZoneInfo") -> None:
    from newsletter.events.report_shape import HOURS

    say(_headline(of, zone))
    for line in _fates(of):
        say(line)
    say(_identity(of))
    say()
    for line in (*_interest(of), _unsubscribed(of)):
        say(line)
    say(_complaints(of), colour=of.complaint_state)
    say(f"  A mark of a curve is {STEP} hours of the first {HOURS}.")
    for table in (_links(of), _domains(of), _compared(of)):
        lines = list(table)
        if lines:
            say()
        for line in lines:
            say(line)
    _say_next(of)


def _headline(of: "Report", zone: "ZoneInfo") -> str:
    from wcwidth import wcswidth

    at = of.sent_at.astimezone(zone)
    sent = f"sent {at:%a} {at.day} {at:%b %Y %H:%M} to {of.sent:,}"
    title = isolated(of.subject)
    space = WIDTH - max(wcswidth(title), 0) - len(sent)
    return f"{title}{' ' * space}{sent}" if space > 1 else f"{title}\n  {sent}"


def _line(label: str, count: int, share: str, rest: str = "") -> str:
    """Label, count and share in columns; what there is to say of it wrapped beside them."""
    start = f"  {label:<13}{count:>9,}  {share:>8}   "
    first, *more = wrap(rest, WIDTH - len(start)) or [""]
    return "\n".join([(start + first).rstrip(), *(" " * len(start) + line for line in more)])


def _fates(of: "Report") -> Iterator[str]:
    from newsletter.events.report_words import listed, percent, sparkline, steps

    counts, fates = of.counts, of.counts.fates
    curve = sparkline(steps(counts.delivered.hours, STEP)) if fates.delivered else ""
    put_off = f"{counts.still_deferred:,} put off by their servers so far"
    said = {
        "delivered": curve,
        "bounced": listed(list(counts.bounces.items())),
        "dropped": listed(list(counts.drops.items())),
        "waiting": put_off if counts.still_deferred else "",
    }
    for name, words in said.items():
        count = getattr(fates, name)
        whole = of.sent or None
        yield _line(name, count, percent(count / whole if whole else None), words)


def _identity(of: "Report") -> str:
    fates = of.counts.fates
    parts = " + ".join(
        f"{getattr(fates, name):,} {name}"
        for name in ("delivered", "bounced", "dropped", "waiting")
    )
    return f"  {parts} = {of.sent:,} sent"


def _interest(of: "Report") -> Iterator[str]:
    for name, tally, tracked, who in (
        ("opened", of.opens, of.tracking[0], "by mail programs"),
        ("clicked", of.clicks, of.tracking[1], "by link scanners"),
    ):
        if tally is not None:
            share = of.rates.opened if name == "opened" else of.rates.clicked
            yield from _people(name, tally, share, who)
        elif tracked:
            yield f"  {name:<13}none recorded"
        else:
            yield f"  {name:<13}not known: tracking is off"


def _people(name: str, tally: "Tally", share: float | None, machines: str) -> Iterator[str]:
    from newsletter.events.report_words import percent, sparkline, steps

    curve = sparkline(steps(tally.curve.hours, STEP))
    yield _line(name, tally.readers, percent(share), f"{curve}  {tally.total:,} times")
    if tally.machine_total:
        yield f"{'':{BESIDE}}{tally.machine_total:,} more {machines}, left out"


def _unsubscribed(of: "Report") -> str:
    from newsletter.events.report_words import percent

    return _line("unsubscribed", of.counts.unsubscribed, percent(of.rates.unsubscribed))


def _complaints(of: "Report") -> str:
    from newsletter.events.report_words import percent

    words = {
        "green": "(Gmail's line: 0.10 %)",
        "yellow": "above Gmail's 0.10 %; never reach 0.30 %",
        "red": "at or above 0.30 %: Gmail will turn mail away",
    }
    share = percent(of.rates.complaints, 2)
    return _line("complaints", of.counts.complaints, share, words[of.complaint_state])


def _links(of: "Report") -> Iterator[str]:
    if not of.links:
        return
    yield f"  {'readers':>9}{'clicks':>9}   link, in the issue's order"
    for link in of.links:
        words = link.text or link.url or "links that the issue doesn't have"
        start = f"  {link.readers:>9,}{link.total:>9,}   "
        first, *more = wrap(words, WIDTH - len(start)) or [""]
        yield start + isolated(first) + ("…" if more else "")
        if link.text:
            url = link.url.partition("://")[2]
            room = WIDTH - len(start)
            yield " " * len(start) + (url if len(url) <= room else f"{url[: room - 1]}…")


def _domains(of: "Report") -> Iterator[str]:
    from newsletter.events.report_words import percent

    last = "opened" if of.opens else ""
    yield (
        f"  {'mailbox domain':<{MOST_NAME}}{'sent':>9}{'delivered':>12}{'bounced':>10}"
        f"{'complaints':>12}{last:>9}"
    ).rstrip()
    for domain in of.counts.domains:
        yield _domain(domain, percent(_of(domain.opened, domain)) if of.opens else "")


def _domain(of: "Domain", opened: str) -> str:
    from newsletter.events.report_words import percent

    name = of.name or "all others"
    cut = name if len(name) < MOST_NAME else f"{name[: MOST_NAME - 2]}…"
    return (
        f"  {cut:<{MOST_NAME}}{of.sent:>9,}{percent(of.delivered / of.sent):>12}"
        f"{percent(of.bounced / of.sent):>10}{percent(_of(of.complaints, of), 2):>12}{opened:>9}"
    ).rstrip()


def _of(part: int, domain: "Domain") -> float | None:
    from newsletter.events.report_shape import share

    return share(part, domain.delivered)


def _compared(of: "Report") -> Iterator[str]:
    from newsletter.events.report_words import DASH, percent

    if not of.compared:
        return
    issues = "issue" if of.compared == 1 else f"{of.compared} issues"
    yield f"  {'':<13}{'this one':>9}  median of the last {issues}"
    names = ("delivered", "bounced", "opened", "clicked", "unsubscribed", "complaints")
    for name in names:
        digits = 2 if name in {"unsubscribed", "complaints"} else 1
        mine, usual = (percent(getattr(one, name), digits) for one in (of.rates, of.medians))
        if (mine, usual) != (DASH, DASH):
            yield f"  {name:<13}{mine:>9}{usual:>10}"


def _say_next(of: "Report") -> None:
    if of.silent:
        note(
            "SendGrid has reported nothing of it yet. Its events come by newsletter serve, or\n"
            "by: newsletter events import FILE"
        )
    if of.others.get("unknown"):
        note(
            f"{of.others['unknown']:,} more readers may or may not have it. "
            f"See: newsletter status {of.slug}"
        )
