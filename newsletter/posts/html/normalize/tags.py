"""Tokenize HTML tags as the HTML Standard does."""

import html
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from html.entities import html5
from typing import NamedTuple

VOID_ELEMENTS = frozenset(
    "area base br col embed hr img input link meta param source track wbr".split()
)
# Their content is text, up to their own end tag.
RAW_TEXT_ELEMENTS = frozenset("iframe noembed noframes script style textarea title xmp".split())

_SPACE = r"[\t\n\f\r ]"
_TAG = re.compile(
    rf"""<!--(?:-?>|.*?--!?>|.*)
      | <[!?][^>]*>
      | <(?P<end>/?)(?P<name>[a-z][^\t\n\f\r />]*+)
        (?P<attributes>
          (?>(?:[\t\n\f\r /]++
            | [^\t\n\f\r />][^\t\n\f\r />=]*+
              (?>(?:{_SPACE}*+=(?:{_SPACE}*+(?:"[^"]*"|'[^']*'|[^\t\n\f\r >"'][^\t\n\f\r >]*+))?)?)
          )*)
        )(?:>|\Z)""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_ATTRIBUTE = re.compile(
    rf"""(?P<name>[^\t\n\f\r />][^\t\n\f\r />=]*+)
         (?>(?:{_SPACE}*+=(?:{_SPACE}*+("(?P<double>[^"]*)"|'(?P<single>[^']*)'
         |(?P<bare>[^\t\n\f\r >"'][^\t\n\f\r >]*+)))?)?)""",
    re.DOTALL | re.VERBOSE,
)
# Without its semicolon, a name counts only where the value can't go on with it.
_REFERENCE = re.compile(
    r"&(?:#(?:[xX][0-9a-fA-F]+|[0-9]+);?|(?P<name>[A-Za-z][A-Za-z0-9]*(?:;|(?![A-Za-z0-9=]))))"
)


class Tag(NamedTuple):
    """A start or end tag; a tuple, since making a frozen dataclass takes four times as long.

    Attributes:
        name: lower case.
        start: offset of its ``<``.
        end: offset after its ``>``.
        is_end: whether it is an end tag.
        attribute_text: what is between its name and its ``>``.
    """

    name: str
    start: int
    end: int
    is_end: bool
    attribute_text: str

    @property
    def attributes(self) -> dict[str, str]:
        """Attributes by lower-case name, the first of each, values unescaped."""
        return dict(_parse_attributes(self.attribute_text))

    @property
    def is_self_closed(self) -> bool:
        """Whether it ends with ``/>``, which HTML ignores and XHTML, JSX and Markdown don't."""
        text = self.attribute_text.rstrip()
        if self.is_end or not text.endswith("/"):
            return False
        # A slash at the end of an unquoted value belongs to the value.
        return all(found.end() < len(text) for found in _ATTRIBUTE.finditer(text))


def unescape_attribute(value: str) -> str:
    """Decode character references in an attribute; ``?a=1&copy=2`` has none (HTML Standard)."""
    return _REFERENCE.sub(_decode, value) if "&" in value else value


def _decode(found: re.Match[str]) -> str:
    name = found["name"]
    return html.unescape(found[0]) if name is None else html5.get(name, found[0])


@lru_cache(maxsize=1024)
def _parse_attributes(text: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(text):
        value = match["double"] or match["single"] or match["bare"] or ""
        found.setdefault(match["name"].lower(), unescape_attribute(value))
    return found


def iter_html_tags(text: str) -> Iterator[Tag]:
    """Yield all tags, in order; none in comments and in the text of scripts and their like."""
    position = 0
    while found := _TAG.search(text, position):
        position = found.end()
        if not found["name"] or text[position - 1] != ">":
            continue
        tag = Tag(
            found["name"].lower(), found.start(), position, bool(found["end"]), found["attributes"]
        )
        yield tag
        if tag.name in RAW_TEXT_ELEMENTS and not tag.is_end and not tag.is_self_closed:
            position = find_raw_text_end(text, tag)


def iter_attribute_spans(tag: Tag) -> Iterator[tuple[str, int, int]]:
    """Yield the lower-case name of each attribute of a start tag, with its offsets in the text."""
    start = tag.start + 1 + len(tag.name)
    for match in _ATTRIBUTE.finditer(tag.attribute_text):
        yield match["name"].lower(), start + match.start(), start + match.end()


def find_raw_text_end(text: str, tag: Tag) -> int:
    """Return the offset of the end tag of a script or its like; the end of the text without one."""
    pattern = re.compile(rf"</{re.escape(tag.name)}(?=[\t\n\f\r />])", re.IGNORECASE)
    found = pattern.search(text, tag.end)
    return found.start() if found else len(text)


def format_start_tag(name: str, attributes: Mapping[str, str]) -> str:
    """Return a start tag with these attributes, escaped."""
    parts = (f' {key}="{html.escape(value)}"' for key, value in attributes.items())
    return f"<{name}{''.join(parts)}>"
