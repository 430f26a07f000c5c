"""Find elements by CSS selector, with an index of tags and classes.

One pass over the document instead of one for each selector: an email has about 150 rules, and an
XPath search for each of them took 4 of the 6 ms of inlining.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from functools import lru_cache
from typing import Any

from lxml import etree
from lxml.cssselect import CSSSelector, LxmlTranslator
from lxml.etree import _Element as Element

# Tags and classes, and such elements inside others, with a condition that an element itself tells;
# all other selectors are left to XPath.
_PLAIN = r"(?:[a-z][a-z0-9]*|\.[a-zA-Z][\w-]*)(?: (?:[a-z][a-z0-9]*|\.[a-zA-Z][\w-]*))*"
_SELECTOR = re.compile(
    rf"(?P<plain>{_PLAIN})(?P<condition>(?::(?:first|last|only)-child|\[[a-z-]+\])*)", re.ASCII
)
# White space as XPath's normalize-space() has it, not as str.split() does.
_CLASS_NAME = re.compile(r"[^ \t\r\n]+")


class ElementIndex:
    """The elements of a tree by tag and class; the tree must not change meanwhile.

    Elements are numbered in document order, so that what is inside an element is a range.

    Attributes:
        names: the tags and the classes of the tree, the classes with a leading dot.
    """

    def __init__(self, root: Element) -> None:
        self._tree = root.getroottree()
        self._elements = list(root.iter(etree.Element))
        self._numbers = {element: number for number, element in enumerate(self._elements)}
        self._by_name: defaultdict[str, list[int]] = defaultdict(list)
        for number, element in enumerate(self._elements):
            self._by_name[str(element.tag)].append(number)
            if classes := element.get("class"):
                for name in _split_classes(classes):
                    self._by_name[name].append(number)
        self._inside: dict[str, list[range]] = {}
        self.names = frozenset(self._by_name)

    def find(self, selector: str) -> list[Element]:
        """Return the elements that a CSS selector matches, each once."""
        plain, condition = _split_selector(selector)
        if not plain:
            found: list[Element] = _compile_selector(selector)(self._tree)
            return found
        elements = [self._elements[number] for number in self._find_plain(plain)]
        return list(filter(_compile_condition(condition), elements)) if condition else elements

    def _find_plain(self, selector: str) -> list[int]:
        """Return the numbers of the elements that a plain selector matches, in order."""
        outer, _, name = selector.rpartition(" ")
        numbers = self._by_name.get(name, [])
        if not outer:
            return numbers
        if outer not in self._inside:
            self._inside[outer] = self._get_ranges(self._find_plain(outer))
        return [
            number
            for inside in self._inside[outer]
            for number in numbers[
                bisect_left(numbers, inside.start) : bisect_left(numbers, inside.stop)
            ]
        ]

    def _get_ranges(self, numbers: list[int]) -> list[range]:
        """Return the ranges of what is inside elements; none overlaps another."""
        ranges: list[range] = []
        for number in numbers:
            if not ranges or number >= ranges[-1].stop:
                ranges.append(range(number + 1, self._get_end(number)))
        return ranges

    def _get_end(self, number: int) -> int:
        """Return the number of the first element after an element's content."""
        element: Element | None = self._elements[number]
        while element is not None:
            following = next(element.itersiblings(etree.Element), None)
            if following is not None:
                return self._numbers[following]
            element = element.getparent()
        return len(self._elements)


@lru_cache(maxsize=4096)
def _split_classes(value: str) -> tuple[str, ...]:
    """Return the different classes of an attribute, each with a leading dot."""
    return tuple(dict.fromkeys(f".{name}" for name in _CLASS_NAME.findall(value)))


@lru_cache(maxsize=4096)
def _split_selector(selector: str) -> tuple[str, str]:
    """Return the plain part of a selector and its condition; an empty part if it has none."""
    found = _SELECTOR.fullmatch(selector)
    return (found["plain"], found["condition"]) if found else ("", "")


@lru_cache(maxsize=4096)
def _compile_selector(selector: str) -> Any:
    return CSSSelector(selector)


@lru_cache(maxsize=4096)
def _compile_condition(condition: str) -> Any:
    """Return a function that tells whether an element meets a condition."""
    return etree.XPath(f"boolean({LxmlTranslator().css_to_xpath(condition, prefix='self::')})")
