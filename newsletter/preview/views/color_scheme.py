"""A mail in the light, in the dark by its own rules, and as clients darken what has none. Pure."""

import colorsys
import re
from typing import Literal

from newsletter.checks.analysis.css_parser import parse_declarations, rewrite_styles

Scheme = Literal["light", "dark", "forced"]

_QUERY = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)", re.IGNORECASE)
_HEAD_END = re.compile(r"</head\s*>", re.IGNORECASE)
_ALWAYS, _NEVER = "(min-width: 0)", "(min-width: 99999px)"
_COLOUR = re.compile(
    r"#[0-9a-f]{3,8}\b|rgba?\([^)]*\)|\b(?:white|black|gr[ae]y|silver|whitesmoke|snow|ivory)\b",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"""(?<=\s)(bgcolor|color)=(["'])(#[0-9a-f]{3,8}|\w+)\2""", re.IGNORECASE)
_NAMED = {
    "white": "#ffffff", "black": "#000000", "gray": "#808080", "grey": "#808080",
    "silver": "#c0c0c0", "whitesmoke": "#f5f5f5", "snow": "#fffafa", "ivory": "#fffff0",
}  # fmt: skip
_MIDDLE = 0.5
_DARKEST, _LIGHTEST = 0.1, 0.97
_OPAQUE = 4  # parts of a colour with its opacity


def in_scheme(html: str, scheme: Scheme) -> str:
    """A copy of the mail that looks so whatever the browser itself prefers.

    Args:
        html: the whole document.
        scheme: ``dark`` follows the mail's own rules; ``forced`` turns light grounds dark and
            dark text light as some clients do, who know nothing of such rules.
    """
    wanted = "dark" if scheme == "dark" else "light"

    def answered(found: re.Match[str]) -> str:
        return _ALWAYS if found[1].lower() == wanted else _NEVER

    html = _QUERY.sub(answered, html)
    ground = ""
    if scheme == "forced":
        html = _ATTRIBUTE.sub(_turned_attribute, rewrite_styles(html, lambda css: css, _turned))
        ground = "html, body { background-color: #1a1a1a !important; color: #ebebeb; }"
    style = f"<style>:root {{ color-scheme: {wanted} !important; }} {ground}</style>"
    return _HEAD_END.sub(lambda found: style + found[0], html, count=1)


def _turned(css: str) -> str:
    return " ".join(
        f"{one.name}: {_turned_value(one.name, one.value)};" for one in parse_declarations(css)
    )


def _turned_value(name: str, value: str) -> str:
    if name in {"background", "background-color"} or name.startswith(("border", "outline")):
        return _COLOUR.sub(lambda found: _darker(found[0]), value)
    if name == "color":
        return _COLOUR.sub(lambda found: _lighter(found[0]), value)
    return value


def _turned_attribute(found: re.Match[str]) -> str:
    turn = _darker if found[1].lower() == "bgcolor" else _lighter
    return f'{found[1]}="{turn(found[3])}"'


def _darker(colour: str) -> str:
    return _inverted(colour, when_light=True)


def _lighter(colour: str) -> str:
    return _inverted(colour, when_light=False)


def _inverted(colour: str, *, when_light: bool) -> str:
    """The colour with its lightness turned round, its hue kept; itself if it needs no turning."""
    parts = _parts(colour)
    if parts is None:
        return colour
    hue, light, saturation = colorsys.rgb_to_hls(*(part / 255 for part in parts[:3]))
    if (light > _MIDDLE) is not when_light:
        return colour
    # Greys that are hardly tinted stay so: as much colour as before, whatever the lightness.
    chroma = saturation * (1 - abs(2 * light - 1))
    light = _DARKEST + (1 - light) * (_LIGHTEST - _DARKEST)
    saturation = min(chroma / (1 - abs(2 * light - 1)), 1)
    red, green, blue = (round(part * 255) for part in colorsys.hls_to_rgb(hue, light, saturation))
    opacity = f", {parts[3]}" if len(parts) == _OPAQUE else ""
    return f"rgba({red}, {green}, {blue}{opacity})" if opacity else f"rgb({red}, {green}, {blue})"


def _parts(colour: str) -> tuple[float, ...] | None:
    """Red, green, blue of 255, and the opacity if one is given."""
    colour = _NAMED.get(colour.lower(), colour)
    if colour.startswith("#"):
        digits = colour[1:]
        if len(digits) in {3, 4}:
            digits = "".join(digit * 2 for digit in digits)
        if len(digits) not in {6, 8}:
            return None
        values = [int(digits[at : at + 2], 16) for at in range(0, len(digits), 2)]
        return (*values[:3], round(values[3] / 255, 3)) if values[3:] else tuple(values)
    numbers = [float(number) for number in re.findall(r"\d*\.?\d+", colour)]
    return tuple(numbers) if len(numbers) in {3, _OPAQUE} else None
