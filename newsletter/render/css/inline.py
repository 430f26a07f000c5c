"""Inline CSS into style attributes with premailer.

Rules in the email's own ``<style>`` blocks stay there; those of ``css`` are inlined. Premailer puts
what can't be inlined (media queries, ``:hover``) into an additional ``<style>``.
"""

import os
from collections.abc import Callable
from functools import cache
from threading import Lock

from lxml import etree

from newsletter.errors import RenderError
from newsletter.posts.html.nesting_limit import MAX_NESTING_DEPTH
from newsletter.render.css.html_attributes import HtmlAttribute, set_html_attributes

DOCTYPE = "<!DOCTYPE html>"  # some clients drop premailer's lower-case one: quirks mode

_IGNORE_ATTRIBUTE = "data-premailer"
_is_too_deep = etree.XPath("boolean(" + "/*" * (MAX_NESTING_DEPTH + 1) + ")")
_ESCAPED_CHARACTERS = {
    "&#39;": "'", "&#34;": '"', "&quot;": '"', "&gt;": ">", "&lt;": "<", "&amp;": "&",
}  # fmt: skip
# cssutils keeps the state of its parser and its log in global variables.
_PREMAILER_LOCK = Lock()


def inline_css(html: str, css: str, html_attributes: tuple[HtmlAttribute, ...] = ()) -> str:
    """Return an HTML document with ``css`` inlined; the same input gives the same bytes.

    Args:
        html: the document.
        css: the rules to inline.
        html_attributes: attributes to set before that.

    Returns:
        The document, with its doctype in capitals.

    Raises:
        RenderError: the document is nested so deep that a parser would lose text, or a conditional
            comment for Outlook was lost.
    """
    tree = etree.fromstring(html, etree.HTMLParser())
    if _is_too_deep(tree.getroottree()):
        raise RenderError(
            f"elements are nested more than {MAX_NESTING_DEPTH} deep",
            remedy="Mail clients can't show that. Remove wrappers from the post or the template.",
        )
    set_html_attributes(tree, html_attributes)
    for style in tree.iter("style"):
        style.set(_IGNORE_ATTRIBUTE, "ignore")
        style.text = _unescape_css(style.text or "")
    with _PREMAILER_LOCK:
        _load_premailer()(tree, css)
    for style in tree.iter("style"):
        if _IGNORE_ATTRIBUTE in style.attrib:
            del style.attrib[_IGNORE_ATTRIBUTE]
    # method="html": an empty element must not become <div/>, which browsers take as unclosed.
    inlined = etree.tostring(tree, method="html", encoding="unicode", doctype=DOCTYPE)
    if _count_conditional_comments(inlined) != _count_conditional_comments(html):
        raise RenderError("conditional comments for Outlook were lost in CSS inlining")
    return inlined


@cache
def _load_premailer() -> Callable[[etree._Element, str], None]:
    # Premailer reads these on import; without its cache each style is parsed again and again.
    os.environ.setdefault("PREMAILER_CACHE", "LRU")
    os.environ.setdefault("PREMAILER_CACHE_MAXSIZE", "4096")
    from newsletter.render.css.premailer_patches import run_premailer

    return run_premailer


def _unescape_css(css: str) -> str:
    """Undo the escaping of Jinja and of MJML's XML: in ``<style>``, browsers unescape nothing."""
    for escaped, plain in _ESCAPED_CHARACTERS.items():
        css = css.replace(escaped, plain)
    return css


def _count_conditional_comments(html: str) -> tuple[int, int]:
    return html.count("<!--[if"), html.count("<![endif]-->")
