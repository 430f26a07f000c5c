"""Show an email in light mode, dark mode or a client's forced dark mode.

Pure.
"""

import colorsys
import re
from typing import Literal

from newsletter.checks.analysis.color import parse_rgba
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
_MIDDLE_LIGHTNESS = 0.5
_MIN_LIGHTNESS, _MAX_LIGHTNESS = 0.1, 0.97


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
        str(declaration._replace(value=_invert_value(declaration.name, declaration.value)))
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
    parsed = parse_rgba(color)
    if parsed is None:
        return color
    channels, opacity = parsed
    hue, light, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in channels))
    if (light > _MIDDLE_LIGHTNESS) is not when_light:
        return color
    # Keep the chroma, so that a grey with a hint of a tint stays one at any lightness.
    chroma = saturation * (1 - abs(2 * light - 1))
    light = _MIN_LIGHTNESS + (1 - light) * (_MAX_LIGHTNESS - _MIN_LIGHTNESS)
    saturation = min(chroma / (1 - abs(2 * light - 1)), 1)
    red, green, blue = (round(part * 255) for part in colorsys.hls_to_rgb(hue, light, saturation))
    return (
        f"rgb({red}, {green}, {blue})"
        if opacity == 1
        else f"rgba({red}, {green}, {blue}, {round(opacity, 3)})"
    )
