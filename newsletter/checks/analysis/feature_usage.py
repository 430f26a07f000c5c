"""Find the HTML and CSS features that an email uses.

Features go by their names on caniemail.com. Pure functions.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from newsletter.checks.analysis.client_support import FEATURES
from newsletter.checks.analysis.css_parser import (
    CssDeclaration,
    CssRule,
    iter_tokens,
    parse_declarations,
    parse_rules,
    tokenize,
)
from newsletter.render.article.dom import Element, get_visible_text

_FUNCTION_FEATURES = {
    "linear-gradient": "css-linear-gradient",
    "radial-gradient": "css-radial-gradient",
    "conic-gradient": "css-conic-gradient",
    "var": "css-variables",
    "calc": "css-unit-calc",
    "clamp": "css-function-clamp",
    "min": "css-function-min",
    "max": "css-function-max",
    "light-dark": "css-function-light-dark",
    "rgba": "css-rgba",
}
_UNITS = ("rem", "vw", "vh")
# Properties and values whose features are not named after them; "" where there is none.
_PROPERTY_FEATURES = {
    **dict.fromkeys(("top", "right", "bottom", "left"), "css-left-right-top-bottom"),
    "columns": "css-column-count",
}
_DISPLAY_FEATURES = {
    "flex": "css-display-flex",
    "inline-flex": "css-display-flex",
    "grid": "css-display-grid",
    "inline-grid": "css-display-grid",
}
_POSITIONED_VALUES = frozenset({"absolute", "fixed", "sticky"})
_PSEUDO_ELEMENTS = frozenset(
    {"before", "after", "first-letter", "first-line", "marker", "placeholder"}
)
_MEDIA_FEATURES = (
    "prefers-color-scheme", "prefers-reduced-motion", "device-pixel-ratio", "hover", "orientation",
)  # fmt: skip
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
            for feature, excerpt in _find_sheet_features(element.text or ""):
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


def find_rule_features(rule: CssRule) -> tuple[str, ...]:
    """Return the features of an at-rule or a selector, not those of what is in its braces."""
    tokens = list(iter_tokens(tokenize(rule.prelude)))
    if rule.at_keyword:
        names = [token.lower_value for token in tokens if token.type == "ident"]
        media = [name for name in _MEDIA_FEATURES if any(name in word for word in names)]
        feature = f"css-at-{rule.at_keyword}"
        return (feature, *(f"{feature}-{name}" for name in media if rule.at_keyword == "media"))
    features = []
    for before, colon, token in zip(["", *tokens], tokens, tokens[1:], strict=False):
        if colon == ":" and token.type in {"ident", "function"}:
            name = token.lower_value if token.type == "ident" else token.lower_name
            kind = "element" if before == ":" or name in _PSEUDO_ELEMENTS else "class"
            features.append(f"css-pseudo-{kind}-{name}")
    if any(token.type == "[] block" for token in tokens):
        features.append("css-selector-attribute")
    return tuple(features)


def find_declaration_features(declaration: CssDeclaration) -> Iterator[str]:
    """Yield the features of a declaration: that of its property, then those in its value."""
    name, value, functions = declaration.name, declaration.value.lower(), declaration.functions
    if name == "display":
        if value in _DISPLAY_FEATURES:
            yield _DISPLAY_FEATURES[value]
    elif name == "position":
        if value in _POSITIONED_VALUES:
            yield "css-position"
    elif name in {"background", "background-image"}:
        if "url" in functions:
            yield "css-background-image"
    else:
        yield _PROPERTY_FEATURES.get(name, f"css-{name}")
    yield from (
        feature
        for function, feature in _FUNCTION_FEATURES.items()
        if function in functions or f"repeating-{function}" in functions
    )
    yield from (f"css-unit-{unit}" for unit in _UNITS if unit in declaration.units)


@lru_cache(maxsize=64)  # what Outlook sees has mostly the same style sheets
def _find_sheet_features(css: str) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for rule in parse_rules(css):
        found += ((feature, rule.prelude) for feature in find_rule_features(rule))
        if not rule.at_keyword:
            found += _find_block_features(rule.body or "")
    return tuple(found)


@lru_cache(maxsize=4_096)  # an email repeats few styles many times
def _find_block_features(css: str) -> tuple[tuple[str, str], ...]:
    """Return the features of a block of declarations, except those with an earlier fallback."""
    earlier: set[str] = set()
    found: list[tuple[str, str]] = []
    for declaration in parse_declarations(css):
        name = declaration.name
        has_fallback = name in earlier or (
            name == "background-image" and "background-color" in earlier
        )
        if not has_fallback and not name.startswith(("-", "mso-")):
            excerpt = str(declaration).removesuffix(";")
            found += ((feature, excerpt) for feature in find_declaration_features(declaration))
        earlier.add(name)
    return tuple(found)
