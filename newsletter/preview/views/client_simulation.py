"""Simulate a mail client: strip the HTML and CSS it does not support.

A simulation from published support data, not the client's own engine. Pure: the data is passed in.
"""

import re
from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from newsletter.checks.analysis.css_parser import (
    CssDeclaration,
    CssRule,
    parse_declarations,
    parse_rules,
    rewrite_styles,
)
from newsletter.checks.analysis.outlook_layout import expand_outlook_conditions
from newsletter.render.clip_size import GMAIL_CLIP_BYTES

# In Word a cell's width includes its padding.
_WORD_BOX_SIZING_STYLE = "<style>td { box-sizing: border-box }</style>"
_CHECKED_TAGS = (
    "audio",
    "dialog",
    "meter",
    "object",
    "popover",
    "progress",
    "svg",
    "video",
    "form",
)
_PSEUDO_ELEMENT = re.compile(r"::?(after|before|first-letter|first-line|marker|placeholder)\b")
_ATTRIBUTE_SELECTOR = re.compile(r"\[[^\]]*\]")
_MEDIA_FEATURE = re.compile(
    r"(prefers-color-scheme|prefers-reduced-motion|device-pixel-ratio|hover|orientation)"
)
# Features that are not named after their property.
_PROPERTY_FEATURES = {
    "top": "left-right-top-bottom",
    "right": "left-right-top-bottom",
    "bottom": "left-right-top-bottom",
    "left": "left-right-top-bottom",
    "columns": "column-count",
}
_VALUE_FEATURES = {
    "css-linear-gradient": re.compile(r"linear-gradient\(", re.IGNORECASE),
    "css-variables": re.compile(r"\bvar\(", re.IGNORECASE),
    "css-unit-calc": re.compile(r"\bcalc\(", re.IGNORECASE),
    "css-rgba": re.compile(r"\brgba\(", re.IGNORECASE),
}
_DISPLAY_FEATURES = {
    "flex": "css-display-flex",
    "inline-flex": "css-display-flex",
    "grid": "css-display-grid",
    "inline-grid": "css-display-grid",
}


@dataclass(frozen=True, slots=True)
class ClientSimulation:
    """An email without what a client does not support.

    Attributes:
        html: the whole document.
        stripped_features: feature, by its name on caniemail.com -> how often it was stripped.
        clipped_bytes: how many bytes of the email the client would not show.
    """

    html: str
    stripped_features: Counter[str]
    clipped_bytes: int = 0


def simulate_client(html: str, client: str, unsupported: AbstractSet[str]) -> ClientSimulation:
    """Strip from an email what a client ignores.

    Args:
        html: the whole document as it is sent.
        client: its key; ``outlook`` expands Microsoft's conditional comments, ``gmail`` clips.
        unsupported: the features that the client does not support.
    """
    size = len(html.encode())
    clipped = max(size - GMAIL_CLIP_BYTES, 0) if client in {"gmail", "gmail_app"} else 0
    if clipped:
        html = _clip_html(html)
    if client == "outlook":
        html = expand_outlook_conditions(html)
    stripped: Counter[str] = Counter()
    stripper = _CssStripper(unsupported, stripped)
    html = rewrite_styles(
        _strip_elements(html, unsupported, stripped),
        stripper.strip_stylesheet,
        stripper.strip_declarations,
    )
    if client == "outlook":
        html = html.replace("</head>", f"{_WORD_BOX_SIZING_STYLE}</head>", 1)
    return ClientSimulation(html, stripped, clipped)


def _clip_html(html: str) -> str:
    """Return the email up to where Gmail clips it, with the note that Gmail shows there."""
    start = html.encode()[:GMAIL_CLIP_BYTES].decode(errors="ignore")
    start = start[: start.rfind("<")] if start.rfind("<") > start.rfind(">") else start
    note = (
        '<div style="padding:16px;border-top:2px dashed #b3261e;font:14px sans-serif">'
        "[Message clipped] <u>View entire message</u></div>"
    )
    return f"{start}{note}</body></html>"


def _strip_elements(html: str, unsupported: AbstractSet[str], feature_counts: Counter[str]) -> str:
    for name in _CHECKED_TAGS:
        feature = f"html-{name}"
        if feature in unsupported:
            tags = re.compile(rf"<{name}\b.*?(?:</{name}\s*>|/>)", re.DOTALL | re.IGNORECASE)
            html, count = tags.subn("", html)
            if count:
                feature_counts[feature] += count
    return html


class _CssStripper:
    """Filter for CSS that removes what is unsupported, and counts it."""

    def __init__(self, unsupported: AbstractSet[str], feature_counts: Counter[str]) -> None:
        self._unsupported = unsupported
        self._feature_counts = feature_counts

    def strip_stylesheet(self, css: str) -> str:
        return "\n".join(str(rule) for rule in map(self._strip_rule, parse_rules(css)) if rule)

    def strip_declarations(self, css: str) -> str:
        return " ".join(
            str(declaration)
            for declaration in parse_declarations(css)
            if not self._drops_declaration(declaration)
        )

    def _strip_rule(self, rule: CssRule) -> CssRule | None:
        if rule.prelude.startswith("@"):
            return self._strip_at_rule(rule)
        kept = [
            part
            for part in rule.prelude.split(",")
            if not self._count_if_unsupported(self._get_selector_feature(part))
        ]
        if not kept or rule.body is None:
            return None
        return CssRule(",".join(kept), self.strip_declarations(rule.body))

    def _strip_at_rule(self, rule: CssRule) -> CssRule | None:
        name = rule.prelude[1:].split(None, 1)[0].split("(")[0].lower()
        features = [f"css-at-{name}"]
        if name == "media" and (match := _MEDIA_FEATURE.search(rule.prelude)):
            features.append(f"css-at-media-{match[1]}")
        if any(self._count_if_unsupported(feature) for feature in features):
            return None
        if rule.has_nested_rules and rule.body is not None:
            return CssRule(rule.prelude, self.strip_stylesheet(rule.body))
        return rule

    @staticmethod
    def _get_selector_feature(selector: str) -> str:
        if match := _PSEUDO_ELEMENT.search(selector):
            return f"css-pseudo-element-{match[1]}"
        if ":hover" in selector:
            return "css-pseudo-class-hover"
        return "css-selector-attribute" if _ATTRIBUTE_SELECTOR.search(selector) else ""

    def _drops_declaration(self, declaration: CssDeclaration) -> bool:
        value = declaration.value.lower()
        features = [f"css-{_PROPERTY_FEATURES.get(declaration.name, declaration.name)}"]
        if declaration.name == "display":
            features = [_DISPLAY_FEATURES.get(value.split("!")[0].strip(), "")]
        if declaration.name == "background" and "url(" in value:
            features = ["css-background-image"]
        features += [
            feature
            for feature, pattern in _VALUE_FEATURES.items()
            if pattern.search(declaration.value)
        ]
        return any([self._count_if_unsupported(feature) for feature in features])  # noqa: C419 - counts them all

    def _count_if_unsupported(self, feature: str) -> bool:
        missing = feature in self._unsupported
        if missing:
            self._feature_counts[feature] += 1
        return missing
