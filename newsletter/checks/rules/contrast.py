"""Rules on contrast (WCAG 2.2, 1.4.3), on a light screen and on a dark one."""

from collections.abc import Iterator
from typing import Literal

from newsletter.checks.analysis.color import RGB, colour, contrast
from newsletter.checks.analysis.computed_text import Look
from newsletter.checks.check_context import Mail
from newsletter.checks.rule import Hit, Topic
from newsletter.checks.source_map import SETTINGS
from newsletter.errors import Location

rule = Topic("Contrast").rule

_LEAST, _LEAST_LARGE = 4.5, 3.0
_LARGE, _LARGE_BOLD = 24.0, 18.66  # px: 18 and 14 pt
# Which colours of a palette the templates lay on which.
_PAIRS = (
    ("text", "surface"), ("text", "ground"), ("text", "code_ground"), ("muted", "surface"),
    ("muted", "ground"), ("accent", "surface"), ("on_accent", "accent"),
)  # fmt: skip


@rule(
    "low-contrast", "warning",
    meaning="Many can't read it, and nobody can in the sun.",
    remedy="Choose a darker colour, in the post or under theme: in newsletter.yml.",
)  # fmt: skip
def low_contrast(mail: Mail) -> Iterator[Hit]:
    """Text on a light screen whose colour is too near to what is behind it."""
    found: dict[tuple[RGB, RGB], str] = {}
    for run in mail.runs:
        if contrast(run.look.ink, run.look.ground) < _least(run.look) and _says(run.text):
            found.setdefault((run.look.ink, run.look.ground), " ".join(run.text.split()))
    for (ink, ground), text in found.items():
        message = f"'{text[:40]}' is {_hex(ink)} on {_hex(ground)}: {_ratio(ink, ground)}"
        yield Hit(message, mail.places.words(text), text[:80])


@rule(
    "low-contrast-theme", "warning",
    meaning="Many can't read it, and nobody can in the sun.",
    remedy="Choose colours of more contrast under theme: in newsletter.yml.",
)  # fmt: skip
def low_contrast_theme(mail: Mail) -> Iterator[Hit]:
    """Two colours of the theme that are laid on one another and too near, on a light screen."""
    yield from _palette(mail, "light")


@rule(
    "low-contrast-dark", "warning",
    meaning="In dark mode, which every second reader uses at night, it can't be read.",
    remedy="Choose colours of more contrast under theme: dark: in newsletter.yml.",
)  # fmt: skip
def low_contrast_dark(mail: Mail) -> Iterator[Hit]:
    """Two colours of the theme that are laid on one another and too near, on a dark screen."""
    yield from _palette(mail, "dark")


def _palette(mail: Mail, scheme: Literal["light", "dark"]) -> Iterator[Hit]:
    palette = getattr(mail.config.theme, scheme)
    for over, under in _PAIRS:
        ink, ground = colour(getattr(palette, over)), colour(getattr(palette, under))
        if ink and ground and contrast(ink, ground) < _LEAST:
            message = f"theme.{scheme}: {over} on {under} has {_ratio(ink, ground)}"
            yield Hit(message, Location(SETTINGS), f"{_hex(ink)} on {_hex(ground)}")


def _least(look: Look) -> float:
    large = look.size >= (_LARGE_BOLD if look.bold else _LARGE)
    return _LEAST_LARGE if large else _LEAST


def _says(text: str) -> bool:
    return any(char.isalnum() for char in text)


def _ratio(ink: RGB, ground: RGB) -> str:
    return f"{contrast(ink, ground):.1f}:1, where 4.5:1 can be read"


def _hex(rgb: RGB) -> str:
    return "#" + "".join(f"{part:02x}" for part in rgb)
