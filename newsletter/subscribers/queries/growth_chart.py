"""Draw the growth of the list as an SVG, for light and dark mode.

The SVG is self-contained.
"""

from collections.abc import Sequence
from typing import Any

import pygal
from lxml import etree
from pygal.style import Style

from newsletter.subscribers.queries.stats import GrowthPeriod

WIDTH, HEIGHT = 900, 440
MAX_LABELS = 12
MAX_TICKS = 6
WEEKS_PER_YEAR = 52
FONT_FAMILY = "'Segoe UI', -apple-system, Roboto, 'Helvetica Neue', Arial, sans-serif"
SVG_NAMESPACE = "{http://www.w3.org/2000/svg}"
CHART_ID = "growth"

# Blue and orange can be told apart with red-green color blindness.
LIGHT_COLORS = {
    "background": "#ffffff",
    "text": "#1f2328",
    "muted": "#5f6870",
    "line": "#e3dfd8",
    "joined": "#1f5f8b",
    "left": "#c4622d",
}
DARK_COLORS = {
    "background": "#17191c",
    "text": "#e4e1dc",
    "muted": "#9aa3ab",
    "line": "#33383d",
    "joined": "#7cb8e0",
    "left": "#f0a070",
}
CSS_TEMPLATE = """
#chart-{id} .graph > .background, #chart-{id} .plot > .background {{ fill: {background} }}
#chart-{id} .title.plot_title {{ fill: {text} }}
#chart-{id} .title:not(.plot_title) {{ font-size: 13px }}
#chart-{id} text, #chart-{id} .legends .legend text {{ fill: {muted} }}
#chart-{id} .axis text, #chart-{id} .axis text.major {{ fill: {muted} }}
#chart-{id} .axis .guide.line, #chart-{id} .axis .major.guide.line {{ stroke: {line} }}
#chart-{id} .axis .line {{ stroke: {muted} }}
#chart-{id} .color-0 {{ fill: {joined}; stroke: {joined} }}
#chart-{id} .color-1 {{ fill: {left}; stroke: {left} }}
#chart-{id} .reactive {{ fill-opacity: 1; stroke-opacity: 0 }}
"""


def draw_growth_chart(weeks: Sequence[GrowthPeriod], newsletter_name: str) -> bytes:
    """Draw a bar per week: those who joined upwards, those who left downwards.

    Args:
        weeks: the weeks, at least one, the oldest first.
        newsletter_name: the name of the newsletter, for the title.

    Returns:
        An SVG document without scripts, links or other external resources.
    """
    chart = pygal.StackedBar(
        width=WIDTH,
        height=HEIGHT,
        style=_build_style(),
        css=["file://graph.css", "inline:" + _build_css()],
        js=[],
        explicit_size=True,
        legend_at_bottom=True,
        legend_at_bottom_columns=6,
        margin=24,
        margin_bottom=48,  # pygal doesn't reserve space for the legend's row
        spacing=8,
        truncate_label=-1,
        value_formatter=lambda value: f"{abs(value):,.0f}",
    )
    chart.uuid = CHART_ID
    active = weeks[-1].active_at_end
    chart.title = f"{newsletter_name}: {active:,} active reader{'' if active == 1 else 's'}"
    chart.x_title = "Week from Monday"
    chart.y_title = "Readers"
    chart.x_labels = _week_labels(weeks)
    chart.y_labels = _axis_ticks(
        max(week.joined for week in weeks), max(week.lost for week in weeks)
    )
    chart.add("Joined", [week.joined for week in weeks])
    chart.add("Left", [-week.lost for week in weeks])
    return _serialize_without_scripts(chart.render_tree())


def _build_style() -> Style:
    return Style(
        background=LIGHT_COLORS["background"],
        plot_background=LIGHT_COLORS["background"],
        colors=(LIGHT_COLORS["joined"], LIGHT_COLORS["left"]),
        font_family=FONT_FAMILY,
        title_font_size=19,
        legend_font_size=14,
        label_font_size=13,
        major_label_font_size=13,
        guide_stroke_dasharray="0",
        major_guide_stroke_dasharray="0",
    )


def _build_css() -> str:
    dark = CSS_TEMPLATE.format(id=CHART_ID, **DARK_COLORS)
    return (
        f"{CSS_TEMPLATE.format(id=CHART_ID, **LIGHT_COLORS)}@media "
        f"(prefers-color-scheme: dark) {{{dark}}}"
    )


def _week_labels(weeks: Sequence[GrowthPeriod]) -> list[str]:
    """Return a label per week; at most ``MAX_LABELS`` aren't empty, among them the last."""
    interval = -(-len(weeks) // MAX_LABELS)
    date_format = "{0:%b %Y}" if len(weeks) > WEEKS_PER_YEAR else "{0.day} {0:%b}"
    return [
        date_format.format(week.start) if remaining % interval == 0 else ""
        for remaining, week in zip(range(len(weeks) - 1, -1, -1), weeks, strict=True)
    ]


def _axis_ticks(up: int, down: int) -> list[int]:
    """Return round whole numbers from ``-down`` or below to ``up`` or above, including zero."""
    step = next(
        unit * 10**power
        for power in range(20)
        for unit in (1, 2, 5)
        if (up + down) / (unit * 10**power) <= MAX_TICKS
    )
    return list(range(-(-down // step) * -step, max(-(-up // step), 1) * step + 1, step))


def _serialize_without_scripts(root: Any) -> bytes:
    for script in list(root.iter(f"{SVG_NAMESPACE}script", "script")):
        script.getparent().remove(script)
    for comment in list(root.iter(etree.Comment)):
        comment.getparent().remove(comment)
    root.set("role", "img")
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")
