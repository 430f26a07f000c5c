"""Which features of HTML and CSS a mail uses, by their names on caniemail.com. Pure."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from newsletter.checks.analysis.client_support import FACTS
from newsletter.checks.analysis.css_parser import declarations, rules
from newsletter.render.article.dom import Element, visible_text


class Use(NamedTuple):
    """Where a mail uses a feature.

    Attributes:
        element: the first one; ``None`` in a style sheet.
        excerpt: the tag, the declaration or the selector.
    """

    element: Element | None
    excerpt: str


_VALUES = {
    "css-linear-gradient": re.compile(r"\blinear-gradient\(", re.IGNORECASE),
    "css-radial-gradient": re.compile(r"\bradial-gradient\(", re.IGNORECASE),
    "css-conic-gradient": re.compile(r"\bconic-gradient\(", re.IGNORECASE),
    "css-variables": re.compile(r"\bvar\(", re.IGNORECASE),
    "css-unit-calc": re.compile(r"\bcalc\(", re.IGNORECASE),
    "css-function-clamp": re.compile(r"\bclamp\(", re.IGNORECASE),
    "css-function-min": re.compile(r"\bmin\(", re.IGNORECASE),
    "css-function-max": re.compile(r"\bmax\(", re.IGNORECASE),
    "css-function-light-dark": re.compile(r"\blight-dark\(", re.IGNORECASE),
    "css-rgba": re.compile(r"\brgba\(", re.IGNORECASE),
    "css-unit-rem": re.compile(r"[\d.]rem\b", re.IGNORECASE),
    "css-unit-vw": re.compile(r"[\d.]vw\b", re.IGNORECASE),
    "css-unit-vh": re.compile(r"[\d.]vh\b", re.IGNORECASE),
}
_UNUSUAL = re.compile(r"[(]|[\d.](?:rem|vw|vh)\b", re.IGNORECASE)
_DISPLAYS = {"flex": "css-display-flex", "inline-flex": "css-display-flex",
             "grid": "css-display-grid", "inline-grid": "css-display-grid"}  # fmt: skip
_SIDES = frozenset({"top", "right", "bottom", "left"})
_MOVING = frozenset({"absolute", "fixed", "sticky"})
_PSEUDO = re.compile(r"(::?)([a-z-]+)")
_ELEMENTS = frozenset(
    {"before", "after", "first-letter", "first-line", "marker", "placeholder"}
)  # fmt: skip
_ATTRIBUTES = {
    "srcset": "html-srcset", "loading": "html-loading-attribute", "hidden": "html-hidden",
    "usemap": "html-image-maps", "background": "html-background", "popover": "html-popover",
}  # fmt: skip
_FALLBACK = frozenset({"video", "audio", "object", "picture"})
_OWN = frozenset({"source", "track", "param"})


def used(tree: Element) -> dict[str, Use]:
    """Every feature with the first place that uses it; what brings its own fallback is left out.

    Left out is, too, what stands in ``@media`` and the like: a client that reads none of it shows
    the mail as it is without.
    """
    found: dict[str, Use] = {}
    for element in tree.iter("*"):
        if element.tag == "style":
            for feature, excerpt in _of_sheet(element.text or ""):
                found.setdefault(feature, Use(None, excerpt))
        for feature, excerpt in _of_element(element):
            found.setdefault(feature, Use(element, excerpt))
    return found


def _of_element(element: Element) -> Iterator[tuple[str, str]]:
    tag = element.tag
    kind = element.get("type") or {"input": "text", "button": "submit"}.get(tag, "")
    name = f"html-{tag}-{kind}" if tag in {"input", "button"} else f"html-{tag}"
    if name in FACTS and not (tag in _FALLBACK and _instead(element)):
        yield name, f"<{tag}>"
    for attribute, feature in _ATTRIBUTES.items():
        if attribute in element.attrib:
            yield feature, f"<{tag} {attribute}>"
    if style := element.get("style"):
        # <pre> keeps its lines without being told.
        yield from (one for one in _of_block(style) if (tag, one[0]) != ("pre", "css-white-space"))


def _instead(element: Element) -> bool:
    """Whether it holds something to show where it isn't known itself."""
    inner = any(child.tag not in _OWN for child in element.iterchildren("*"))
    return inner or bool(visible_text(element).strip())


def _of_sheet(css: str) -> Iterator[tuple[str, str]]:
    for rule in rules(css):
        if rule.head.startswith("@"):
            word = re.split(r"[\s(]", rule.head[1:], maxsplit=1)[0].lower()
            yield f"css-at-{word}", rule.head
        else:
            for mark, name in _PSEUDO.findall(rule.head):
                kind = "element" if mark == "::" or name in _ELEMENTS else "class"
                yield f"css-pseudo-{kind}-{name}", rule.head
            yield from _of_block(rule.body or "")


@lru_cache(maxsize=4_096)  # a mail repeats few styles many times
def _of_block(css: str) -> tuple[tuple[str, str], ...]:
    """The features of a block of declarations; an earlier value of a property is its fallback."""
    before: set[str] = set()
    found: list[tuple[str, str]] = []
    for name, value in declarations(css):
        known = name in before or (name == "background-image" and "background-color" in before)
        if not known and not name.startswith(("-", "mso-")):
            found += ((feature, f"{name}: {value}") for feature in _of_value(name, value.lower()))
        before.add(name)
    return tuple(found)


def _of_value(name: str, value: str) -> Iterator[str]:
    plain = value.removesuffix("!important").strip()
    if name == "display":
        if plain in _DISPLAYS:
            yield _DISPLAYS[plain]
    elif name == "position":
        if plain in _MOVING:
            yield "css-position"
    elif name in {"background", "background-image"}:
        if "url(" in value:
            yield "css-background-image"
    elif name not in _SIDES:
        yield f"css-{name}"
    if _UNUSUAL.search(value):
        yield from (feature for feature, pattern in _VALUES.items() if pattern.search(value))
