"""Parse CSS colors and compute their contrast ratio.

WCAG 2.2 defines "relative luminance" and "contrast ratio".
"""

import math
from functools import lru_cache

from tinycss2 import color4

from newsletter.checks.analysis.css_parser import iter_tokens, tokenize

RGB = tuple[int, int, int]
WHITE: RGB = (255, 255, 255)

_COLOR_FUNCTIONS = frozenset({"rgb", "rgba", "hsl", "hsla", "hwb"})
_MIN_OPACITY = 0.95


def parse_color(value: str) -> RGB | None:
    """Return the first color in a CSS value; ``None`` if there is none or it is translucent."""
    color, opacity = parse_rgba(value) or (None, 0)
    return color if opacity >= _MIN_OPACITY else None


@lru_cache(maxsize=1024)
def parse_rgba(value: str) -> tuple[RGB, float] | None:
    """Return the first color in a CSS value, with its opacity from 0 to 1."""
    for token in iter_tokens(tokenize(value)):
        if token.type in {"ident", "hash"} or getattr(token, "lower_name", "") in _COLOR_FUNCTIONS:
            color = color4.parse_color(token)
            if isinstance(color, color4.Color):
                channels = color.to("srgb").coordinates
                if all(map(math.isfinite, channels)):
                    red, green, blue = (round(min(max(part, 0), 1) * 255) for part in channels)
                    return (red, green, blue), color.alpha
    return None


@lru_cache(maxsize=1024)
def contrast_ratio(first: RGB, second: RGB) -> float:
    """Return the contrast ratio of two colors, 1 to 21."""
    dark, light = sorted((_luminance(first), _luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(rgb: RGB) -> float:
    red, green, blue = (_linearize(part / 255) for part in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linearize(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 - WCAG's
