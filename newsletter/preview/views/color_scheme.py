"""Show an email in light mode, dark mode or a client's forced dark mode.

Pure.
"""

import colorsys
import re
from typing import Literal

from newsletter.checks.analysis.color import parse_rgb_function
from newsletter.checks.analysis.css_parser import parse_declarations, rewrite_styles

ColorScheme = Literal["light", "dark", "forced"]

_COLOR_SCHEME_QUERY = re.compile(
    r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)", re.IGNORECASE
)
_HEAD_END = re.compile(r"</head\s*>", re.IGNORECASE)
_MATCH_ALWAYS, _MATCH_NEVER = "(min-width: 0)", "(min-width: 99999px)"
_COLOR = re.compile(
    r"#[0-9a-f]{3,8}\b|rgba?\([^)]*\)|\b(?:white|black|gr[ae]y|silver|whitesmoke|snow|ivory)\b",
    re.IGNORECASE,
)
_COLOR_ATTRIBUTE = re.compile(
    r"""(?<=\s)(bgcolor|color)=(["'])(#[0-9a-f]{3,8}|\w+)\2""", re.IGNORECASE
)
_NAMED_COLORS = {
    "white": "#ffffff",
    "black": "#000000",
    "gray": "#808080",
    "grey": "#808080",
    "silver": "#c0c0c0",
    "whitesmoke": "#f5f5f5",
    "snow": "#fffafa",
    "ivory": "#fffff0",
}
_MIDDLE_LIGHTNESS = 0.5
_MIN_LIGHTNESS, _MAX_LIGHTNESS = 0.1, 0.97
_RGBA_LENGTH = 4  # parts of a colour with opacity


def apply_color_scheme(html: str, scheme: ColorScheme) -> str:
    """Return the email so that it shows in ``scheme``, whichever the browser prefers.

    Args:
        html: the whole document.
        scheme: ``dark`` follows the email's own rules for dark mode; ``forced`` makes light
            backgrounds dark and dark text light, as clients do that ignore such rules.
    """
    target = "dark" if scheme == "dark" else "light"

    def evaluate_query(match: re.Match[str]) -> str:
        return _MATCH_ALWAYS if match[1].lower() == target else _MATCH_NEVER

    html = _COLOR_SCHEME_QUERY.sub(evaluate_query, html)
    forced_css = ""
    if scheme == "forced":
        html = _COLOR_ATTRIBUTE.sub(
            _invert_attribute, rewrite_styles(html, lambda css: css, _invert_declarations)
        )
        forced_css = "html, body { background-color: #1a1a1a !important; color: #ebebeb; }"
    style = f"<style>:root {{ color-scheme: {target} !important; }} {forced_css}</style>"
    return _HEAD_END.sub(lambda match: style + match[0], html, count=1)


def _invert_declarations(css: str) -> str:
    return " ".join(
        f"{declaration.name}: {_invert_value(declaration.name, declaration.value)};"
        for declaration in parse_declarations(css)
    )


def _invert_value(name: str, value: str) -> str:
    if name in {"background", "background-color"} or name.startswith(("border", "outline")):
        return _COLOR.sub(lambda match: _darken(match[0]), value)
    if name == "color":
        return _COLOR.sub(lambda match: _lighten(match[0]), value)
    return value


def _invert_attribute(match: re.Match[str]) -> str:
    invert = _darken if match[1].lower() == "bgcolor" else _lighten
    return f'{match[1]}="{invert(match[3])}"'


def _darken(color: str) -> str:
    return _invert_lightness(color, when_light=True)


def _lighten(color: str) -> str:
    return _invert_lightness(color, when_light=False)


def _invert_lightness(color: str, *, when_light: bool) -> str:
    """Return the colour with inverted lightness and the same hue.

    Colours that are light or dark enough already are returned unchanged.
    """
    parts = _parse_rgb(color)
    if parts is None:
        return color
    hue, light, saturation = colorsys.rgb_to_hls(*(part / 255 for part in parts[:3]))
    if (light > _MIDDLE_LIGHTNESS) is not when_light:
        return color
    # Keep the chroma, so that a grey with a hint of a tint stays one at any lightness.
    chroma = saturation * (1 - abs(2 * light - 1))
    light = _MIN_LIGHTNESS + (1 - light) * (_MAX_LIGHTNESS - _MIN_LIGHTNESS)
    saturation = min(chroma / (1 - abs(2 * light - 1)), 1)
    red, green, blue = (round(part * 255) for part in colorsys.hls_to_rgb(hue, light, saturation))
    opacity = f", {parts[3]}" if len(parts) == _RGBA_LENGTH else ""
    return f"rgba({red}, {green}, {blue}{opacity})" if opacity else f"rgb({red}, {green}, {blue})"


def _parse_rgb(color: str) -> tuple[float, ...] | None:
    """Return red, green and blue (0 to 255), and the opacity (0 to 1) if the colour has one."""
    color = _NAMED_COLORS.get(color.lower(), color)
    if color.startswith("#"):
        digits = color[1:]
        if len(digits) in {3, 4}:
            digits = "".join(digit * 2 for digit in digits)
        if len(digits) not in {6, 8}:
            return None
        values = [int(digits[start : start + 2], 16) for start in range(0, len(digits), 2)]
        return (*values[:3], round(values[3] / 255, 3)) if values[3:] else tuple(values)
    found = parse_rgb_function(color)
    if found is None:
        return None
    rgb, opacity = found
    return rgb if opacity is None else (*rgb, opacity)
