"""A report as one HTML page that needs nothing else: to look at, to print, to pass on. Pure."""

from functools import cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from newsletter.config.models import Config
from newsletter.reports.model import (
    COMPLAINT_RATE_LIMIT,
    COMPLAINT_RATE_WARNING,
    CURVE_HOURS,
    SendReport,
    share,
)
from newsletter.reports.output import charts
from newsletter.reports.output.formatting import format_percent, group_hours

# Hours in a column of the chart; where no opens are known, all happens on the first day.
STEP_HOURS, DAY_HOURS = 3, 24
_MIN_GAUGE_SCALE = 0.004
_DELIVERY_STATES = ("delivered", "bounced", "dropped", "waiting")


class RateFigure(NamedTuple):
    """A rate of this send beside what is usual."""

    name: str
    value: str
    usual: str
    chart: Markup


def render_report_page(report: SendReport, config: Config) -> str:
    """The page: no script, nothing to load, no reader's address."""
    at = report.sent_at.astimezone(ZoneInfo(config.timezone))
    made = report.made_at.astimezone(ZoneInfo(config.timezone))
    return _template().render(
        of=report,
        counts=report.counts,
        fates=[(name, getattr(report.counts.delivery, name)) for name in _DELIVERY_STATES],
        config=config,
        sent_at=f"{at:%A} {at.day} {at:%B %Y, %H:%M}",
        made_at=f"{made.day} {made:%B %Y, %H:%M}",
        figures=_build_figures(report),
        outcome=charts.draw_stacked_bar(
            "outcome",
            "What became of the mail",
            [(name, getattr(report.counts.delivery, name)) for name in _DELIVERY_STATES],
        ),
        curve=_build_curve_chart(report),
        complaints=_build_complaints_gauge(report),
        most_readers=max((link.readers for link in report.links), default=0),
        charts=charts,
        percent=format_percent,
        share=share,
    )


@cache
def _template() -> Template:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("report_page.html")


def _build_figures(report: SendReport) -> list[RateFigure]:
    """The rates that there are, the most telling first."""
    named = {
        "Delivered": ("delivered", 1),
        "Opened": ("opened", 1),
        "Clicked": ("clicked", 1),
        "Unsubscribed": ("unsubscribed", 2),
        "Bounced": ("bounced", 1),
    }
    found = []
    for words, (name, digits) in named.items():
        value, usual = getattr(report.rates, name), getattr(report.medians, name)
        if value is None:
            continue
        most = 1.0 if name == "delivered" else 1.4 * max(value, usual or 0.0)
        found.append(
            RateFigure(
                words,
                format_percent(value, digits),
                format_percent(usual, digits) if usual is not None else "",
                # A bar says something only beside what it is compared with.
                charts.draw_bar("accent", value, most, usual) if usual is not None else Markup(),
            )
        )
    return found


class CurveChart(NamedTuple):
    """The chart of the hours.

    Attributes:
        chart: the columns.
        names: of the series.
        rows: hours, and the counts of each series, for the table.
        ticks: labels under the chart, from its left end to its right.
        scale: how many hours a column is, and how many readers the tallest.
        later: readers after the last hour, of each series.
    """

    chart: Markup
    names: list[str]
    rows: list[tuple[str, list[int]]]
    ticks: list[str]
    scale: tuple[int, int]
    later: list[int]


def _build_curve_chart(report: SendReport) -> CurveChart:
    known = [
        ("opened", report.opens.curve if report.opens else None),
        ("clicked", report.clicks.curve if report.clicks else None),
    ]
    found = [(name, curve) for name, curve in known if curve]
    length, end = (STEP_HOURS, CURVE_HOURS) if found else (1, DAY_HOURS)
    found = found or [("delivered", report.counts.delivery_curve)]
    columns = [group_hours(curve.hours[:end], length) for _, curve in found]
    later = [curve.later + sum(curve.hours[end:]) for _, curve in found]
    told = "; ".join(
        f"{name}: most readers ({max(counts):,}) {_format_hours(counts.index(max(counts)), length)}"
        for (name, _), counts in zip(found, columns, strict=True)
    )
    title = f"Readers by hours since the send, the first {end}"
    rows = enumerate(zip(*columns, strict=True))
    series = [charts.Series(name, counts) for (name, _), counts in zip(found, columns, strict=True)]
    return CurveChart(
        chart=charts.draw_columns("hours", title, told, series),
        names=[name for name, _ in found],
        rows=[(_format_hours(index, length), list(row)) for index, row in rows],
        ticks=[f"{hour} h" for hour in range(0, end + 1, end // 6)],
        scale=(length, max(max(counts) for counts in columns)),
        later=later,
    )


def _format_hours(index: int, length: int) -> str:
    return f"{index * length} to {(index + 1) * length} h"


class ComplaintsGauge(NamedTuple):
    """Complaints against Gmail's lines."""

    words: str
    chart: Markup
    places: list[tuple[str, str]]


def _build_complaints_gauge(report: SendReport) -> ComplaintsGauge:
    value = report.rates.complaints or 0.0
    most = max(_MIN_GAUGE_SCALE, 1.2 * value)
    words = {
        "green": "below both of Gmail's lines",
        "yellow": "above the line that Gmail asks senders to stay below",
        "red": "at or above the line from which Gmail turns mail away",
    }
    marks = (COMPLAINT_RATE_WARNING, COMPLAINT_RATE_LIMIT)
    return ComplaintsGauge(
        words[report.complaint_state],
        charts.draw_gauge(report.complaint_state, value, marks, most),
        [(format_percent(mark, 2), f"{100 * mark / most:.2f}%") for mark in marks],
    )
