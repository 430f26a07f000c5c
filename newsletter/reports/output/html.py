"""Render a report as one self-contained HTML page. Pure."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from newsletter.config.models import Config
from newsletter.reports.bounce_reasons import group_by_action
from newsletter.reports.model import (
    COMPLAINT_RATE_LIMIT,
    COMPLAINT_RATE_WARNING,
    CURVE_DAYS,
    CURVE_HOURS,
    SendReport,
    TimeCurve,
    share,
)
from newsletter.reports.output import charts
from newsletter.reports.output.formatting import (
    count_unclicked_links,
    describe_growth,
    format_percent,
)
from newsletter.wording import format_count

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
        time_sections=_build_time_sections(report),
        time_table=_build_time_table(report),
        growth=_describe_growth(report, config),
        reasons=[
            (f"Why it {verb}", group_by_action(reasons))
            for verb, reasons in (
                ("bounced", report.counts.bounces),
                ("was dropped", report.counts.drops),
            )
            if reasons
        ],
        clicked_links=[link for link in report.links if link.total],
        unclicked_links=count_unclicked_links(report.links),
        complaints=_build_complaints_gauge(report),
        most_clicks=max((link.total for link in report.links), default=0),
        agreed_text=_format_agreed(report),
        charts=charts,
        percent=format_percent,
        share=share,
    )


def _describe_growth(report: SendReport, config: Config) -> str:
    if report.growth is None:
        return ""
    since = report.growth.since.astimezone(ZoneInfo(config.timezone))
    return describe_growth(report.growth, f"{since.day} {since:%B %Y}")


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


class ChartPanel(NamedTuple):
    """A column chart of hours or days.

    Attributes:
        caption: what a bar is, and how tall the tallest is.
        chart: the SVG.
        kind: ``hours``, whose ticks are between the columns, or ``days``, whose ticks are below.
        ticks: labels of the time axis, from left to right.
    """

    caption: str
    chart: Markup
    kind: str
    ticks: list[str]


class TimeSection(NamedTuple):
    """Opens and clicks, or deliveries, over time.

    Attributes:
        heading: the section's.
        panels: the first day by the hour; the first week by the day if there is anything after the
            first day.
        legend: name of each series, and the readers after the last day.
    """

    heading: str
    panels: list[ChartPanel]
    legend: list[tuple[str, int]]


class TimeTable(NamedTuple):
    """The numbers of all curves.

    Attributes:
        names: the names of the series.
        rows: a period, and the readers of each series in it; periods without any are left out.
    """

    names: list[str]
    rows: list[tuple[str, list[int]]]


def _list_curves(report: SendReport) -> dict[str, TimeCurve]:
    """Return the curves that aren't empty, by the name of their series."""
    curves = {
        "delivered": report.counts.delivery_curve,
        "opened": report.opens.curve if report.opens else TimeCurve(),
        "clicked": report.clicks.curve if report.clicks else TimeCurve(),
    }
    return {name: curve for name, curve in curves.items() if curve != TimeCurve()}


def _build_time_sections(report: SendReport) -> list[TimeSection]:
    curves = _list_curves(report)
    sections = []
    for heading, names in (
        ("Opens and clicks over time", ("opened", "clicked")),
        ("Deliveries over time", ("delivered",)),
    ):
        shown = {name: curves[name] for name in names if name in curves}
        if not shown:
            continue
        key = "-".join(shown)
        hours = {name: curve.hours for name, curve in shown.items()}
        panels = [_build_panel(f"{key}-hours", heading, "hour", hours)]
        if any(any(curve.days[1:]) for curve in shown.values()):
            days = {name: curve.days for name, curve in shown.items()}
            panels.append(_build_panel(f"{key}-days", heading, "day", days))
        legend = [(name, curve.later) for name, curve in shown.items()]
        sections.append(TimeSection(heading, panels, legend))
    return sections


def _build_panel(
    key: str, heading: str, unit: str, columns: Mapping[str, Sequence[int]]
) -> ChartPanel:
    count = len(next(iter(columns.values())))
    tallest = max(max(counts) for counts in columns.values())
    description = "; ".join(
        f"{name}: most readers ({max(counts):,}) in {unit} {counts.index(max(counts)) + 1}"
        for name, counts in columns.items()
    )
    series = [charts.Series(name, counts) for name, counts in columns.items()]
    ticks = (
        [f"{hour} h" for hour in range(0, count + 1, count // 6)]
        if unit == "hour"
        else [f"{day}" for day in range(1, count + 1)]
    )
    return ChartPanel(
        f"Each bar is 1 {unit} (first {count} {unit}s). "
        f"The tallest is {format_count(tallest, 'reader')}.",
        charts.draw_columns(key, f"{heading}, by the {unit}", description, series),
        f"{unit}s",
        ticks,
    )


def _build_time_table(report: SendReport) -> TimeTable:
    curves = _list_curves(report)
    by_period = [
        *(
            (f"hour {hour + 1}", [curve.hours[hour] for curve in curves.values()])
            for hour in range(CURVE_HOURS)
        ),
        *(
            (f"day {day + 1}", [curve.days[day] for curve in curves.values()])
            for day in range(1, CURVE_DAYS)
        ),
        ("later", [curve.later for curve in curves.values()]),
    ]
    return TimeTable(list(curves), [(period, row) for period, row in by_period if any(row)])


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
