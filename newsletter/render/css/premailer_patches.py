"""Run premailer: without the network, and as fast as npm's juice.

Two private names of premailer are replaced for speed; 3.10 is its last release, of 2021, and the
tests compare the output with that of another inliner. Warm, with the sample issue: if premailer
searches the document by XPath for each selector, a render takes 2.5 times as long; if it reads all
rules anew from cssutils' objects for each email, 1.4 times.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cssutils
import cssutils.util
import premailer.premailer
from lxml import etree
from premailer import Premailer

from newsletter.render.css.element_index import ElementIndex

PremailerRule = tuple[tuple[int, ...], str, str]
PremailerRules = tuple[list[PremailerRule], list[Any]]

ElementFinder = Callable[[Any], Any]

_NAMES = re.compile(r"\.(?P<class>[\w-]+)|(?:^|[\s>+~])(?P<tag>[a-zA-Z][\w-]*)")
_UNSURE_SELECTOR = re.compile(r"[\\:]")
_ATTRIBUTE = re.compile(r"\[[^\]]*\]")


def _fetch_nothing(url: str) -> tuple[None, bytes]:  # noqa: ARG001 - the signature is cssutils'
    return None, b""


# cssutils fetches every @import, even from file: URLs, regardless of premailer's options.
cssutils.util._defaultFetcher = _fetch_nothing  # noqa: SLF001 - no public API


# Premailer has each style attribute validated, whatever its options are, and keeps it as it is. A
# new process spends more time on that than on the rest of the inlining. Without a list of known
# properties, there is nothing to validate.
cssutils.profile.removeProfile(all=True)


def _create_selector(selector: str) -> ElementFinder:
    """Return a function that finds ``selector``'s elements in a document."""
    return lambda page: _index_document(page.getroot()).find(selector)


@lru_cache(maxsize=1)
def _index_document(root: etree._Element) -> ElementIndex:
    return ElementIndex(root)


premailer.premailer._create_cssselector = _create_selector  # noqa: SLF001


def run_premailer(tree: etree._Element, css: str) -> None:
    """Inline ``css`` into ``tree``; not thread-safe."""
    _index_document.cache_clear()  # of a tree that may have changed since
    try:
        _Premailer(
            tree,
            css_text=css,
            strip_important=False,
            disable_basic_attributes=["width", "height", "align", "valign", "bgcolor"],
            disable_validation=True,
            align_floating_images=False,
            allow_network=False,
            cssutils_logging_level="CRITICAL",
        ).transform()
    finally:
        _index_document.cache_clear()


class _Premailer(Premailer):  # type: ignore[misc]
    def _parse_style_rules(self, css_body: str, ruleset_index: int) -> PremailerRules:
        """Return the rules that can match, and those that can't be inlined."""
        rules, leftover = _parse_rules(css_body, ruleset_index)
        names = _index_document(self.html).names
        return [rule for rule in rules if _get_required_names(rule[1]) <= names], leftover


@lru_cache(maxsize=16)
def _parse_rules(css: str, index: int) -> PremailerRules:
    parser = Premailer("", strip_important=False, disable_validation=True)
    parsed: PremailerRules = parser._parse_style_rules(css, index)  # noqa: SLF001
    return parsed


@lru_cache(maxsize=4096)
def _get_required_names(selector: str) -> frozenset[str]:
    """Return the tags and classes without which ``selector`` matches nothing; none if unsure."""
    bare = _ATTRIBUTE.sub("", selector)
    if _UNSURE_SELECTOR.search(bare):
        return frozenset()
    return frozenset(
        f".{found['class']}" if found["class"] else found["tag"].lower()
        for found in _NAMES.finditer(bare)
    )
