"""Rules on contrast (WCAG 2.2, 1.4.3), on a light screen and on a dark one."""

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
# Which colours of a palette the templates lay on which.
_COLOR_PAIRS = (
    ("text", "surface"), ("text", "ground"), ("text", "code_ground"), ("muted", "surface"),
    ("muted", "ground"), ("accent", "surface"), ("on_accent", "accent"),
)  # fmt: skip


@rule(
    "low-contrast", "warning",
    meaning="Many can't read it, and nobody can in the sun.",
    remedy="Choose a darker colour, in the post or under theme: in newsletter.yml.",
)  # fmt: skip
def low_contrast(context: CheckContext) -> Iterator[Match]:
    """Text on a light screen whose colour is too near to what is behind it."""
    found: dict[tuple[RGB, RGB], str] = {}
    for run in context.text_runs:
        if contrast_ratio(run.style.color, run.style.background) < _get_min_ratio(
            run.style
        ) and _has_alphanumeric(run.text):
            found.setdefault((run.style.color, run.style.background), " ".join(run.text.split()))
    for (ink, ground), text in found.items():
        message = (
            f"'{text[:40]}' is {_to_hex(ink)} on {_to_hex(ground)}: {_format_ratio(ink, ground)}"
        )
        yield Match(message, context.source_map.locate_text(text), text[:80])


@rule(
    "low-contrast-theme", "warning",
    meaning="Many can't read it, and nobody can in the sun.",
    remedy="Choose colours of more contrast under theme: in newsletter.yml.",
)  # fmt: skip
def low_contrast_theme(context: CheckContext) -> Iterator[Match]:
    """Two colours of the theme that are laid on one another and too near, on a light screen."""
    yield from _check_palette(context, "light")


@rule(
    "low-contrast-dark", "warning",
    meaning="In dark mode, which every second reader uses at night, it can't be read.",
    remedy="Choose colours of more contrast under theme: dark: in newsletter.yml.",
)  # fmt: skip
def low_contrast_dark(context: CheckContext) -> Iterator[Match]:
    """Two colours of the theme that are laid on one another and too near, on a dark screen."""
    yield from _check_palette(context, "dark")


def _check_palette(context: CheckContext, scheme: Literal["light", "dark"]) -> Iterator[Match]:
    palette = getattr(context.config.theme, scheme)
    for over, under in _COLOR_PAIRS:
        ink, ground = parse_color(getattr(palette, over)), parse_color(getattr(palette, under))
        if ink and ground and contrast_ratio(ink, ground) < _MIN_RATIO:
            message = f"theme.{scheme}: {over} on {under} has {_format_ratio(ink, ground)}"
            yield Match(message, Location(CONFIG_FILE_NAME), f"{_to_hex(ink)} on {_to_hex(ground)}")


def _get_min_ratio(style: TextStyle) -> float:
    large = style.font_size >= (_LARGE_BOLD_SIZE if style.bold else _LARGE_SIZE)
    return _MIN_RATIO_LARGE if large else _MIN_RATIO


def _has_alphanumeric(text: str) -> bool:
    return any(char.isalnum() for char in text)


def _format_ratio(color: RGB, background: RGB) -> str:
    return f"{contrast_ratio(color, background):.1f}:1, where 4.5:1 can be read"


def _to_hex(rgb: RGB) -> str:
    return "#" + "".join(f"{part:02x}" for part in rgb)
