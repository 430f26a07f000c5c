"""Links to other posts, whose address only the blog's tool knows."""

import re

from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.page import MarkupPage
from newsletter.posts.importing.markup.tags import MarkupElement

_MAX_TEXT_LENGTH = 500  # characters of a link's text
_LINK_START = re.compile(r"\]\((?:\{\{[^{}\n]{1,60}\}\}|[^\s()\[\]{}]){0,100}$")
_LINK_REST = re.compile(r"[^\s()\[\]<>]{0,200}(?:[ \t]+\"[^\"\n]{0,200}\")?[ \t]*\)")


def remove_post_link(element: MarkupElement, page: MarkupPage) -> list[Edit]:
    """Return the edits that leave a link's text and take away the link around it."""
    tag, text = element.tag, page.text
    path = next((word for word in (*tag.words, tag.get("path", "name")) if word), "")
    if path.startswith("#"):
        return page.replace_element(element, path, "a link in the email")
    why = f"{f'{page.dialect} {tag.name}'.rstrip()}, a link to another post, now its text"
    before = _match_link_start(text, tag.start)
    if before:
        bracket = tag.start - len(before[0])
        opening = _find_opening_bracket(text, bracket)
        rest = _LINK_REST.match(text, tag.end, tag.end + _MAX_TEXT_LENGTH)
        if rest and opening is not None and text[opening - 1 : opening] != "!":
            return [
                Edit(opening, opening + 1, "", group=opening),
                Edit(bracket, rest.end(), "", why, group=opening),
            ]
    if text.startswith('href="', tag.start - 6) and text.startswith('"', tag.end):
        return [Edit(tag.start - 6, tag.end + 1, "", why)]
    return [Edit(tag.start, tag.end, "", why)]


def is_in_link_target(text: str, offset: int) -> bool:
    """Whether an offset is in the address of a Markdown link."""
    return _match_link_start(text, offset) is not None


def _match_link_start(text: str, offset: int) -> re.Match[str] | None:
    return _LINK_START.search(text[max(offset - _MAX_TEXT_LENGTH, 0) : offset])


def _find_opening_bracket(text: str, end: int) -> int | None:
    depth = 0
    for offset in range(end - 1, max(end - _MAX_TEXT_LENGTH, 0) - 1, -1):
        if text[offset] == "]":
            depth += 1
        elif text[offset] == "[":
            if not depth:
                return offset
            depth -= 1
    return None
