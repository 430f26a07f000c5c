"""Read the comments that the block editor writes around its blocks.

https://developer.wordpress.org/block-editor/explanations/architecture/key-concepts/
"""

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from newsletter.posts.importing.sources.wordpress.paragraphs import add_paragraphs
from newsletter.posts.removed_line import RemovedLine

BLOCK_START = "<!-- wp:"
_COMMENT = re.compile(
    r"\s+(?P<close>/)?wp:(?P<name>[a-z][a-z0-9_-]{0,100}(?:/[a-z][a-z0-9_-]{0,100})?)"
    r"(?P<rest>\s.*)?",
    re.DOTALL,
)
_MARKER = re.compile(r"<!--\s{0,9}(more|nextpage|noteaser)\b([^<>]{0,500}?)-->", re.IGNORECASE)
_MARKER_NAMES = {"more": "read-more marker", "nextpage": "page break", "noteaser": "marker"}
# Blocks whose HTML is in the post: without any, they are empty, or are found by their marker.
_SILENT_BLOCKS = frozenset(
    """
    more nextpage spacer separator missing paragraph heading image list quote code html shortcode
    freeform group columns column buttons button
    """.split()
)
_MAX_DEPTH = 20  # of reusable blocks in reusable blocks
_MAX_LISTED = 300  # characters
_URL = re.compile(r"(?:https?://|mailto:)\S+")


class BlockComment(NamedTuple):
    """A comment that begins or ends a block.

    Attributes:
        start: its offset.
        end: the offset behind it.
        name: the block's name, without WordPress's own prefix.
        form: ``"open"``, ``"close"``, or ``"void"`` for a block without HTML.
        attributes: the block's settings.
    """

    start: int
    end: int
    name: str
    form: str
    attributes: Mapping[str, Any]


def iter_block_comments(text: str) -> Iterator[BlockComment]:
    """Yield the comments of blocks; other comments are left out."""
    start = text.find("<!--")
    while start >= 0 and (end := text.find("-->", start + 4)) >= 0:
        found = _COMMENT.fullmatch(text, start + 4, end)
        if found:
            rest = (found["rest"] or "").strip()
            is_void = rest.endswith("/")
            form = "close" if found["close"] else "void" if is_void else "open"
            attributes = _parse_attributes(rest.removesuffix("/"))
            name = found["name"].removeprefix("core/")
            yield BlockComment(start, end + 3, name, form, attributes)
        start = text.find("<!--", end + 3)


def expand_blocks(
    text: str, blocks: Mapping[str, str], footnotes: str, max_characters: int
) -> tuple[str, list[RemovedLine]]:
    """Return a post's content with the HTML of blocks that are only referred to.

    These are reusable blocks, the list of footnotes, and links to profiles.

    Args:
        text: the content.
        blocks: the contents of reusable blocks, by id.
        footnotes: the post's footnotes as JSON, or empty.
        max_characters: how long it may become; blocks beyond that are listed.
    """
    expansion = _Expansion(blocks, footnotes, max_characters - len(text))
    return expansion.expand(text, ()), expansion.removed


class _Expansion:
    """Puts blocks in place; a block that holds itself, however indirectly, is listed."""

    def __init__(self, blocks: Mapping[str, str], footnotes: str, room: int) -> None:
        self.removed: list[RemovedLine] = []
        self._blocks = blocks
        self._footnotes = footnotes
        self._room = room  # characters

    def expand(self, text: str, ancestors: tuple[str, ...]) -> str:
        """Return the text with its blocks."""
        if BLOCK_START not in text:
            return text
        parts: list[str] = []
        position = 0
        for comment in iter_block_comments(text):
            if comment.form == "close":
                continue
            html_ = None
            if comment.name == "block" and "ref" in comment.attributes:
                html_ = self._find_block(comment, ancestors)
            elif comment.form == "void":
                html_ = self._render(comment)
            if html_ is not None:
                parts += (text[position : comment.start], html_)
                position = comment.end
        return "".join((*parts, text[position:]))

    def _find_block(self, comment: BlockComment, ancestors: tuple[str, ...]) -> str:
        number = str(comment.attributes["ref"])
        content = self._blocks.get(number)
        if content is None:
            why = "reusable block that isn't in the export"
        elif number in ancestors or len(ancestors) >= _MAX_DEPTH:
            why = "reusable block that holds itself"
        elif len(content) > self._room:
            why = "reusable block, with which the post would be too large"
        else:
            self._room -= len(content)
            if comment.attributes.get("content"):  # words of its own in this place
                words = _list_texts(comment.attributes["content"])
                why = "text of a reusable block in this post"
                self.removed.append(RemovedLine(0, words, why))
            return self.expand(content, (*ancestors, number))
        self.removed.append(RemovedLine(0, f"block {number}", why))
        return ""

    def _render(self, comment: BlockComment) -> str | None:
        if comment.name == "footnotes":
            return _render_footnotes(self._footnotes)
        url = comment.attributes.get("url")
        if comment.name in {"social-link", "navigation-link"} and isinstance(url, str):
            label = comment.attributes.get("label") or comment.attributes.get("service") or url
            if _URL.fullmatch(url):
                return f'<a href="{html.escape(url)}">{html.escape(str(label))}</a> '
        return None


def remove_markers(text: str, first_line: int) -> tuple[str, list[RemovedLine]]:
    """Return HTML without WordPress's markers of its pages, which are listed.

    Args:
        text: a post's content.
        first_line: 1-based line of its file on which it begins.
    """
    removed: list[RemovedLine] = []
    line, counted = first_line, 0
    for found in _MARKER.finditer(text):
        line += text.count("\n", counted, found.start())
        counted = found.start()
        why = f"{_MARKER_NAMES[found[1].lower()]} of WordPress"
        removed.append(RemovedLine(line, found[2].strip() or found[0], why))
    return _MARKER.sub("", text), removed


def remove_block_comments(text: str, first_line: int) -> tuple[str, list[RemovedLine]]:
    """Return the HTML of blocks; those that the blog makes when it shows the post are listed.

    What is between the blocks is the classic editor's text, which gets paragraphs.

    Args:
        text: a post's content.
        first_line: 1-based line of its file on which it begins.
    """
    parts: list[str] = []
    removed: list[RemovedLine] = []
    position = depth = counted = 0
    line = first_line
    for comment in iter_block_comments(text):
        between = text[position : comment.start]
        parts.append(between if depth else add_paragraphs(between))
        line += text.count("\n", counted, comment.start)
        counted = comment.start
        depth = max(depth + {"open": 1, "close": -1, "void": 0}[comment.form], 0)
        if comment.form == "void" and comment.name not in _SILENT_BLOCKS:
            listed = f"{comment.name} {_list_texts(comment.attributes)}".strip()
            why = f"WordPress block {comment.name}, which the blog fills in"
            removed.append(RemovedLine(line, listed, why))
        parts.append("\n" * text.count("\n", comment.start, comment.end))
        position = comment.end
    between = text[position:]
    parts.append(between if depth else add_paragraphs(between))
    return "".join(parts), removed


def _parse_attributes(text: str) -> Mapping[str, Any]:
    try:
        attributes = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        return {}
    return attributes if isinstance(attributes, dict) else {}


def _list_texts(value: Any) -> str:
    """Return the texts among a block's settings, for the list of what is missing."""
    texts: list[str] = []
    pending = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, dict):
            pending += reversed(current.values())
        elif isinstance(current, list):
            pending += reversed(current)
        elif isinstance(current, str) and (" " in current or _URL.match(current)):
            texts.append(" ".join(current.split()))
    shown = " · ".join(texts)
    return shown if len(shown) <= _MAX_LISTED else f"{shown[: _MAX_LISTED - 1]}…"


def _render_footnotes(source: str) -> str | None:
    """Return the list of footnotes, which WordPress keeps beside the content."""
    try:
        notes = json.loads(source) if source.strip() else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(notes, list):
        return None
    items = (
        f'<li id="{html.escape(str(note.get("id", "")))}">{" ".join(note["content"].split())} '
        f'<a href="#{html.escape(str(note.get("id", "")))}-link">↩</a></li>'
        for note in notes
        if isinstance(note, dict) and isinstance(note.get("content"), str)
    )
    return f'<ol class="wp-block-footnotes">{"".join(items)}</ol>'
