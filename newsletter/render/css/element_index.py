"""Find elements by CSS selector, with an index of tags and classes.

One pass over the document instead of one for each selector: an email has about 150 rules, and an
XPath search for each of them took 4 of the 6 ms of inlining.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from lxml import etree
from lxml.cssselect import CSSSelector
from lxml.etree import _Element as Element

# Tags and classes, and such elements inside others; all other selectors are left to XPath.
_PLAIN_SELECTOR = re.compile(
    r"(?:[a-z][a-z0-9]*|\.[a-zA-Z][\w-]*)(?: (?:[a-z][a-z0-9]*|\.[a-zA-Z][\w-]*))*", re.ASCII
)
# White space as XPath's normalize-space() has it, not as str.split() does.
_CLASS_NAME = re.compile(r"[^ \t\r\n]+")

_Elements = list[Element]


class ElementIndex:
    """The elements of a tree by tag and class; the tree must not change meanwhile.

    Attributes:
        names: the tags and the classes of the tree, the classes with a leading dot.
    """

    def __init__(self, root: Element) -> None:
        self._tree = root.getroottree()
        self._by_name = _index_by_name(root.iter(etree.Element))
        self._inside: dict[str, dict[str, _Elements]] = {}
        self.names = frozenset(self._by_name)

    def find(self, selector: str) -> _Elements:
        """Return the elements that a CSS selector matches, each once."""
        if not _is_plain(selector):
            found: _Elements = _compile_selector(selector)(self._tree)
            return found
        outer, _, name = selector.rpartition(" ")
        by_name = self._index_inside(outer) if outer else self._by_name
        return by_name.get(name, [])

    def _index_inside(self, selector: str) -> dict[str, _Elements]:
        """Return the index of what is inside the elements that a plain selector matches."""
        if selector not in self._inside:
            # A dict as an ordered set: an element inside two others is in it once.
            descendants = {
                element: None
                for outer in self.find(selector)
                for element in outer.iterdescendants(etree.Element)
            }
            self._inside[selector] = _index_by_name(descendants)
        return self._inside[selector]


def _index_by_name(elements: Iterable[Element]) -> dict[str, _Elements]:
    found: defaultdict[str, _Elements] = defaultdict(list)
    for element in elements:
        found[str(element.tag)].append(element)
        if classes := element.get("class"):
            for name in _split_classes(classes):
                found[name].append(element)
    return dict(found)


@lru_cache(maxsize=4096)
def _split_classes(value: str) -> tuple[str, ...]:
    """Return the different classes of an attribute, each with a leading dot."""
    return tuple(dict.fromkeys(f".{name}" for name in _CLASS_NAME.findall(value)))


@lru_cache(maxsize=4096)
def _is_plain(selector: str) -> bool:
    return _PLAIN_SELECTOR.fullmatch(selector) is not None


@lru_cache(maxsize=4096)
def _compile_selector(selector: str) -> Any:
    return CSSSelector(selector)
