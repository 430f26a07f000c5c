"""Reject deeply nested HTML before a parser recurses or slows down."""

import re
from collections.abc import Callable, Container

from newsletter.errors import Location, PostError

MAX_NESTING_DEPTH = 100
# Unclosed formatting elements are opened again in every following block (HTML Standard,
# "reconstruct the active formatting elements"), so a few of them can expand enough to fill a disk.
_MAX_UNCLOSED_FORMATTING = 20

_TAG = re.compile(
    r"""<!--(?:-?>|.*?--!?>|.*)
      | <(?P<end>/?)(?P<name>[a-z][^\t\n\f\r\x20/>]*)
        (?>(?: [\t\n\f\r\x20/]
          | [^\t\n\f\r\x20/>][^\t\n\f\r\x20/>=]*
            (?:[\t\n\f\r\x20]*=[\t\n\f\r\x20]*(?:"[^"]*"|'[^']*'|[^\t\n\f\r\x20>"'][^\t\n\f\r\x20>]*)?)?
        )*)""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_RAW_TEXT_END = {
    name: re.compile(rf"</{name}(?=[\t\n\f\r\x20/>])", re.IGNORECASE)
    for name in ("script", "style")
}
_VOID_ELEMENTS = frozenset(
    "area base br col embed hr img input link meta param source track wbr".split()
)
_FORMATTING_ELEMENTS = frozenset("a b big code em font i nobr s small strike strong tt u".split())
_INLINE_ELEMENTS = _FORMATTING_ELEMENTS | frozenset(
    "abbr bdi bdo cite del dfn ins kbd label mark q rp rt ruby samp span sub sup time var".split()
)
_BLOCK_ELEMENTS = frozenset(
    """
    address article aside blockquote center dd details dialog dir div dl dt fieldset figcaption
    figure footer form h1 h2 h3 h4 h5 h6 header hgroup li main menu nav ol p pre section summary ul
    """.split()
)
_TABLE_PART_ELEMENTS = frozenset("caption colgroup tbody td tfoot th thead tr".split())
_TABLE_SECTION_ELEMENTS = frozenset({"tbody", "tfoot", "thead"})
# Elements that end the search for an element to close ("has an element in scope").
_SCOPE_ELEMENTS = frozenset(
    [
        "button",
        "caption",
        "marquee",
        "object",
        "select",
        "svg",
        "math",
        "table",
        "td",
        "template",
        "th",
    ]
)

_FOREIGN_ELEMENTS = frozenset({"svg", "math"})

_ALLOWED_IN_ITEM = _INLINE_ELEMENTS | {"address", "div", "p"}
_ALLOWED_IN_ROW = _ALLOWED_IN_ITEM | {"td", "th", "tr"}
_PARAGRAPH = frozenset({"p"})
# tag -> elements that its start tag closes, and elements that may be open in between
_CLOSED_BY_START_TAG: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    **dict.fromkeys(_BLOCK_ELEMENTS, (_PARAGRAPH, _INLINE_ELEMENTS)),
    "li": (frozenset({"li"}), _ALLOWED_IN_ITEM),
    **dict.fromkeys(("dd", "dt"), (frozenset({"dd", "dt"}), _ALLOWED_IN_ITEM)),
    "option": (frozenset({"option"}), frozenset()),
    **dict.fromkeys(("td", "th"), (frozenset({"td", "th"}), _ALLOWED_IN_ITEM)),
    "tr": (frozenset({"tr"}), _ALLOWED_IN_ROW),
    **dict.fromkeys(_TABLE_SECTION_ELEMENTS, (_TABLE_SECTION_ELEMENTS, _ALLOWED_IN_ROW)),
}


def check_nesting_depth(html: str, path: str | None = None) -> None:
    """Reject HTML that nests deeper than ``MAX_NESTING_DEPTH``.

    One pass, no recursion. Tags are read as the HTML Standard's tokenizer reads them; where its
    tree construction is simplified here, the depth is overestimated. Only the elements that a
    table implies (``tbody``, ``tr``) are not counted; they at most double the depth.

    Args:
        html: any text.
        path: its file, for messages.

    Raises:
        PostError: the HTML is deeper, or leaves too many formatting elements open.
    """
    elements = _OpenElements()
    position = 0
    while found := _TAG.search(html, position):
        position = found.end()
        name = (found["name"] or "").lower()
        if not name or name in _VOID_ELEMENTS:
            continue
        if found["end"]:
            elements.close_element(name)
            continue
        elements.open_element(name)
        if name in _RAW_TEXT_END and not elements.is_in_foreign_content:
            end = _RAW_TEXT_END[name].search(html, position)
            position = end.start() if end else len(html)
        if problem := elements.problem:
            line = html.count("\n", 0, found.start()) + 1
            raise PostError(
                problem,
                where=Location(path, line) if path else None,
                remedy="Mail clients cannot show that. Remove wrappers, or close open elements.",
            )


class _OpenElements:
    """The HTML Standard's stack of open elements, simplified, and unclosed formatting."""

    def __init__(self) -> None:
        self._stack: list[str] = []
        self._unclosed_formatting: list[str] = []

    @property
    def is_in_foreign_content(self) -> bool:
        return not _FOREIGN_ELEMENTS.isdisjoint(self._stack)

    @property
    def problem(self) -> str:
        if len(self._stack) + len(self._unclosed_formatting) > MAX_NESTING_DEPTH:
            return f"the HTML nests more than {MAX_NESTING_DEPTH} elements deep"
        if len(self._unclosed_formatting) > _MAX_UNCLOSED_FORMATTING:
            name = self._unclosed_formatting[0]
            return f"more than {_MAX_UNCLOSED_FORMATTING} elements like <{name}> are never closed"
        return ""

    def open_element(self, name: str) -> None:
        if name in _TABLE_PART_ELEMENTS and "table" not in self._stack:
            return
        if name == "a":
            self.close_element("a")
        if name in _CLOSED_BY_START_TAG:
            closed_names, allowed_between = _CLOSED_BY_START_TAG[name]
            self._close(closed_names, lambda other: other not in allowed_between)
            if closed_names is not _PARAGRAPH and name in _BLOCK_ELEMENTS:
                self._close(_PARAGRAPH, lambda other: other not in _INLINE_ELEMENTS)
        self._stack.append(name)

    def close_element(self, name: str) -> None:
        if name in _FOREIGN_ELEMENTS:
            return  # HTML inside has closed it already; well-formed ones were replaced before
        if name in _TABLE_PART_ELEMENTS or name == "table":
            self._close({name}, lambda other: other in {"table", "template"})
        elif name in _FORMATTING_ELEMENTS or name == "form":
            self._remove(name)
        elif name in _BLOCK_ELEMENTS:
            lists = {"ul", "ol", "menu"} if name == "li" else frozenset()
            self._close({name}, lambda other: other in _SCOPE_ELEMENTS or other in lists)
        else:
            self._close({name}, lambda other: other not in _INLINE_ELEMENTS)

    def _close(self, tag_names: Container[str], is_boundary: Callable[[str], bool]) -> None:
        """Close the nearest of ``tag_names`` with all its content; formatting stays open."""
        for index in range(len(self._stack) - 1, -1, -1):
            if self._stack[index] in tag_names:
                left_open = self._stack[index + 1 :]
                self._unclosed_formatting.extend(
                    name for name in left_open if name in _FORMATTING_ELEMENTS
                )
                del self._stack[index:]
                return
            if is_boundary(self._stack[index]):
                return

    def _remove(self, name: str) -> None:
        """Remove the nearest ``name`` from the stack and keep its content open."""
        for index in range(len(self._stack) - 1, -1, -1):
            if self._stack[index] == name:
                del self._stack[index]
                return
            if self._stack[index] in _SCOPE_ELEMENTS:
                return
        if name in self._unclosed_formatting:
            self._unclosed_formatting.remove(name)
