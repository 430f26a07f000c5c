"""Patch premailer: no network access, and caches for speed.

The overridden methods are private (``_…``); premailer 3.10 is its last release, of 2021, and the
tests compare the output with that of another inliner.
"""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import cssutils.util
import premailer.premailer
from lxml import etree
from premailer import Premailer, merge_style

from newsletter.render.css.element_index import ElementIndex

PremailerRule = tuple[tuple[int, ...], str, str]
PremailerRules = tuple[list[PremailerRule], list[Any]]

ElementFinder = Callable[[Any], Any]
StylePairs = list[tuple[str, str]]

_NAMES = re.compile(r"\.(?P<class>[\w-]+)|(?:^|[\s>+~])(?P<tag>[a-zA-Z][\w-]*)")
_UNSURE_SELECTOR = re.compile(r"[\\:]")
_ATTRIBUTE = re.compile(r"\[[^\]]*\]")
_merge_cache: dict[tuple[str, tuple[int, ...], tuple[str, ...]], tuple[object, str]] = {}
_MAX_CACHED_MERGES = 4096


def _fetch_nothing(url: str) -> tuple[None, bytes]:  # noqa: ARG001 - the signature is cssutils'
    return None, b""


# cssutils fetches every @import, even from file: URLs, regardless of premailer's options.
cssutils.util._defaultFetcher = _fetch_nothing  # noqa: SLF001 - no public API


# Premailer validates existing style attributes even with validation disabled, then keeps them
# unchanged: that has no use and takes half of a new process's time.
_parse_style_pairs = partial(merge_style.csstext_to_pairs, validate=False)
_parse_style_pairs._lock = merge_style.csstext_to_pairs._lock  # type: ignore[attr-defined]  # noqa: SLF001
merge_style.csstext_to_pairs = _parse_style_pairs


def _create_selector(selector: str) -> ElementFinder:
    """Return a function that finds ``selector``'s elements in a document."""
    return lambda page: _index_document(page.getroot()).find(selector)


@lru_cache(maxsize=1)
def _index_document(root: etree._Element) -> ElementIndex:
    return ElementIndex(root)


premailer.premailer._create_cssselector = _create_selector  # noqa: SLF001


def _merge_styles(old: str, new: list[StylePairs], classes: list[str], **options: bool) -> str:
    """Merge styles as premailer does, once for all elements that the same rules match.

    Nearly all paragraphs are matched by the same rules, of one email and of the next: without the
    cache, merging takes 0.4 ms of a warm render.
    """
    key = (old, tuple(map(id, new)), tuple(classes))
    if key not in _merge_cache:
        if len(_merge_cache) >= _MAX_CACHED_MERGES:
            _merge_cache.clear()
        merged = merge_style.merge_styles(old, new, classes, **options)
        _merge_cache[key] = tuple(new), merged  # with the styles themselves, which keeps ids unique
    return _merge_cache[key][1]


premailer.premailer.merge_styles = _merge_styles


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

    def _style_to_basic_html_attributes(self, *_: object, **__: object) -> None:
        """No-op: every attribute that it knows is disabled above."""


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
