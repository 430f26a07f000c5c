"""Rules on color contrast (WCAG 2.2, 1.4.3) in light and dark mode."""

from collections.abc import Iterator
from typing import Literal

from newsletter.checks.analysis.color import RGB, contrast_ratio, parse_color
from newsletter.checks.analysis.computed_text import TextStyle
from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.checks.source_map import CONFIG_FILE_NAME
from newsletter.errors import Location

rule = Topic("Contrast").rule

_MIN_RATIO, _MIN_RATIO_LARGE = 4.5, 3.0
_LARGE_SIZE, _LARGE_BOLD_SIZE = 24.0, 18.66  # px: 18 and 14 pt
# The pairs of colors in the templates: text, background.
_COLOR_PAIRS = (
    ("text", "surface"), ("text", "ground"), ("text", "code_ground"), ("muted", "surface"),
    ("muted", "ground"), ("accent", "surface"), ("on_accent", "accent"),
)  # fmt: skip


@rule(
    "low-contrast",
    "warning",
    meaning="Many readers can't read it, and nobody can in bright light.",
    remedy="Choose a darker colour, in the post or under theme: in newsletter.yml.",
)
def low_contrast(context: CheckContext) -> Iterator[Match]:
    """Text whose colour is too close to its background, in light mode."""
    found: dict[tuple[RGB, RGB], str] = {}
    for run in context.text_runs:
        if contrast_ratio(run.style.color, run.style.background) < _get_min_ratio(
            run.style
        ) and _has_alphanumeric(run.text):
            found.setdefault((run.style.color, run.style.background), " ".join(run.text.split()))
    for (color, background), text in found.items():
        colors = f"{_to_hex(color)} on {_to_hex(background)}"
        message = f"'{text[:40]}' is {colors}: {_format_ratio(color, background)}"
        yield Match(message, context.source_map.locate_text(text), text[:80])


@rule(
    "low-contrast-theme",
    "warning",
    meaning="Many readers can't read it, and nobody can in bright light.",
    remedy="Choose colours with more contrast under theme: in newsletter.yml.",
)
def low_contrast_theme(context: CheckContext) -> Iterator[Match]:
    """Two colours of the theme, text on background, that are too close in light mode."""
    yield from _check_palette(context, "light")


@rule(
    "low-contrast-dark",
    "warning",
    meaning="In dark mode, which every second reader uses at night, it can't be read.",
    remedy="Choose colours with more contrast under theme: dark: in newsletter.yml.",
)
def low_contrast_dark(context: CheckContext) -> Iterator[Match]:
    """Two colours of the theme, text on background, that are too close in dark mode."""
    yield from _check_palette(context, "dark")


def _check_palette(context: CheckContext, scheme: Literal["light", "dark"]) -> Iterator[Match]:
    palette = getattr(context.config.theme, scheme)
    for text_name, background_name in _COLOR_PAIRS:
        color, background = (
            parse_color(getattr(palette, text_name)),
            parse_color(getattr(palette, background_name)),
        )
        if color and background and contrast_ratio(color, background) < _MIN_RATIO:
            ratio = _format_ratio(color, background)
            message = f"theme.{scheme}: {text_name} on {background_name} has {ratio}"
            yield Match(
                message, Location(CONFIG_FILE_NAME), f"{_to_hex(color)} on {_to_hex(background)}"
            )


def _get_min_ratio(style: TextStyle) -> float:
    large = style.font_size >= (_LARGE_BOLD_SIZE if style.bold else _LARGE_SIZE)
    return _MIN_RATIO_LARGE if large else _MIN_RATIO


def _has_alphanumeric(text: str) -> bool:
    return any(char.isalnum() for char in text)


def _format_ratio(color: RGB, background: RGB) -> str:
    return f"{contrast_ratio(color, background):.1f}:1, less than 4.5:1"


def _to_hex(rgb: RGB) -> str:
    return "#" + "".join(f"{part:02x}" for part in rgb)
