"""Parse CSS colors and compute their contrast ratio.

WCAG 2.2 defines "relative luminance" and "contrast ratio".
"""

import re
from functools import lru_cache

RGB = tuple[int, int, int]
WHITE: RGB = (255, 255, 255)

_HEX = re.compile(r"#(?:[0-9a-f]{6}|[0-9a-f]{3})\b")
_NUMBER = r"\d*\.?\d+%?"
_FUNCTION = re.compile(
    rf"rgba?\(\s*({_NUMBER})[\s,]+({_NUMBER})[\s,]+({_NUMBER})\s*(?:[,/]\s*({_NUMBER}))?\s*\)"
)
_NAMED_COLORS: dict[str, RGB] = {
    "black": (0, 0, 0), "white": WHITE, "red": (255, 0, 0), "green": (0, 128, 0),
    "blue": (0, 0, 255), "gray": (128, 128, 128), "grey": (128, 128, 128),
    "silver": (192, 192, 192), "lightgray": (211, 211, 211), "lightgrey": (211, 211, 211),
    "yellow": (255, 255, 0), "orange": (255, 165, 0), "navy": (0, 0, 128),
    "purple": (128, 0, 128), "maroon": (128, 0, 0), "teal": (0, 128, 128), "pink": (255, 192, 203),
}  # fmt: skip
_MIN_OPACITY = 0.95


@lru_cache(maxsize=1024)
def parse_color(value: str) -> RGB | None:
    """Return the first color in a CSS value; ``None`` if there is none or it is translucent."""
    value = value.lower()
    if found := _HEX.search(value):
        digits = found[0][1:]
        digits = "".join(digit * 2 for digit in digits) if len(digits) == len("rgb") else digits
        return (int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16))
    if function := parse_rgb_function(value):
        color, opacity = function
        return color if opacity is None or opacity >= _MIN_OPACITY else None
    return next((_NAMED_COLORS[word] for word in value.split() if word in _NAMED_COLORS), None)


def parse_rgb_function(value: str) -> tuple[RGB, float | None] | None:
    """Return the first ``rgb()`` or ``rgba()`` in a CSS value, with its opacity if it has one.

    The parts are numbers from 0 to 255 or percentages (CSS Color 4, 5.1), the opacity a number from
    0 to 1 or a percentage.
    """
    found = _FUNCTION.search(value.lower())
    if not found:
        return None
    red, green, blue = (round(min(_scale(found[part], 255), 255)) for part in (1, 2, 3))
    return (red, green, blue), _scale(found[4], 1) if found[4] else None


def _scale(number: str, whole: int) -> float:
    """Return a number as it is, and a percentage as a part of ``whole``."""
    return float(number[:-1]) * whole / 100 if number.endswith("%") else float(number)


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
