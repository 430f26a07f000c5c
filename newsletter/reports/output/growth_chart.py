"""Draw the growth of the list as an SVG, for light and dark mode.

The SVG is self-contained.
"""

from collections.abc import Sequence

from markupsafe import Markup

from newsletter.reports.output.charts import draw_rect
from newsletter.subscribers.queries.stats import GrowthPeriod
from newsletter.wording import format_count

WIDTH, HEIGHT = 900, 440
MAX_LABELS = 12
MAX_TICKS = 6
WEEKS_PER_YEAR = 52
# The plot: its edges without the labels, and its padding as a share of its size.
_LEFT, _RIGHT, _TOP, _BOTTOM = 59, 876, 51, 343
_PADDING = 1 / 52
_DIGIT_WIDTH = 7.8
_BAR_SHARE = 0.88  # of the space of a week

# Blue and orange can be told apart with red-green color blindness.
_LIGHT_COLORS = {
    "background": "#ffffff",
    "text": "#1f2328",
    "muted": "#5f6870",
    "line": "#e3dfd8",
    "joined": "#1f5f8b",
    "left": "#c4622d",
}
_DARK_COLORS = {
    "background": "#17191c",
    "text": "#e4e1dc",
    "muted": "#9aa3ab",
    "line": "#33383d",
    "joined": "#7cb8e0",
    "left": "#f0a070",
}
_COLOR_STYLE = (
    ".background{{fill:{background}}} text{{fill:{muted}}} .title{{fill:{text}}} "
    ".guide{{fill:{line}}} .line{{fill:{muted}}} .joined{{fill:{joined}}} .left{{fill:{left}}}"
)
_STYLE = (
    "text{font:13px 'Segoe UI',-apple-system,Roboto,'Helvetica Neue',Arial,sans-serif} "
    ".title{font-size:19px} .legends text{font-size:14px} .middle{text-anchor:middle} "
    ".y{text-anchor:end} " + _COLOR_STYLE.format(**_LIGHT_COLORS) + " @media "
    "(prefers-color-scheme:dark){" + _COLOR_STYLE.format(**_DARK_COLORS) + "}"
)
_TEXT = Markup('<text x="{:.1f}" y="{:.1f}">{}</text>')


def draw_growth_chart(weeks: Sequence[GrowthPeriod], newsletter_name: str) -> bytes:
    """Draw a bar per week: those who joined upwards, those who left downwards.

    Args:
        weeks: the weeks, at least one, the oldest first.
        newsletter_name: the name of the newsletter, for the title.

    Returns:
        An SVG document without scripts, links or other external resources.
    """
    active = weeks[-1].active_at_end
    title = f"{newsletter_name}: {format_count(active, 'active reader')}"
    ticks = _axis_ticks(max(week.joined for week in weeks), max(week.lost for week in weeks))
    labels = [f"{abs(tick):,}" for tick in ticks]
    left = _LEFT + _DIGIT_WIDTH * max(map(len, labels))
    center, middle = (left + _RIGHT) / 2, (_TOP + _BOTTOM) / 2
    padding_x, padding_y = (_RIGHT - left) * _PADDING, (_BOTTOM - _TOP) * _PADDING
    unit = (_BOTTOM - _TOP - 2 * padding_y) / (ticks[-1] - ticks[0])
    zero = _TOP + padding_y + unit * ticks[-1]
    step = (_RIGHT - left - 2 * padding_x) / len(weeks)

    guides, bars, week_labels = Markup(), Markup(), Markup()
    for tick, label in zip(ticks, labels, strict=True):
        y = zero - unit * tick
        guides += draw_rect("guide" if tick else "line", left, y - 0.5, _RIGHT - left, 1)
        guides += _TEXT.format(left - 5, y + 4.5, label)
    for index, (week, label) in enumerate(zip(weeks, _week_labels(weeks), strict=True)):
        x = left + padding_x + step * index
        for name, count, above in (("joined", week.joined, week.joined), ("left", week.lost, 0)):
            bar = draw_rect(
                name, x + step * (1 - _BAR_SHARE) / 2, zero - unit * above, step * _BAR_SHARE,
                unit * count,
            )  # fmt: skip
            bars += Markup('<g class="bar">{}<desc class="value">{:,}</desc></g>').format(
                bar, count
            )
        if label:
            week_labels += _TEXT.format(x + step / 2, _BOTTOM + 16.5, label)
    legend = Markup().join(
        draw_rect(text.lower(), x, 408, 12, 12) + _TEXT.format(x + 17, 418, text)
        for text, x in (("Joined", left + 8), ("Left", left + 141.5))
    )
    return (
        Markup(
            '<?xml version="1.0" encoding="utf-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" '
            'viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
            "<title>{title}</title><style>{style}</style>{background}"
            '<g class="axis y">{guides}</g>{bars}{axis}<g class="axis x middle">{weeks}</g>'
            '<g class="middle"><text class="title" x="450" y="27">{title}</text>'
            '<text x="{center:.1f}" y="391">Week from Monday</text>'
            '<text transform="translate(27 {middle:.1f}) rotate(-90)">Readers</text></g>'
            '<g class="legends">{legend}</g></svg>\n'
        )
        .format(
            width=WIDTH, height=HEIGHT, title=title, style=Markup(_STYLE), guides=guides, bars=bars,  # noqa: S704 - ours
            background=draw_rect("background", 0, 0, WIDTH, HEIGHT), weeks=week_labels,
            axis=draw_rect("line", left - 0.5, _TOP, 1, _BOTTOM - _TOP), center=center,
            middle=middle, legend=legend,
        )
        .encode()
    )  # fmt: skip


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
