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
from lxml.cssselect import CSSSelector
from premailer import Premailer, merge_style

PremailerRule = tuple[tuple[int, ...], str, str]
PremailerRules = tuple[list[PremailerRule], list[Any]]

ElementFinder = Callable[[Any], Any]

_CLASS = re.compile(r"\.[\w-]+")
_NAMES = re.compile(r"\.(?P<class>[\w-]+)|(?:^|[\s>+~])(?P<tag>[a-zA-Z][\w-]*)")
_UNSURE_SELECTOR = re.compile(r"[\\:]")
_ATTRIBUTE = re.compile(r"\[[^\]]*\]")
_scope_cache: dict[str, Any] = {}
_merge_cache: dict[tuple[str, tuple[int, ...], tuple[str, ...]], str] = {}


def _fetch_nothing(url: str) -> tuple[None, bytes]:  # noqa: ARG001 - the signature is cssutils'
    return None, b""


# cssutils fetches every @import, even from file: URLs, regardless of premailer's options.
cssutils.util._defaultFetcher = _fetch_nothing  # noqa: SLF001 - no public API


# Premailer validates existing style attributes even with validation disabled, then keeps them
# unchanged: that has no use and takes half of a new process's time.
_parse_style_pairs = partial(merge_style.csstext_to_pairs, validate=False)
_parse_style_pairs._lock = merge_style.csstext_to_pairs._lock  # type: ignore[attr-defined]  # noqa: SLF001
merge_style.csstext_to_pairs = _parse_style_pairs


@lru_cache(maxsize=4096)
def _create_selector(selector: str) -> ElementFinder:
    """Return a function that finds ``selector``'s elements, with its first class cached.

    Nearly all rules begin with the same class, and finding it takes most of the time: its elements
    are looked up once per document.
    """
    select = CSSSelector(selector)
    scope, _, rest = selector.partition(" ")
    if not rest or rest[0] in ">+~" or not _CLASS.fullmatch(scope):
        return select
    select_in_scope = etree.XPath(
        CSSSelector(rest).path.replace("descendant-or-self::", "descendant::", 1)
    )

    def find(page: Any) -> Any:
        if scope not in _scope_cache:
            _scope_cache[scope] = CSSSelector(scope)(page)
        found = _scope_cache[scope]
        return select_in_scope(found[0]) if len(found) == 1 else select(page)

    return find


premailer.premailer._create_cssselector = _create_selector  # noqa: SLF001


def _merge_styles(
    old: str, new: list[list[tuple[str, str]]], classes: list[str], **options: bool
) -> str:
    """Merge styles as premailer does, once for all elements that the same rules match.

    Nearly all paragraphs are matched by the same rules.
    """
    key = (
        old,
        tuple(map(id, new)),
        tuple(classes),
    )  # premailer keeps these objects alive meanwhile
    if key not in _merge_cache:
        _merge_cache[key] = merge_style.merge_styles(old, new, classes, **options)
    return _merge_cache[key]


premailer.premailer.merge_styles = _merge_styles


def run_premailer(tree: etree._Element, css: str) -> None:
    """Inline ``css`` into ``tree``; not thread-safe."""
    _scope_cache.clear()
    _merge_cache.clear()
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


class _Premailer(Premailer):  # type: ignore[misc]
    def _parse_style_rules(self, css_body: str, ruleset_index: int) -> PremailerRules:
        """Return the rules that can match, and those that can't be inlined."""
        rules, leftover = _parse_rules(css_body, ruleset_index)
        names = _collect_names(self.html)
        return [rule for rule in rules if _get_required_names(rule[1]) <= names], leftover

    def _style_to_basic_html_attributes(self, *_: object, **__: object) -> None:
        """No-op: every attribute that it knows is disabled above."""


@lru_cache(maxsize=16)
def _parse_rules(css: str, index: int) -> PremailerRules:
    parser = Premailer("", strip_important=False, disable_validation=True)
    parsed: PremailerRules = parser._parse_style_rules(css, index)  # noqa: SLF001
    return parsed


def _collect_names(tree: etree._Element) -> set[str]:
    """Return the tags and the classes of a document, the classes with a leading dot."""
    tags = {element.tag for element in tree.iter(etree.Element)}
    values = {element.get("class", "") for element in tree.iter(etree.Element)}
    return tags | {f".{name}" for value in values for name in value.split()}


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
