"""``newsletter subscribers stats``: growth, churn, sources and tags."""

import datetime
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import WIDTH, echo, format_status_counts, isolate_bidi, print_json
from newsletter.cli.project_database import open_project_database
from newsletter.errors import UsageError, display_path
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.subscribers.queries.stats import GrowthPeriod, ListStats
    from newsletter.subscribers.refused_signups import RefusalCount

BAR_WIDTH = 28
MAX_NAME_WIDTH = 50


@click.command("stats", short_help="Show how the list grows: weeks, churn, sources, tags.")
@click.option(
    "--weeks",
    type=click.IntRange(1, 520),
    default=12,
    show_default=True,
    metavar="N",
    help="How many weeks to show, including the present one.",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.svg",
    help="Draw the weeks into a file.",
)
@json_option
def stats_command(weeks: int, plot: Path | None, *, as_json: bool) -> None:
    """Show how the list grows: who joined and left by week, churn, sources, tags.

    Weeks begin on Monday in the newsletter's time zone. Churn is the part of a month's
    active readers that left in it. Sign-ups that were refused are counted by reason.

    \b
    Example:
      newsletter subscribers stats --weeks 26 --plot growth.svg
    """
    from zoneinfo import ZoneInfo

    from newsletter.db import read_transaction
    from newsletter.project import open_project
    from newsletter.subscribers.queries.stats import compute_stats

    if plot:
        _check_plot_format(plot)
    project = open_project()
    with open_project_database(project) as engine, read_transaction(engine) as connection:
        stats = compute_stats(
            connection,
            week_count=weeks,
            now=datetime.datetime.now(datetime.UTC),
            zone=ZoneInfo(project.config.timezone),
        )
    if as_json:
        print_json(_to_dict(stats))
    else:
        _print_stats(stats)
    if plot:
        _write_plot(stats.weeks, project.config.name, plot)
        if not as_json:
            echo(display_path(plot), color="green")


def _check_plot_format(plot: Path) -> None:
    from importlib.util import find_spec

    kind = plot.suffix.lower()
    if kind not in {".svg", ".png"}:
        raise UsageError(f"'{plot}' is neither .svg nor .png", remedy="Name it FILE.svg.")
    if kind == ".png" and find_spec("cairosvg") is None:
        raise UsageError(
            "drawing a PNG needs a library that is not installed",
            remedy="Name it FILE.svg, which browsers and word processors show as well, or: "
            "pip install cairosvg",
        )


def _write_plot(weeks: "Sequence[GrowthPeriod]", name: str, plot: Path) -> None:
    from newsletter.public_files import write_public_file
    from newsletter.reports.output.growth_chart import draw_growth_chart

    image = draw_growth_chart(weeks, name)
    if plot.suffix.lower() == ".png":
        from importlib import import_module

        image = import_module("cairosvg").svg2png(bytestring=image, scale=2)
    write_public_file(plot, image)


def _print_stats(stats: "ListStats") -> None:
    total = sum(stats.by_status.values())
    if not total:
        echo("The list is empty. Fill it with: newsletter subscribers import FILE.csv")
        _print_refused(stats.refused_signups)
        return
    ordered = {"active": stats.by_status["active"], **stats.by_status}
    summary = f"{format_count(total, 'reader')}: {format_status_counts(ordered)}"
    echo(fill(summary, WIDTH, subsequent_indent="  "))
    _print_weeks(stats.weeks)
    _print_months(stats.months)
    _print_counts(
        "source",
        "readers",
        "active",
        ((name or "not known", readers, active) for name, readers, active in stats.sources),
    )
    if stats.tags:
        _print_counts("tag", "active", "", ((tag, active, None) for tag, active in stats.tags))
    if stats.reasons:
        reason_rows = (
            (reason.replace("_", " "), count, None) for reason, count in stats.reasons.items()
        )
        _print_counts("why they left", "answers", "", reason_rows)
    _print_refused(stats.refused_signups)


def _print_refused(counts: "Sequence[RefusalCount]") -> None:
    """Print the refused sign-ups by reason: in the latest month that has any, and in all months."""
    if not counts:
        return
    latest_month = counts[0].month
    totals: Counter[str] = Counter()
    latest: Counter[str] = Counter()
    for month, reason, signups in counts:
        totals[reason] += signups
        latest[reason] += signups if month == latest_month else 0
    rows = (
        (reason.replace("_", " "), total, latest[reason]) for reason, total in totals.most_common()
    )
    _print_counts("refused sign-ups", "in all", f"in {latest_month}", rows)


def _print_weeks(weeks: "Sequence[GrowthPeriod]") -> None:
    echo()
    echo(f"{'week of':<11} {'joined':>9} {'left':>7} {'net':>8} {'active':>10}  █ joined ░ left")
    maximum = max(1, *(week.joined + week.lost for week in weeks))
    for week in weeks:
        day = f"{week.start.day:>2} {week.start:%b %Y}"
        numbers = (
            f"{week.joined:>9,} {week.lost:>7,} {week.net_growth:>+8,} {week.active_at_end:>10,}"
        )
        bar = "█" * _bar_length(week.joined, maximum) + "░" * _bar_length(week.lost, maximum)
        echo(f"{day:<11} {numbers}  {bar}".rstrip())


def _bar_length(count: int, maximum: int) -> int:
    """Return the length of a bar in characters; at least 1 for a count above zero."""
    return max(round(BAR_WIDTH * count / maximum), 1) if count else 0


def _print_months(months: "Sequence[GrowthPeriod]") -> None:
    echo()
    echo(f"{'month':<11} {'active at its start':>19} {'left':>7} {'churn':>8}")
    for month in months:
        churn = "" if month.churn is None else f"{100 * month.churn:.1f} %"
        echo(
            f"{month.start:%b %Y}    {month.active_at_start:>19,} {month.lost:>7,} "
            f"{churn:>8}".rstrip()
        )


def _print_counts(
    label: str, first: str, second: str, rows: Iterable[tuple[str, int, int | None]]
) -> None:
    from wcwidth import wcswidth

    echo()
    echo(f"{label:<{MAX_NAME_WIDTH}} {first:>10} {second:>10}".rstrip())
    for name, first_count, second_count in rows:
        shown_name = name if len(name) <= MAX_NAME_WIDTH else f"{name[: MAX_NAME_WIDTH - 1]}…"
        second_column = "" if second_count is None else f"{second_count:,}"
        space = " " * (MAX_NAME_WIDTH - max(wcswidth(shown_name), 0))
        echo(f"{isolate_bidi(shown_name)}{space} {first_count:>10,} {second_column:>10}".rstrip())


def _to_dict(stats: "ListStats") -> dict[str, Any]:
    return {
        "by_status": dict(stats.by_status),
        "weeks": [_period_to_dict(week) for week in stats.weeks],
        "months": [_period_to_dict(month) | {"churn": month.churn} for month in stats.months],
        "sources": [
            {"source": name, "readers": readers, "active": active}
            for name, readers, active in stats.sources
        ],
        "tags": [{"tag": tag, "active": active} for tag, active in stats.tags],
        "reasons": dict(stats.reasons),
        "refused_signups": [count._asdict() for count in stats.refused_signups],
    }


def _period_to_dict(period: "GrowthPeriod") -> dict[str, Any]:
    return {
        "start": period.start.isoformat(),
        "joined": period.joined,
        "left": period.lost,
        "net": period.net_growth,
        "active": period.active_at_end,
    }
