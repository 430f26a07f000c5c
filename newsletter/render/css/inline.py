"""CSS into style attributes, by premailer on a parsed tree, with its traps guarded.

Rules in the mail's own ``<style>`` blocks stay rules; those of ``css`` are inlined. What can't be
inlined (media queries, ``:hover``) premailer puts into one more ``<style>``.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from types import ModuleType

from lxml import etree

from newsletter.errors import RenderError
from newsletter.posts.html.nesting_limit import LIMIT

DOCTYPE = "<!DOCTYPE html>"  # premailer's lower-case one is dropped by some clients: quirks mode

_IGNORE = "data-premailer"
_TOO_DEEP = etree.XPath("boolean(" + "/*" * (LIMIT + 1) + ")")
_QUOTES = {"&#39;": "'", "&#34;": '"', "&quot;": '"', "&gt;": ">"}
# cssutils keeps the state of its parser and its log in globals.
_ONE_AT_A_TIME = Lock()


def inline(html: str, css: str) -> str:
    """Inline ``css`` into a whole HTML document; the same input gives the same bytes.

    Args:
        html: the document.
        css: the rules to inline.

    Returns:
        The document, its doctype in capitals.

    Raises:
        RenderError: it is nested so deep that a parser would lose text, or a conditional comment
            for Outlook was lost.
    """
    tree = etree.fromstring(html, etree.HTMLParser())
    if _TOO_DEEP(tree.getroottree()):
        raise RenderError(
            f"the mail nests more than {LIMIT} elements deep",
            remedy="Mail clients cannot show that. Take wrappers out of the post or the template.",
        )
    for style in tree.iter("style"):
        style.set(_IGNORE, "ignore")
        style.text = _unquoted(style.text or "")
    with _ONE_AT_A_TIME:
        _premailer()(tree, css)
    for style in tree.iter("style"):
        if _IGNORE in style.attrib:
            del style.attrib[_IGNORE]
    # method="html": an empty element must not become <div/>, which browsers leave open.
    inlined = etree.tostring(tree, method="html", encoding="unicode", doctype=DOCTYPE)
    if _conditions(inlined) != _conditions(html):
        raise RenderError("Outlook's conditional comments did not survive inlining")
    return inlined


@cache
def _premailer() -> Callable[[etree._Element, str], None]:
    # Read when premailer is imported; without them each style is parsed again and again.
    os.environ.setdefault("PREMAILER_CACHE", "LRU")
    os.environ.setdefault("PREMAILER_CACHE_MAXSIZE", "4096")
    with _no_http_library():
        from newsletter.render.css.premailer_patches import run_premailer
    return run_premailer


@contextmanager
def _no_http_library() -> Iterator[None]:
    """Premailer imports requests to fetch style sheets, which it must never do here.

    It gets an empty module instead: so it can't, and a new process loads a tenth less.
    """
    absent = "requests" not in sys.modules
    if absent:
        sys.modules["requests"] = ModuleType("requests")
    try:
        yield
    finally:
        if absent:
            del sys.modules["requests"]


def _unquoted(css: str) -> str:
    """Jinja escapes quotes in CSS as in HTML, but in ``<style>`` nothing is unescaped."""
    for escaped, plain in _QUOTES.items():
        css = css.replace(escaped, plain)
    return css


def _conditions(html: str) -> tuple[int, int]:
    return html.count("<!--[if"), html.count("<![endif]-->")
