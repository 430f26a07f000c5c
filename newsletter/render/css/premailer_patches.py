"""Premailer, told to fetch nothing, and to do no work twice or in vain.

Its methods that are overridden here are its own business (``_…``); premailer 3.10 is its last
release, of 2021, and the tests compare what comes out with another inliner.
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


def _fetch_nothing(url: str) -> tuple[None, bytes]:  # noqa: ARG001 - the signature is cssutils'
    return None, b""


# cssutils fetches @import by itself, file: too, whatever premailer is told.
cssutils.util._defaultFetcher = _fetch_nothing  # noqa: SLF001 - there is no public way


# Styles that are there already premailer validates whatever it is told, and then keeps them as they
# are: of no use, and half of the time that a new process takes.
_parse_style_pairs = partial(merge_style.csstext_to_pairs, validate=False)
_parse_style_pairs._lock = merge_style.csstext_to_pairs._lock  # type: ignore[attr-defined]  # noqa: SLF001
merge_style.csstext_to_pairs = _parse_style_pairs


@lru_cache(maxsize=4096)
def _create_selector(selector: str) -> ElementFinder:
    """What finds the elements of ``selector``, its first class looked up once a document.

    Nearly all rules begin with the same class, and finding that takes most of the time.
    """
    whole = CSSSelector(selector)
    scope, _, rest = selector.partition(" ")
    if not rest or rest[0] in ">+~" or not _CLASS.fullmatch(scope):
        return whole
    inside = etree.XPath(CSSSelector(rest).path.replace("descendant-or-self::", "descendant::", 1))

    def find(page: Any) -> Any:
        if scope not in _scope_cache:
            _scope_cache[scope] = CSSSelector(scope)(page)
        found = _scope_cache[scope]
        return inside(found[0]) if len(found) == 1 else whole(page)

    return find


_scope_cache: dict[str, Any] = {}
premailer.premailer._create_cssselector = _create_selector  # noqa: SLF001


_merge_cache: dict[tuple[str, tuple[int, ...], tuple[str, ...]], str] = {}


def _merge_styles(
    old: str, new: list[list[tuple[str, str]]], classes: list[str], **options: bool
) -> str:
    """Premailer's own, once for all elements that the same rules match: nearly all paragraphs."""
    key = (old, tuple(map(id, new)), tuple(classes))  # premailer holds on to them meanwhile
    if key not in _merge_cache:
        _merge_cache[key] = merge_style.merge_styles(old, new, classes, **options)
    return _merge_cache[key]


premailer.premailer.merge_styles = _merge_styles


def run_premailer(tree: etree._Element, css: str) -> None:
    """Inline ``css`` into ``tree``; not for two threads at once."""
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
        """The rules that can match, and those that can't be inlined."""
        rules, leftover = _parse_rules(css_body, ruleset_index)
        there = _collect_names(self.html)
        return [rule for rule in rules if _get_required_names(rule[1]) <= there], leftover

    def _style_to_basic_html_attributes(self, *_: object, **__: object) -> None:
        """Nothing: every attribute it knows is disabled above."""


@lru_cache(maxsize=16)
def _parse_rules(css: str, index: int) -> PremailerRules:
    plain = Premailer("", strip_important=False, disable_validation=True)
    parsed: PremailerRules = plain._parse_style_rules(css, index)  # noqa: SLF001
    return parsed


def _collect_names(tree: etree._Element) -> set[str]:
    """Its tags, and its classes with their dot."""
    tags = {element.tag for element in tree.iter(etree.Element)}
    values = {element.get("class", "") for element in tree.iter(etree.Element)}
    return tags | {f".{name}" for value in values for name in value.split()}


@lru_cache(maxsize=4096)
def _get_required_names(selector: str) -> frozenset[str]:
    """The tags and classes without which ``selector`` matches nothing; none where in doubt."""
    bare = _ATTRIBUTE.sub("", selector)
    if _UNSURE_SELECTOR.search(bare):
        return frozenset()
    return frozenset(
        f".{found['class']}" if found["class"] else found["tag"].lower()
        for found in _NAMES.finditer(bare)
    )
