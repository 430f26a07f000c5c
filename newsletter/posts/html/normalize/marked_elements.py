"""Remove and list the elements marked as left out."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from newsletter.posts.html.normalize import unseen_text
from newsletter.posts.html.normalize.tags import VOID_ELEMENTS, Tag, iter_html_tags
from newsletter.posts.removed_line import RemovedLine

LINE_ATTRIBUTE = "data-source-line"
REASON_ATTRIBUTE = "data-left-out"
_MAX_LINE_DIGITS = 9

_MARKS = re.compile(rf' (?:{LINE_ATTRIBUTE}|{REASON_ATTRIBUTE})="[^"]*"')
_VALUE = r"""=(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"""
_URL = re.compile(rf"\s(?:href|src|data-href){_VALUE}")
_IMAGE = re.compile(r"<(?:amp-)?img\b[^>]*>")
_ALT = re.compile(rf"\salt{_VALUE}")
_MEDIA = re.compile(r"<(?:img|iframe|video|audio)\b")
_FORMULA = re.compile(r'<span\b[^>]*\sclass="math"')
_PARAGRAPH = re.compile(r"<p\b")
_TAG_PATTERN = re.compile(r"<[^>]*>")
_INLINE_TAG = re.compile(
    r"</?(?:a|abbr|b|bdi|bdo|cite|code|del|dfn|em|i|ins|kbd|mark|q|s|samp|small|span|strong|sub"
    r"|sup|time|u|var|wbr)\b[^>]*>"
)


@dataclass(slots=True)
class _Element:
    tag: Tag
    parent: "_Element | None"
    inner_end: int = 0
    end: int = 0
    children: "list[_Element]" = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Content:
    """A marked element of a body, with its HTML and its text."""

    body: str
    element: _Element
    inside: str
    text: str

    @classmethod
    def read(cls, body: str, element: _Element) -> "_Content":
        inside = body[element.tag.end : element.inner_end]
        return cls(body, element, inside, get_text(inside))


def parse_line_mark(mark: str) -> int:
    """Return the line that a mark states; 0 if there is none, or if the page's author wrote it."""
    return int(mark) if mark.isdecimal() and len(mark) <= _MAX_LINE_DIGITS else 0


def mark_left_out(text: str, reason: str, line: int) -> str:
    """Return an element with ``text`` (plain) that is listed as removed, and not shown."""
    return (
        f'<span {REASON_ATTRIBUTE}="{html.escape(reason)}" {LINE_ATTRIBUTE}="{line}">'
        f"{html.escape(text)}</span>"
    )


def remove_marked_elements(body: str) -> tuple[str, tuple[RemovedLine, ...]]:
    """Return sanitised HTML without the elements marked as left out, and what was in them."""
    if REASON_ATTRIBUTE not in body:
        return _MARKS.sub("", body) if LINE_ATTRIBUTE in body else body, ()
    removed: list[RemovedLine] = []
    parts: list[str] = []
    position = 0
    for element in _list_marked_elements(body):
        attributes = element.tag.attributes
        if element.tag.start < position or not _is_left_out(body, element):
            continue
        text = describe_content(body[element.tag.start : element.end])
        if text:
            line = parse_line_mark(attributes.get(LINE_ATTRIBUTE, ""))
            reason = attributes[REASON_ATTRIBUTE]
            removed.append(RemovedLine(line, text, reason))
        parts.append(body[position : element.tag.start])
        position = element.end
    return _MARKS.sub("", "".join((*parts, body[position:]))), tuple(removed)


def describe_content(fragment: str) -> str:
    """Return the text of HTML on one line, with that of images, and its URLs."""
    text = get_text(_IMAGE.sub(_get_alternative_text, fragment))
    return " ".join((text, *list_urls(fragment))).strip()


def list_urls(fragment: str) -> list[str]:
    """Return the URLs of the links, images and embeds in well-formed HTML, as often as they are."""
    return [html.unescape("".join(values)) for values in _URL.findall(fragment)]


def _get_alternative_text(image: re.Match[str]) -> str:
    alt = _ALT.search(image[0])
    return f" {''.join(filter(None, alt.groups()))} " if alt else " "


def get_text(fragment: str) -> str:
    """Return the text of well-formed HTML on one line; blocks are set apart."""
    text = _TAG_PATTERN.sub(" ", _INLINE_TAG.sub("", fragment))
    return " ".join(html.unescape(text).split())


def _list_marked_elements(body: str) -> list[_Element]:
    """Return the marked elements of well-formed HTML, in order."""
    root = _Element(Tag("", 0, 0, is_end=False, attribute_text=""), None, len(body), len(body))
    current = root
    marked: list[_Element] = []
    for tag in iter_html_tags(body):
        if tag.is_end:
            if current.parent is not None:
                current.inner_end, current.end = tag.start, tag.end
                current = current.parent
            continue
        element = _Element(tag, current, tag.end, tag.end)
        current.children.append(element)
        if REASON_ATTRIBUTE in tag.attribute_text and REASON_ATTRIBUTE in tag.attributes:
            marked.append(element)
        if tag.name not in VOID_ELEMENTS:
            current = element
    return marked


def _is_left_out(body: str, element: _Element) -> bool:
    content = _Content.read(body, element)
    is_left_out = _CONDITIONS.get(element.tag.attributes.get(REASON_ATTRIBUTE, ""))
    return is_left_out is None or is_left_out(content)


def _is_form(content: _Content) -> bool:
    # Some publishing systems wrap the whole page in a form.
    return len(_PARAGRAPH.findall(content.inside)) <= 1


def _is_decoration(content: _Content) -> bool:
    if not any(map(str.isalnum, content.text)):
        return bool(content.text) and _is_heading_anchor(content.element)
    return not _MEDIA.search(content.inside) and not _is_read_out(content)


def _is_heading_anchor(element: _Element) -> bool:
    parent = element.parent
    return element.tag.name == "a" and parent is not None and parent.tag.name[:1] == "h"


def _is_read_out(content: _Content) -> bool:
    """Return whether the same words are beside it for screen readers: one copy has to stay."""
    parent = content.element.parent
    return any(
        sibling.tag.attributes.get(REASON_ATTRIBUTE) == unseen_text.SCREEN_READER_ONLY
        and _Content.read(content.body, sibling).text.replace(" ", "")
        == content.text.replace(" ", "")
        for sibling in (parent.children if parent else [])
    )


def _is_extra_label(content: _Content) -> bool:
    """Return whether the link around it, if there is one, shows something without it."""
    link = content.element.parent
    while link is not None and link.tag.name != "a":
        link = link.parent
    if link is None:
        return True
    rest = _get_rest(content, link)
    return bool(get_text(rest) or _MEDIA.search(rest))


def _is_formula_copy(content: _Content) -> bool:
    parent = content.element.parent
    has_place = parent is not None and parent.tag.name
    return bool(parent and has_place and _FORMULA.search(_get_rest(content, parent)))


def _is_before_formula(content: _Content) -> bool:
    end = content.element.end
    parent = content.element.parent
    for sibling in parent.children if parent else []:
        is_next = sibling.tag.start >= end and not content.body[end : sibling.tag.start].strip()
        if is_next and unseen_text.FORMULA_PREVIEW in sibling.tag.attribute_text:
            end = sibling.end
    return bool(_FORMULA.match(content.body[end:].lstrip()))


def _get_rest(content: _Content, ancestor: _Element) -> str:
    """Return the HTML of an ancestor without the element."""
    before = content.body[ancestor.tag.end : content.element.tag.start]
    return before + content.body[content.element.end : ancestor.inner_end]


# Reason -> whether the content bears it out; other reasons need no look at the content.
_CONDITIONS: dict[str, Callable[[_Content], bool]] = {
    unseen_text.FORM: _is_form,
    unseen_text.ARIA_HIDDEN: _is_decoration,
    unseen_text.SCREEN_READER_ONLY: _is_extra_label,
    unseen_text.FORMULA_COPY: _is_formula_copy,
    unseen_text.FORMULA_PREVIEW: _is_before_formula,
    unseen_text.PLATFORM_BUTTON: lambda content: unseen_text.is_platform_button(
        content.inside, content.text
    ),
}
