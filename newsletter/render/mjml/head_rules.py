"""Take out of validated MJML what MRML can't do and is done after it.

These are ``<mj-style inline="inline">``, ``<mj-html-attributes>`` and ``<mj-raw
position="file-start">``. White space takes their place, so that offsets and lines stay. Pure.
"""

import html
import re
from typing import NamedTuple

from newsletter.render.css.html_attributes import HtmlAttribute
from newsletter.render.mjml.normalize import blank_out

_INLINE_STYLE = re.compile(
    r"<mj-style\s[^>]*?\binline\s*=\s*(?:\"inline\"|'inline')[^>]*?(?:/>|>(?P<css>[^<]*)</mj-style>)"
)
_FILE_START = re.compile(
    r"<mj-raw\s+position\s*=\s*(?:\"file-start\"|'file-start')\s*(?:/>|>.*?</mj-raw>)", re.DOTALL
)
_HTML_ATTRIBUTES = re.compile(
    r"<mj-html-attributes\s*(?:/>|>(?P<selectors>.*?)</mj-html-attributes>)", re.DOTALL
)
_SELECTOR = re.compile(
    r"<mj-selector\s+path\s*=\s*(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)')\s*>"
    r"(?P<attributes>.*?)</mj-selector>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(
    r"<mj-html-attribute\s+name\s*=\s*[\"'](?P<name>[^\"']*)[\"']\s*"
    r"(?:/>|>(?P<value>.*?)</mj-html-attribute>)",
    re.DOTALL,
)


class HeadRules(NamedTuple):
    """MJML without these elements, and their content.

    Attributes:
        text: the MJML for MRML.
        inline_css: the CSS to inline.
        html_attributes: the attributes to set.
    """

    text: str
    inline_css: str = ""
    html_attributes: tuple[HtmlAttribute, ...] = ()


def extract_head_rules(text: str) -> HeadRules:
    """Return valid MJML without what is done after MRML, and that."""
    css: list[str] = []
    attributes: list[HtmlAttribute] = []

    def take_style(found: re.Match[str]) -> str:
        css.append(html.unescape(found["css"] or ""))
        return blank_out(found[0])

    def take_attributes(found: re.Match[str]) -> str:
        attributes.extend(_read_attributes(found["selectors"] or ""))
        return blank_out(found[0])

    if "inline" in text:
        text = _INLINE_STYLE.sub(take_style, text)
    if "mj-html-attributes" in text:
        text = _HTML_ATTRIBUTES.sub(take_attributes, text)
    if "file-start" in text:
        text = _FILE_START.sub(lambda found: blank_out(found[0]), text)
    return HeadRules(text, "\n".join(css), tuple(attributes))


def _read_attributes(selectors: str) -> list[HtmlAttribute]:
    return [
        HtmlAttribute(
            html.unescape(selector["double"] or selector["single"] or ""),
            html.unescape(attribute["name"]),
            html.unescape(attribute["value"] or "").strip(),
        )
        for selector in _SELECTOR.finditer(selectors)
        for attribute in _ATTRIBUTE.finditer(selector["attributes"])
    ]
