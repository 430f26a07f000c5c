"""``newsletter subscribers stats``: how the list grows, and whence."""

import datetime
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import WIDTH, by_status, count_of, isolated, say

if TYPE_CHECKING:
    from newsletter.subscribers.queries.stats import Period, Stats

BAR = 28
MOST_NAME = 50


@click.command(short_help="Show how the list grows: weeks, churn, sources, tags.")
@click.option(
    "--weeks", type=click.IntRange(1, 520), default=12, show_default=True, metavar="N",
    help="How many weeks to show, the present one included.",
)  # fmt: skip
@click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.svg",
    help="Draw the weeks into a file.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def stats(weeks: int, plot: Path | None, *, as_json: bool) -> None:
    """Show how the list grows: who joined and left by week, churn, sources, tags.

    Weeks begin on Monday in the newsletter's time zone. Churn is the part of a month's
    active readers that left in it.

    \b
    Example:
      newsletter subscribers stats --weeks 26 --plot growth.svg
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from zoneinfo import ZoneInfo

    from newsletter.db import database, reading
    from newsletter.errors import shown
    from newsletter.project import open_project
    from newsletter.subscribers.queries.stats import stats as counted

    if plot:
        _check_kind(plot)
    project = open_project()
    with (
        database(project.config.database, project.root) as engine,
        reading(engine) as connection,
    ):
        found = counted(
            connection,
            weeks=weeks,
            now=datetime.datetime.now(datetime.UTC),
            zone=ZoneInfo(project.config.timezone),
        )
    if as_json:
        say(json.dumps(_as_data(found), ensure_ascii=False))
    else:
        _show(found)
    if plot:
        _draw(found.weeks, project.config.name, plot)
        if not as_json:
            say(shown(plot), colour="green")


def _check_kind(plot: Path) -> None:
    from importlib.util import find_spec

    from newsletter.errors import UsageProblem

    kind = plot.suffix.lower()
    if kind not in {".svg", ".png"}:
        raise UsageProblem(f"'{plot}' is neither .svg nor .png", remedy="Name it FILE.svg.")
    if kind == ".png" and find_spec("cairosvg") is None:
        raise UsageProblem(
            "drawing a PNG needs a library that is not installed",
            remedy="Name it FILE.svg, which browsers and word processors show as well, or: "
            "pip install cairosvg",
        )


def _draw(weeks: "Sequence[Period]", name: str, plot: Path) -> None:
    from newsletter.subscribers.queries.growth_chart import growth

    image = growth(weeks, name)
    if plot.suffix.lower() == ".png":
        from importlib import import_module

        image = import_module("cairosvg").svg2png(bytestring=image, scale=2)
    aside = plot.with_name(f".{plot.name}.new")
    try:
        aside.write_bytes(image)
        aside.replace(plot)
    finally:
        aside.unlink(missing_ok=True)


def _show(found: "Stats") -> None:
    total = sum(found.by_status.values())
    if not total:
        say("The list is empty. Fill it with: newsletter subscribers import FILE.csv")
        return
    ordered = {"active": found.by_status["active"], **found.by_status}
    summary = f"{count_of(total, 'reader')}: {by_status(ordered)}"
    say(fill(summary, WIDTH, subsequent_indent="  "))
    _show_weeks(found.weeks)
    _show_months(found.months)
    _show_counts(
        "source", "readers", "active",
        ((name or "not known", readers, active) for name, readers, active in found.sources),
    )  # fmt: skip
    if found.tags:
        _show_counts("tag", "active", "", ((tag, active, None) for tag, active in found.tags))
    if found.reasons:
        said = ((word.replace("_", " "), count, None) for word, count in found.reasons.items())
        _show_counts("why they left", "answers", "", said)


def _show_weeks(weeks: "Sequence[Period]") -> None:
    say()
    say(f"{'week of':<11} {'joined':>9} {'left':>7} {'net':>8} {'active':>10}  █ joined ░ left")
    most = max(1, *(week.joined + week.left for week in weeks))
    for week in weeks:
        day = f"{week.start.day:>2} {week.start:%b %Y}"
        numbers = f"{week.joined:>9,} {week.left:>7,} {week.net:>+8,} {week.after:>10,}"
        bar = "█" * _length(week.joined, most) + "░" * _length(week.left, most)
        say(f"{day:<11} {numbers}  {bar}".rstrip())


def _length(count: int, most: int) -> int:
    """Characters of a bar; whatever is there can be seen."""
    return max(round(BAR * count / most), 1) if count else 0


def _show_months(months: "Sequence[Period]") -> None:
    say()
    say(f"{'month':<11} {'active at its start':>19} {'left':>7} {'churn':>8}")
    for month in months:
        churn = "" if month.churn is None else f"{100 * month.churn:.1f} %"
        say(f"{month.start:%b %Y}    {month.before:>19,} {month.left:>7,} {churn:>8}".rstrip())


def _show_counts(
    of: str, first: str, second: str, rows: Iterable[tuple[str, int, int | None]]
) -> None:
    from wcwidth import wcswidth

    say()
    say(f"{of:<{MOST_NAME}} {first:>10} {second:>10}".rstrip())
    for name, one, other in rows:
        cut = name if len(name) <= MOST_NAME else f"{name[: MOST_NAME - 1]}…"
        last = "" if other is None else f"{other:,}"
        space = " " * (MOST_NAME - max(wcswidth(cut), 0))
        say(f"{isolated(cut)}{space} {one:>10,} {last:>10}".rstrip())


def _as_data(found: "Stats") -> dict[str, Any]:
    return {
        "by_status": dict(found.by_status),
        "weeks": [_period(week) for week in found.weeks],
        "months": [_period(month) | {"churn": month.churn} for month in found.months],
        "sources": [
            {"source": name, "readers": readers, "active": active}
            for name, readers, active in found.sources
        ],
        "tags": [{"tag": tag, "active": active} for tag, active in found.tags],
        "reasons": dict(found.reasons),
    }


def _period(period: "Period") -> dict[str, Any]:
    return {
        "start": period.start.isoformat(),
        "joined": period.joined,
        "left": period.left,
        "net": period.net,
        "active": period.after,
    }
