"""Replace elements of HTML by their classes; the rest stays as written."""

import html
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import lxml.html
from lxml.etree import LxmlError, strip_elements
from lxml.html import HtmlElement

from newsletter.posts.html.normalize.marked_elements import describe_content, list_urls
from newsletter.posts.html.normalize.tags import Tag, iter_html_tags
from newsletter.posts.removed_line import RemovedLine

REST_REASON = "rest of a card or widget"
_WORD = re.compile(r"\w+")
_MAX_DEPTH = 10  # of replaced elements, one inside the other
_MAX_PARSED_SHARE = 20  # how often the whole text may be parsed: real posts need it once or twice


@dataclass(slots=True)
class ElementReplacer:
    """Replace the elements that have certain classes; list what that leaves out.

    Attributes:
        handlers: a class -> the function that returns the HTML for an element that has it, or
            ``None`` if it stays as it is.
        removed: what handlers have left out; they add to it with ``list_removed``.
        line: 1-based line on which the element begins that is being replaced.
    """

    handlers: Mapping[str, "ElementHandler"]
    removed: list[RemovedLine] = field(default_factory=list)
    line: int = 0
    _depth: int = 0

    def replace(self, text: str) -> str:
        """Return HTML in which the elements are replaced, those inside of others, too."""
        if self._depth >= _MAX_DEPTH:
            return text
        parts: list[str] = []
        position, counted, line = 0, 0, 1
        left = _MAX_PARSED_SHARE * len(text)
        for tag, end in _match_end_tags(text):
            handler = self._find_handler(tag) if tag.start >= position else None
            left -= end - tag.start if handler else 0
            if handler is None or left < 0:
                continue
            element = parse_element(text[tag.start : end])
            line += text.count("\n", counted, tag.start)
            counted = tag.start
            self.line = line if self._depth == 0 else self.line
            self._depth += 1
            count = len(self.removed)
            replacement = None if element is None else handler(self, element)
            self._depth -= 1
            if element is None or replacement is None:
                continue
            self._list_rest(element, replacement, self.removed[count:])
            parts += (text[position : tag.start], replacement)
            position = end
        return "".join((*parts, text[position:]))

    def replace_inside(self, element: HtmlElement | None) -> str:
        """Return the HTML inside an element, in which elements are replaced; empty for ``None``."""
        return "" if element is None else self.replace(get_inner_html(element))

    def list_removed(self, content: HtmlElement | str, why: str) -> str:
        """List what is left out, and return the empty HTML that stands for it."""
        text = content if isinstance(content, str) else describe_content(get_outer_html(content))
        if text.strip():
            self.removed.append(RemovedLine(self.line, " ".join(text.split()), why))
        return ""

    def _list_rest(
        self, element: HtmlElement, replacement: str, removed: Sequence[RemovedLine]
    ) -> None:
        """List an element, if it shows more than its replacement and what a handler has listed."""
        kept = html.unescape(" ".join((replacement, *(entry.text for entry in removed))))
        source = get_outer_html(element)
        alternatives = (image.get("alt") or "" for image in element.iter("img"))
        shown = " ".join((*map(str, element.itertext()), *alternatives, *list_urls(source)))
        missing = Counter(_WORD.findall(shown))
        missing.subtract(Counter(_WORD.findall(kept)))
        if any(count > 0 for count in missing.values()):
            self.list_removed(describe_content(source), REST_REASON)

    def _find_handler(self, tag: Tag) -> "ElementHandler | None":
        names = tag.attributes.get("class", "").split() if "class" in tag.attribute_text else ()
        return next((self.handlers[name] for name in names if name in self.handlers), None)


ElementHandler = Callable[[ElementReplacer, HtmlElement], str | None]


def parse_element(text: str) -> HtmlElement | None:
    """Return the one element that HTML holds; ``None`` if it can't be parsed."""
    parser = lxml.html.HTMLParser(no_network=True, huge_tree=False, remove_comments=True)
    try:
        element = lxml.html.fragment_fromstring(text, create_parent="div", parser=parser)
    except (LxmlError, ValueError):
        return None
    strip_elements(element, "style", with_tail=False)
    children = list(element)
    return children[0] if len(children) == 1 else element


def get_inner_html(element: HtmlElement) -> str:
    """Return the HTML inside an element."""
    return html.escape(element.text or "", quote=False) + "".join(
        lxml.html.tostring(child, encoding="unicode") for child in element
    )


def get_outer_html(element: HtmlElement) -> str:
    """Return the HTML of an element, without what follows it."""
    return str(lxml.html.tostring(element, encoding="unicode", with_tail=False))


def find_by_class(element: HtmlElement, *names: str) -> HtmlElement | None:
    """Return the first element inside that has one of these classes."""
    wanted = set(names)
    for descendant in element.iter():
        if isinstance(descendant.tag, str) and not wanted.isdisjoint(
            (descendant.get("class") or "").split()
        ):
            return descendant
    return None


def get_words(element: HtmlElement | None) -> str:
    """Return the text of an element on one line; empty for ``None``."""
    return "" if element is None else " ".join(str(element.text_content()).split())


def find_attribute(element: HtmlElement | None, path: str, name: str) -> str:
    """Return an attribute of the first element at a path inside; empty if there is none."""
    found = None if element is None else element.find(path)
    return "" if found is None else (found.get(name) or "").strip()


def _match_end_tags(text: str) -> list[tuple[Tag, int]]:
    """Return the start tags of all elements that are closed, with the offset after their end tag.

    An end tag closes the element of its name that was opened last.
    """
    open_tags: dict[str, list[Tag]] = defaultdict(list)
    ends: dict[int, tuple[Tag, int]] = {}
    for tag in iter_html_tags(text):
        if not tag.is_end:
            open_tags[tag.name].append(tag)
        elif open_tags[tag.name]:
            start = open_tags[tag.name].pop()
            ends[start.start] = (start, tag.end)
    return [ends[start] for start in sorted(ends)]
