"""Simulate a mail client: strip the HTML and CSS it does not support.

A simulation from published support data, not the client's own engine. Pure: the data is passed in.
"""

import re
from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from newsletter.checks.analysis.css_parser import (
    CssRule,
    parse_declarations,
    parse_rules,
    rewrite_styles,
)
from newsletter.checks.analysis.feature_usage import (
    find_declaration_features,
    find_rule_features,
)
from newsletter.checks.analysis.outlook_layout import expand_outlook_conditions
from newsletter.render.clip_size import GMAIL_CLIP_BYTES

# In Word a cell's width includes its padding.
_WORD_BOX_SIZING_STYLE = "<style>td { box-sizing: border-box }</style>"
_NESTING_KEYWORDS = frozenset({"media", "supports", "layer", "container"})
_MAX_NESTING = 8  # of rules: one that is nested deeper stays as it is
_DARK_IMAGE = re.compile(r"<source\b[^>]*\bprefers-color-scheme\b[^>]*>", re.IGNORECASE)
_DARK_IMAGE_FEATURES = ("html-picture", "css-at-media-prefers-color-scheme")
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
    return _strip_dark_images(html, unsupported, feature_counts)


def _strip_dark_images(
    html: str, unsupported: AbstractSet[str], feature_counts: Counter[str]
) -> str:
    """Remove the dark twins of images, where a client shows the image inside ``<picture>``."""
    feature = next((name for name in _DARK_IMAGE_FEATURES if name in unsupported), None)
    if feature:
        html, count = _DARK_IMAGE.subn("", html)
        feature_counts.update({feature: count} if count else {})
    return html


class _CssStripper:
    """Filter for CSS that removes what is unsupported, and counts it."""

    def __init__(self, unsupported: AbstractSet[str], feature_counts: Counter[str]) -> None:
        self._unsupported = unsupported
        self._feature_counts = feature_counts

    def strip_stylesheet(self, css: str, depth: int = 0) -> str:
        rules = (self._strip_rule(rule, depth) for rule in parse_rules(css))
        return "\n".join(str(rule) for rule in rules if rule)

    def strip_declarations(self, css: str) -> str:
        return " ".join(
            str(declaration)
            for declaration in parse_declarations(css)
            if not self._has_unsupported(find_declaration_features(declaration))
        )

    def _strip_rule(self, rule: CssRule, depth: int) -> CssRule | None:
        if rule.at_keyword:
            features = find_rule_features(rule)
            if self._has_unsupported(features[:1]) or self._has_unsupported(features[1:]):
                return None
            if rule.at_keyword in _NESTING_KEYWORDS and rule.body and depth < _MAX_NESTING:
                return rule._replace(body=self.strip_stylesheet(rule.body, depth + 1))
            return rule
        kept = [
            selector
            for selector in rule.prelude.split(",")
            if not self._has_unsupported(find_rule_features(CssRule(selector, None)))
        ]
        if not kept or rule.body is None:
            return None
        return CssRule(",".join(kept), self.strip_declarations(rule.body))

    def _has_unsupported(self, features: Iterable[str]) -> bool:
        """Return whether one of the features is unsupported, and count all that are."""
        unsupported = [feature for feature in features if feature in self._unsupported]
        self._feature_counts.update(unsupported)
        return bool(unsupported)
