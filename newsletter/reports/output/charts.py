"""Charts of a report's page: SVG shapes that stretch to their place. Pure.

Words stand beside them in HTML, so that they keep their size on a phone. A chart that says
something has a title and a description (WAI-ARIA graphics, ``role="img"``); one that only repeats
the number beside it is hidden from screen readers.
"""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

WIDTH, HEIGHT = 1000, 100
_GAP = 3


class Series(NamedTuple):
    """What columns show: the class that colours them, and their heights."""

    name: str
    counts: Sequence[int]


def draw_stacked_bar(key: str, title: str, parts: Sequence[tuple[str, int]]) -> Markup:
    """One bar of parts, each as long as its share; whatever is there can be seen.

    Args:
        key: an id of the page.
        title: what it shows.
        parts: class and count.
    """
    there = [(name, count) for name, count in parts if count]
    whole = sum(count for _, count in there) or 1
    least, room = 8, WIDTH - _GAP * max(len(there) - 1, 0)
    lengths = [max(room * count / whole, least) for _, count in there]
    excess = sum(lengths) - room
    if lengths:
        lengths[lengths.index(max(lengths))] -= excess
    shapes, left = [], 0.0
    for (name, _), length in zip(there, lengths, strict=True):
        shapes.append(_rect(name, left, 0, length, HEIGHT))
        left += length + _GAP
    told = ", ".join(f"{count:,} {name}" for name, count in parts)
    return _accessible_svg(key, title, told, shapes)


def draw_columns(key: str, title: str, description: str, series: Sequence[Series]) -> Markup:
    """Columns side by side; of several series, the later ones stand narrower in front.

    Args:
        key: an id of the page.
        title: what it shows.
        description: the same in words.
        series: of equal length.
    """
    most = max((count for one in series for count in one.counts), default=0) or 1
    shapes = []
    for depth, one in enumerate(series):
        step = WIDTH / max(len(one.counts), 1)
        width = step * (0.78 if depth == 0 else 0.36)
        for index, count in enumerate(one.counts):
            tall = HEIGHT * count / most
            start = step * index + (step - width) / 2
            shapes.append(_rect(one.name, start, HEIGHT - tall, width, tall))
    return _accessible_svg(key, title, description, shapes)


def draw_bar(name: str, value: float, maximum: float, mark: float | None = None) -> Markup:
    """A bar beside its number, on its track; ``mark`` draws a line, for what is usual."""
    length = WIDTH * min(value / maximum, 1) if maximum else 0
    shapes = [_rect("track", 0, 20, WIDTH, 60), _rect(name, 0, 20, length, 60)]
    if mark is not None and maximum:
        at = min(WIDTH * mark / maximum, WIDTH - 14)
        shapes += [_rect("ground", at - 10, 0, 34, HEIGHT), _rect("mark", at, 0, 14, HEIGHT)]
    return _decorative_svg(shapes)


def draw_gauge(name: str, value: float, marks: Sequence[float], maximum: float) -> Markup:
    """A bar against lines that it should not reach."""
    length = max(WIDTH * min(value / maximum, 1), 6 if value else 0)
    shapes = [_rect("track", 0, 30, WIDTH, 40), _rect(name, 0, 30, length, 40)]
    shapes += [_rect("mark", WIDTH * mark / maximum - 2, 0, 4, HEIGHT) for mark in marks]
    return _decorative_svg(shapes)


def _rect(name: str, x: float, y: float, width: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
        name, x, y, width, height
    )


def _accessible_svg(key: str, title: str, description: str, shapes: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-labelledby="{}-title '
        '{}-told"><title id="{}-title">{}</title><desc id="{}-told">{}</desc>{}</svg>'
    ).format(WIDTH, HEIGHT, key, key, key, title, key, description, Markup("").join(shapes))


def _decorative_svg(shapes: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(WIDTH, HEIGHT, Markup("").join(shapes))
