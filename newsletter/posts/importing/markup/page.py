"""``MarkupPage``, the body that tags are in: its lines and its syntax."""

import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from newsletter.posts.importing.markup.edits import Edit, Ranges
from newsletter.posts.importing.markup.tags import MarkupElement, MarkupTag

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

# A comment ends its HTML block on the same line (CommonMark 0.31, 4.6), so that the line below
# is Markdown again although no blank line is in between.
_BLOCK_END = "<!-- -->"
_LINE_END = re.compile(r"\n")
_NAME = re.compile(r"\w[\w./:-]*")


@cache
def _build_inline_parser() -> "MarkdownIt":
    # Late: to list the posts of a feed needs none.
    from markdown_it import MarkdownIt

    from newsletter.posts.html.linear_inline import limit_inline_rules

    parser = MarkdownIt("commonmark", {"xhtmlOut": False}).enable("strikethrough")
    limit_inline_rules(parser)
    return parser


def find_no_post(reference: str) -> str:  # noqa: ARG001 - for posts that come alone
    """Return an empty text: no other post's address is known."""
    return ""


@dataclass(frozen=True)
class MarkupPage:
    """A post's body.

    Attributes:
        text: the body.
        is_markdown: whether it is Markdown; otherwise HTML.
        protected: passages that are left alone.
        dialect: name of the tags' syntax, for messages.
        post_urls: returns the URL of another post by what a link calls it (a path, a name); empty
            if it isn't known.
    """

    text: str
    is_markdown: bool
    protected: Ranges
    dialect: str
    post_urls: Callable[[str], str] = find_no_post

    def is_alone(self, start: int, end: int) -> bool:
        """Whether nothing else is on the lines of a passage."""
        return not (self.get_before(start).strip() or self.get_behind(end).strip())

    def starts_line(self, start: int) -> bool:
        """Whether only spaces are before an offset on its line."""
        return not self.get_before(start).strip()

    def ends_line(self, end: int) -> bool:
        """Whether only spaces are behind an offset on its line."""
        return not self.get_behind(end).strip()

    def get_inner(self, element: MarkupElement) -> str:
        """Return what is between the two tags of an element."""
        if element.closing is None:
            return ""
        return self.text[element.tag.end : element.closing.start]

    def get_markup(self, element: MarkupElement) -> str:
        """Return the two tags of an element as written."""
        tag, closing = element.tag, element.closing
        opening = self.text[tag.start : tag.end]
        return f"{opening} {self.text[closing.start : closing.end]}" if closing else opening

    def explain(self, element: MarkupElement, became: str = "") -> str:
        """Return the reason that is listed for a tag that was removed or translated."""
        found = _NAME.search(self.text, element.tag.start, element.tag.end)
        name = found[0] if found else element.tag.name
        return f"{self.dialect} {name}" + (f", now {became}" if became else "")

    def replace_element(self, element: MarkupElement, new: str, became: str = "") -> list[Edit]:
        """Return the edit that replaces a whole element with one line."""
        removed = self.get_markup(element)
        return [Edit(element.tag.start, element.end, new, self.explain(element, became), removed)]

    def replace_tags(
        self, element: MarkupElement, opening: str = "", closing: str = "", became: str = ""
    ) -> list[Edit]:
        """Return the edits that replace both tags of an element and keep what is inside."""
        why, group = self.explain(element, became), element.tag.start
        edits = [Edit(element.tag.start, element.tag.end, opening, why, group=group)]
        if element.closing:
            tag = element.closing
            edits.append(Edit(tag.start, tag.end, closing, why, group=group))
        return edits

    def remove_stray_tags(
        self, tags: Iterable[MarkupTag], elements: Iterable[MarkupElement]
    ) -> list[Edit]:
        """Return the edits that remove closing tags that close nothing."""
        paired = {element.closing.start for element in elements if element.closing}
        return [
            Edit(tag.start, tag.end, "", f"{self.dialect} {tag.name}")
            for tag in tags
            if tag.form == "close" and tag.start not in paired
        ]

    def format_block(self, markup: str, start: int, end: int) -> str:
        """Return HTML so that the line below the passage that it replaces stays Markdown."""
        if not self.is_markdown or not self.is_alone(start, end):
            return markup
        return markup if self.is_blank_below(end) else _BLOCK_END + markup

    def is_blank_below(self, end: int) -> bool:
        """Whether the line below an offset is blank, or there is none."""
        line_end = self.text.find("\n", end)
        return line_end < 0 or self.ends_line(line_end + 1)

    def render_inline(self, text: str) -> str:
        """Return running text as HTML on one line; HTML in it stays."""
        text = " ".join(text.split())
        return _build_inline_parser().renderInline(text) if self.is_markdown else text

    def format_link(self, url: str, text: str = "") -> str:
        """Return a link."""
        text = " ".join(text.split())
        if self.is_markdown:
            is_own_text = not text and "://" in url
            return f"<{quote_url(url)}>" if is_own_text else f"[{text or url}]({quote_target(url)})"
        return f'<a href="{html.escape(url)}">{text or html.escape(url)}</a>'

    def iter_line_starts(self, start: int, end: int) -> list[int]:
        """Return the offsets of the lines that begin in a passage."""
        return [found.end() for found in _LINE_END.finditer(self.text, start, end)]

    def get_before(self, start: int) -> str:
        """Return the text before an offset on its line."""
        return self.text[self.text.rfind("\n", 0, start) + 1 : start]

    def get_behind(self, end: int) -> str:
        """Return the text behind an offset on its line."""
        line_end = self.text.find("\n", end)
        return self.text[end : line_end if line_end >= 0 else None]


def quote_url(url: str) -> str:
    """Return a URL that can stand in angle brackets."""
    return re.sub(r"[<>\s]", lambda found: f"%{ord(found[0]):02X}", url.strip())


def quote_target(url: str) -> str:
    """Return a URL that can stand in the parentheses of a Markdown link."""
    return re.sub(r"[<>\s()]", lambda found: f"%{ord(found[0]):02X}", url.strip())
