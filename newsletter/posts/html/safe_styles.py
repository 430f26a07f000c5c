"""Keep the safe part of a style attribute, readable on its own."""

import re
from functools import lru_cache

_ALLOWED_CSS_PROPERTIES = frozenset(
    """
    background-color border-collapse color direction font-style font-variant font-weight height
    list-style-type max-width min-width text-align text-decoration text-indent text-transform
    unicode-bidi vertical-align white-space width
    """.split()
)
# Keywords, numbers, colours and lists of them. No quotes, no url(), no expression(), no escapes.
_SAFE_CSS_VALUE = re.compile(
    r"(?:(?:rgba?|hsla?)\([\d.,%\s/]*\)|[\w#%.,\s-])+", re.IGNORECASE | re.ASCII
)
# A color in a ``background``; the words are what else may be in it.
_COLOR = re.compile(
    r"#[0-9a-f]{3,8}\b|(?:rgb|hsl)a?\([\d.,%\s/]*\)|(?<![\w-])[a-z]{3,}(?![\w(-])",
    re.IGNORECASE | re.ASCII,
)
_NO_COLORS = frozenset(
    """
    none transparent inherit initial unset revert repeat space round scroll fixed local border
    padding content box text top bottom left right center auto cover contain circle ellipse
    closest farthest side corner deg rad turn from over var calc repeating currentcolor
    """.split()
)
_URL = re.compile(r"url\([^)]*\)|var\([^)]*\)|[\w.-]*no-repeat|repeat-[xy]", re.IGNORECASE)
_BACKGROUNDS = ("background", "background-color", "background-image")
_NO_BACKGROUND = frozenset({"", "none", "transparent", "inherit", "initial", "unset"})


@lru_cache(maxsize=1024)
def sanitize_style(style: str) -> str | None:
    """Return the declarations that are safe in an email; ``None`` if there are none.

    ``background`` is reduced to its color, or to the first color of its gradient. A text color
    stays only if the background that it was chosen for stays, and the other way round.
    """
    declarations: dict[str, str] = {}
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        name, value = name.strip().lower(), value.replace("!important", "").strip()
        if name in {"background", "background-image"}:
            color = find_background_color(value)
            if not color:
                continue
            name, value = "background-color", color
        if name in _ALLOWED_CSS_PROPERTIES and _SAFE_CSS_VALUE.fullmatch(value):
            declarations[name] = value
    given = _list_given(style)
    if given.get("background") and "background-color" not in declarations:
        declarations.pop("color", None)
    if given.get("color") and "color" not in declarations:
        declarations.pop("background-color", None)
    return ";".join(f"{name}:{value}" for name, value in declarations.items()) or None


def find_background_color(value: str) -> str:
    """Return the color of a ``background``, the first of a gradient; empty if it has none."""
    for found in _COLOR.finditer(_URL.sub(" ", value)):
        if found[0].lower() not in _NO_COLORS:
            return found[0]
    return ""


def _list_given(style: str) -> dict[str, bool]:
    """Return whether a style sets a background, and a text color."""
    given = {"background": False, "color": False}
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        name, value = name.strip().lower(), value.replace("!important", "").strip().lower()
        if name in _BACKGROUNDS and value not in _NO_BACKGROUND:
            given["background"] = True
        if name == "color" and value not in {"", "inherit", "initial", "unset"}:
            given["color"] = True
    return given
