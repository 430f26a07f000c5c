"""Draw the charts of the report page as SVG. Pure.

The charts stretch to their container; labels are in the HTML beside them, so that they keep their
size on a phone. A chart with information of its own has a title and a description (WAI-ARIA
graphics, ``role="img"``); one that only repeats the number beside it is hidden from screen readers.
"""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

WIDTH, HEIGHT = 1000, 100
_GAP = 3


class Series(NamedTuple):
    """One series of columns: its CSS class, which sets the colour, and its values."""

    name: str
    counts: Sequence[int]


def draw_stacked_bar(key: str, title: str, parts: Sequence[tuple[str, int]]) -> Markup:
    """Return a stacked bar; every part that isn't zero has a visible minimum width.

    Args:
        key: prefix of the ids in the page.
        title: the title for screen readers.
        parts: CSS class and count of each part.
    """
    visible = [(name, count) for name, count in parts if count]
    total = sum(count for _, count in visible) or 1
    min_length, available = 8, WIDTH - _GAP * max(len(visible) - 1, 0)
    lengths = [max(available * count / total, min_length) for _, count in visible]
    excess = sum(lengths) - available
    if lengths:
        lengths[lengths.index(max(lengths))] -= excess
    shapes, x = [], 0.0
    for (name, _), length in zip(visible, lengths, strict=True):
        shapes.append(draw_rect(name, x, 0, length, HEIGHT))
        x += length + _GAP
    description = ", ".join(f"{count:,} {name}" for name, count in parts)
    return _accessible_svg(key, title, description, shapes)


def draw_columns(key: str, title: str, description: str, series: Sequence[Series]) -> Markup:
    """Return a column chart; columns of later series are narrower and in front.

    Args:
        key: prefix of the ids in the page.
        title: the title for screen readers.
        description: the description for screen readers.
        series: all of the same length.
    """
    maximum = max((count for data_series in series for count in data_series.counts), default=0) or 1
    shapes = []
    for depth, data_series in enumerate(series):
        step = WIDTH / max(len(data_series.counts), 1)
        width = step * (0.78 if depth == 0 else 0.36)
        for index, count in enumerate(data_series.counts):
            height = HEIGHT * count / maximum
            x = step * index + (step - width) / 2
            shapes.append(draw_rect(data_series.name, x, HEIGHT - height, width, height))
    return _accessible_svg(key, title, description, shapes)


def draw_bar(name: str, value: float, maximum: float, mark: float | None = None) -> Markup:
    """Return a bar on its track; ``mark`` adds a line for the median."""
    length = WIDTH * min(value / maximum, 1) if maximum else 0
    shapes = [draw_rect("track", 0, 20, WIDTH, 60), draw_rect(name, 0, 20, length, 60)]
    if mark is not None and maximum:
        x = min(WIDTH * mark / maximum, WIDTH - 14)
        shapes += [draw_rect("ground", x - 10, 0, 34, HEIGHT), draw_rect("mark", x, 0, 14, HEIGHT)]
    return _decorative_svg(shapes)


def draw_gauge(name: str, value: float, marks: Sequence[float], maximum: float) -> Markup:
    """Return a bar with lines at limits that it should not reach."""
    length = max(WIDTH * min(value / maximum, 1), 6 if value else 0)
    shapes = [draw_rect("track", 0, 30, WIDTH, 40), draw_rect(name, 0, 30, length, 40)]
    shapes += [draw_rect("mark", WIDTH * mark / maximum - 2, 0, 4, HEIGHT) for mark in marks]
    return _decorative_svg(shapes)


def draw_rect(name: str, x: float, y: float, width: float, height: float) -> Markup:
    """Return a rectangle; ``name`` is its CSS class, which sets the colour."""
    return Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
        name, x, y, width, height
    )


def _accessible_svg(key: str, title: str, description: str, shapes: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-labelledby="{}-title '
        '{}-desc"><title id="{}-title">{}</title><desc id="{}-desc">{}</desc>{}</svg>'
    ).format(WIDTH, HEIGHT, key, key, key, title, key, description, Markup("").join(shapes))


def _decorative_svg(shapes: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(WIDTH, HEIGHT, Markup("").join(shapes))
