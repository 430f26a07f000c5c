"""Render a report as one self-contained HTML page. Pure."""

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

# Hours per column; without opens or clicks the chart shows deliveries, nearly all on the first day.
STEP_HOURS, DAY_HOURS = 3, 24
_MIN_GAUGE_SCALE = 0.004
_DELIVERY_STATES = ("delivered", "bounced", "dropped", "waiting")


class RateFigure(NamedTuple):
    """A rate of this send, the median of earlier ones, and of how many it is, as text."""

    name: str
    value: str
    median: str
    chart: Markup
    agreed: str


def render_report_page(report: SendReport, config: Config) -> str:
    """Return the page: without scripts, external resources or addresses."""
    sent_at = report.sent_at.astimezone(ZoneInfo(config.timezone))
    made_at = report.made_at.astimezone(ZoneInfo(config.timezone))
    return _template().render(
        report=report,
        counts=report.counts,
        delivery=[(name, getattr(report.counts.delivery, name)) for name in _DELIVERY_STATES],
        config=config,
        sent_at=f"{sent_at:%A} {sent_at.day} {sent_at:%B %Y, %H:%M}",
        made_at=f"{made_at.day} {made_at:%B %Y, %H:%M}",
        figures=_build_figures(report),
        outcome=charts.draw_stacked_bar(
            "outcome",
            "Delivery",
            [(name, getattr(report.counts.delivery, name)) for name in _DELIVERY_STATES],
        ),
        curve=_build_curve_chart(report),
        complaints=_build_complaints_gauge(report),
        most_readers=max((link.readers for link in report.links), default=0),
        agreed_text=_format_agreed(report),
        charts=charts,
        percent=format_percent,
        share=share,
    )


def _format_agreed(report: SendReport) -> str:
    """Return of how many readers opens and clicks were recorded, if they were asked."""
    return ", ".join(
        f"{name} of {agreed.sent:,}"
        for name, agreed in zip(("opens", "clicks"), report.agreed, strict=True)
        if agreed
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
    """Return the known rates, the most important first."""
    rates = {
        "Delivered": ("delivered", 1),
        "Opened": ("opened", 1),
        "Clicked": ("clicked", 1),
        "Unsubscribed": ("unsubscribed", 2),
        "Bounced": ("bounced", 1),
    }
    agreed_readers = dict(zip(("opened", "clicked"), report.agreed, strict=True))
    figures = []
    for label, (name, digits) in rates.items():
        value, median = getattr(report.rates, name), getattr(report.medians, name)
        if value is None:
            continue
        agreed = agreed_readers.get(name)
        maximum = 1.0 if name == "delivered" else 1.4 * max(value, median or 0.0)
        figures.append(
            RateFigure(
                label,
                format_percent(value, digits),
                format_percent(median, digits) if median is not None else "",
                # A bar is only useful in comparison with the median.
                charts.draw_bar("accent", value, maximum, median)
                if median is not None
                else Markup(),
                f"of {agreed.sent:,} who agreed" if agreed else "",
            )
        )
    return figures


class CurveChart(NamedTuple):
    """The chart of opens and clicks, or deliveries, over time.

    Attributes:
        chart: the SVG.
        names: the names of the series.
        rows: hours, and the counts of each series, for the table.
        ticks: labels of the time axis, from left to right.
        scale: hours per column, and recipients in the highest column.
        later: recipients after the last hour, for each series.
    """

    chart: Markup
    names: list[str]
    rows: list[tuple[str, list[int]]]
    ticks: list[str]
    scale: tuple[int, int]
    later: list[int]


def _build_curve_chart(report: SendReport) -> CurveChart:
    candidates = [
        ("opened", report.opens.curve if report.opens else None),
        ("clicked", report.clicks.curve if report.clicks else None),
    ]
    curves = [(name, curve) for name, curve in candidates if curve]
    length, end = (STEP_HOURS, CURVE_HOURS) if curves else (1, DAY_HOURS)
    curves = curves or [("delivered", report.counts.delivery_curve)]
    columns = [group_hours(curve.hours[:end], length) for _, curve in curves]
    later = [curve.later + sum(curve.hours[end:]) for _, curve in curves]
    description = "; ".join(
        f"{name}: most readers ({max(counts):,}) {_format_hours(counts.index(max(counts)), length)}"
        for (name, _), counts in zip(curves, columns, strict=True)
    )
    title = f"Readers by hours since the send, the first {end}"
    rows = enumerate(zip(*columns, strict=True))
    series = [
        charts.Series(name, counts) for (name, _), counts in zip(curves, columns, strict=True)
    ]
    return CurveChart(
        chart=charts.draw_columns("hours", title, description, series),
        names=[name for name, _ in curves],
        rows=[(_format_hours(index, length), list(row)) for index, row in rows],
        ticks=[f"{hour} h" for hour in range(0, end + 1, end // 6)],
        scale=(length, max(max(counts) for counts in columns)),
        later=later,
    )


def _format_hours(index: int, length: int) -> str:
    return f"{index * length} to {(index + 1) * length} h"


class ComplaintsGauge(NamedTuple):
    """The complaint rate in comparison with Gmail's thresholds.

    Attributes:
        assessment: the comparison as text.
        chart: the SVG.
        ticks: the label of each threshold and its position (CSS ``left``).
    """

    assessment: str
    chart: Markup
    ticks: list[tuple[str, str]]


def _build_complaints_gauge(report: SendReport) -> ComplaintsGauge:
    value = report.rates.complaints or 0.0
    maximum = max(_MIN_GAUGE_SCALE, 1.2 * value)
    assessments = {
        "green": "below both of Gmail's thresholds",
        "yellow": "at or above the threshold that Gmail asks senders to stay below",
        "red": "at or above the threshold from which Gmail rejects mail",
    }
    marks = (COMPLAINT_RATE_WARNING, COMPLAINT_RATE_LIMIT)
    return ComplaintsGauge(
        assessments[report.complaint_state],
        charts.draw_gauge(report.complaint_state, value, marks, maximum),
        [(format_percent(mark, 2), f"{100 * mark / maximum:.2f}%") for mark in marks],
    )
