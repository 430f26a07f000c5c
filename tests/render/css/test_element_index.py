"""The index finds what XPath finds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from lxml.cssselect import CSSSelector
from lxml.etree import _Element as Element

from newsletter.render.css.element_index import ElementIndex

PAGE = """
<html><head><style>p { margin: 0 }</style></head><body>
<table class="a"><tr><td class="b a"><div class="a b-c"><p class="a">1</p><!-- p --><a>2</a></div>
<ul class="a"><li><p>3</p><ul><li class="b"><p>4</p></li></ul></li></ul></td></tr></table>
<p class="a\u00a0b">5</p><p class=" b
 b-c	">6</p><p class="b b">7</p><p class="" id="x">8</p>
</body></html>
"""
NAMES = ["table", "td", "div", "p", "a", "ul", "li", "html", "h1", ".a", ".b", ".b-c", ".c"]


def _search(tree: Any, selector: str) -> Any:
    return CSSSelector(selector)(tree)


def check(selector: str) -> list[Element]:
    root = etree.fromstring(PAGE, etree.HTMLParser())
    found = ElementIndex(root).find(selector)
    tree: Any = root.getroottree()
    assert sorted(map(tree.getpath, found)) == sorted(map(tree.getpath, _search(tree, selector)))
    return found


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(" ".join))
def test_plain_selectors_find_what_xpath_finds(selector: str) -> None:
    check(selector)


@pytest.mark.parametrize(
    ("selector", "count"),
    [
        ("p", 7),
        (".a", 5),
        (".a .a", 4),
        ("li p", 2),  # the 4 is in two of them, and found once
        (".a li li p", 1),
        ("p.b", 2),
        ("td > div", 1),
        ("#x", 1),
        ("p[class]", 5),
        ("li:first-child", 2),
        (".a li:last-child", 2),
        (".a p:only-child", 1),
        (".a p[class]", 1),
        ("p[class]:first-child", 1),
        ("td[id]", 0),
        ("li:first-child p", 2),
        ("p:first-child, ul", 5),
        (".a .b-c > .a", 1),
        ("P", 0),
        ("h1", 0),
    ],
)
def test_count(selector: str, count: int) -> None:
    assert len(check(selector)) == count


def test_names() -> None:
    root = etree.fromstring("<p class='a b'><br></p>", etree.HTMLParser())
    assert ElementIndex(root).names == {"html", "body", "p", "br", ".a", ".b"}
