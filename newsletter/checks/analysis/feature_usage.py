"""Find the HTML and CSS features that an email uses.

Features go by their names on caniemail.com. Pure functions.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from newsletter.checks.analysis.client_support import FEATURES
from newsletter.checks.analysis.css_parser import parse_declarations, parse_rules
from newsletter.render.article.dom import Element, get_visible_text

_VALUE_FEATURES = {
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
_POSSIBLE_VALUE_FEATURE = re.compile(r"[(]|[\d.](?:rem|vw|vh)\b", re.IGNORECASE)
_DISPLAY_FEATURES = {
    "flex": "css-display-flex",
    "inline-flex": "css-display-flex",
    "grid": "css-display-grid",
    "inline-grid": "css-display-grid",
}
_SIDES = frozenset({"top", "right", "bottom", "left"})
_POSITIONED_VALUES = frozenset({"absolute", "fixed", "sticky"})
_PSEUDO = re.compile(r"(::?)([a-z-]+)")
_PSEUDO_ELEMENTS = frozenset(
    {"before", "after", "first-letter", "first-line", "marker", "placeholder"}
)
_ATTRIBUTE_FEATURES = {
    "srcset": "html-srcset",
    "loading": "html-loading-attribute",
    "hidden": "html-hidden",
    "usemap": "html-image-maps",
    "background": "html-background",
    "popover": "html-popover",
}
_TAGS_WITH_FALLBACK = frozenset({"video", "audio", "object", "picture"})
_MEDIA_CHILD_TAGS = frozenset({"source", "track", "param"})


class FeatureUse(NamedTuple):
    """The first use of a feature in an email.

    Attributes:
        element: the first element that uses it; ``None`` if a style sheet does.
        excerpt: the tag, the declaration or the selector.
    """

    element: Element | None
    excerpt: str


def find_features(tree: Element) -> dict[str, FeatureUse]:
    """Return every feature with its first use; a feature with its own fallback is left out.

    The content of ``@media`` and the like is left out too: a client that ignores it shows the email
    as it is without it.
    """
    found: dict[str, FeatureUse] = {}
    for element in tree.iter("*"):
        if element.tag == "style":
            for feature, excerpt in _iter_sheet_features(element.text or ""):
                found.setdefault(feature, FeatureUse(None, excerpt))
        for feature, excerpt in _iter_element_features(element):
            found.setdefault(feature, FeatureUse(element, excerpt))
    return found


def _iter_element_features(element: Element) -> Iterator[tuple[str, str]]:
    tag = element.tag
    kind = element.get("type") or {"input": "text", "button": "submit"}.get(tag, "")
    name = f"html-{tag}-{kind}" if tag in {"input", "button"} else f"html-{tag}"
    if name in FEATURES and not (tag in _TAGS_WITH_FALLBACK and _has_fallback(element)):
        yield name, f"<{tag}>"
    for attribute, feature in _ATTRIBUTE_FEATURES.items():
        if attribute in element.attrib:
            yield feature, f"<{tag} {attribute}>"
    if style := element.get("style"):
        # <pre> keeps its line breaks without the property.
        yield from (
            (feature, excerpt)
            for feature, excerpt in _find_block_features(style)
            if (tag, feature) != ("pre", "css-white-space")
        )


def _has_fallback(element: Element) -> bool:
    """Return whether the element contains something to show in clients that don't know it."""
    has_content = any(child.tag not in _MEDIA_CHILD_TAGS for child in element.iterchildren("*"))
    return has_content or bool(get_visible_text(element).strip())


def _iter_sheet_features(css: str) -> Iterator[tuple[str, str]]:
    for rule in parse_rules(css):
        if rule.prelude.startswith("@"):
            keyword = re.split(r"[\s(]", rule.prelude[1:], maxsplit=1)[0].lower()
            yield f"css-at-{keyword}", rule.prelude
        else:
            for colons, name in _PSEUDO.findall(rule.prelude):
                kind = "element" if colons == "::" or name in _PSEUDO_ELEMENTS else "class"
                yield f"css-pseudo-{kind}-{name}", rule.prelude
            yield from _find_block_features(rule.body or "")


@lru_cache(maxsize=4_096)  # an email repeats few styles many times
def _find_block_features(css: str) -> tuple[tuple[str, str], ...]:
    """Return the features of a block of declarations, except those with an earlier fallback."""
    earlier: set[str] = set()
    found: list[tuple[str, str]] = []
    for name, value in parse_declarations(css):
        has_fallback = name in earlier or (
            name == "background-image" and "background-color" in earlier
        )
        if not has_fallback and not name.startswith(("-", "mso-")):
            found += (
                (feature, f"{name}: {value}")
                for feature in _iter_value_features(name, value.lower())
            )
        earlier.add(name)
    return tuple(found)


def _iter_value_features(name: str, value: str) -> Iterator[str]:
    plain = value.removesuffix("!important").strip()
    if name == "display":
        if plain in _DISPLAY_FEATURES:
            yield _DISPLAY_FEATURES[plain]
    elif name == "position":
        if plain in _POSITIONED_VALUES:
            yield "css-position"
    elif name in {"background", "background-image"}:
        if "url(" in value:
            yield "css-background-image"
    elif name not in _SIDES:
        yield f"css-{name}"
    if _POSSIBLE_VALUE_FEATURE.search(value):
        yield from (
            feature for feature, pattern in _VALUE_FEATURES.items() if pattern.search(value)
        )
