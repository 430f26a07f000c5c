"""Outline HTML: text blocks with their positions, image URLs, word count."""

import re
from bisect import bisect
from dataclasses import dataclass
from html.parser import HTMLParser

from newsletter.posts.html.cjk import collapse_spaces
from newsletter.posts.importing.cleanup.paragraph import count_words

_WORDS_PER_MINUTE = 220
_INLINE_TAGS = frozenset(
    """
    a abbr b bdi bdo big br cite code data del dfn em font i img ins kbd label mark q rp rt ruby s
    samp small span strike strong sub sup time tt u var wbr
    """.split()
)
_HIDDEN_TAGS = frozenset("script style template title".split())
_IMAGE_ATTRIBUTES = {"img": "src", "video": "poster", "iframe": "poster"}
_LIST_TAGS = frozenset({"ul", "ol", "dl"})
_GROUP_TAGS = _LIST_TAGS | {"table"}
_MARKUP_START = re.compile(r"<[A-Za-z/!?]")
_CELL_TAGS = frozenset({"td", "th"})
_SINGLE_BLOCK_TAGS = frozenset({"p", "li", "h1", "h2", "h3", "h4", "h5", "h6", "div"})


@dataclass(frozen=True, slots=True)
class HtmlTextBlock:
    """The text of one element, with only inline markup in it.

    Attributes:
        tag: the element's tag, ``"p"``; empty outside any element.
        text: the text without markup.
        line: 1-based line on which it starts.
        start: offset of its start in the HTML; of the start tag if the element contains nothing
            else.
        end: offset of its end.
        group: number of the list, or of the table of cells, that it is in; 0 if it is in none.
        links: the URLs of its links.
        outer_link: the URL of the link around it, if it is the first text in that.
    """

    tag: str
    text: str
    line: int
    start: int
    end: int
    group: int = 0
    links: tuple[str, ...] = ()
    outer_link: str = ""


@dataclass(frozen=True, slots=True)
class ArticleOutline:
    """The text blocks and images of an article.

    Attributes:
        blocks: all text blocks, in order.
        image_urls: path or URL of each image, in order, without duplicates.
    """

    blocks: tuple[HtmlTextBlock, ...]
    image_urls: tuple[str, ...]

    @property
    def paragraph_count(self) -> int:
        """Number of paragraphs."""
        return sum(block.tag == "p" for block in self.blocks)

    @property
    def word_count(self) -> int:
        """Number of words, captions and code included."""
        return sum(count_words(block.text) for block in self.blocks)

    @property
    def reading_minutes(self) -> int:
        """Reading time in whole minutes, at least 1."""
        return max(1, round(self.word_count / _WORDS_PER_MINUTE))


def outline_html(html: str) -> ArticleOutline:
    """Return the outline of HTML, however malformed or deep it is."""
    parser = _BlockParser(html)
    end = _find_unfinished_markup(html)
    parser.feed(html[:end])
    parser.close()
    parser.finish_block(end, end)
    return ArticleOutline(tuple(parser.blocks), tuple(parser.images))


def _find_unfinished_markup(html: str) -> int:
    """Return the offset of a tag that the HTML ends in; the length of the HTML without one.

    Browsers drop it. HTMLParser takes it as text, and looks for its end again from each ``<`` in
    it: ten seconds for 50 kB of them.
    """
    found = _MARKUP_START.search(html, html.rfind(">") + 1)
    return found.start() if found else len(html)


class _BlockParser(HTMLParser):
    """Parser that splits HTML where a block element starts or ends."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[HtmlTextBlock] = []
        self.images: dict[str, None] = {}
        self._html = html
        self._line_starts = [0, *(index + 1 for index, char in enumerate(html) if char == "\n")]
        self._text_parts: list[str] = []
        self._open_element = ("", 0, 0)  # tag, where it starts, where its content starts
        self._hidden_depth = 0
        self._links: list[str] = []
        self._open_link = ""
        self._group_count = 0
        self._open_groups: list[tuple[str, int]] = []  # tag, number

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _IMAGE_ATTRIBUTES and (
            src := (dict(attrs).get(_IMAGE_ATTRIBUTES[tag]) or "").strip()
        ):
            self.images[src] = None
        if tag == "br":
            self._text_parts.append(" ")
        if tag == "a" and (href := dict(attrs).get("href")):
            self._links.append(href.strip())
            self._open_link = href.strip()
        if tag in _INLINE_TAGS:
            return
        start = self._get_offset()
        self.finish_block(start, start)
        self._open_element = (tag, start, start + len(self.get_starttag_text() or ""))
        self._hidden_depth += tag in _HIDDEN_TAGS
        if tag in _GROUP_TAGS:
            self._group_count += 1
            self._open_groups.append((tag, self._group_count))

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and not "".join(self._text_parts).strip():
            self._open_link = ""
        if tag in _INLINE_TAGS:
            return
        start = self._get_offset()
        end = self._html.find(">", start) + 1 or len(self._html)
        self.finish_block(start, end if tag == self._open_element[0] else start)
        self._open_element = ("", end, end)
        self._hidden_depth = max(0, self._hidden_depth - (tag in _HIDDEN_TAGS))
        if self._open_groups and self._open_groups[-1][0] == tag:
            self._open_groups.pop()

    def handle_data(self, data: str) -> None:
        if not self._hidden_depth:
            self._text_parts.append(data)

    def finish_block(self, content_end: int, element_end: int) -> None:
        """Finish the current block; ``element_end`` is larger if its end tag follows here."""
        text = collapse_spaces("".join(self._text_parts))
        links = tuple(self._links)
        self._text_parts.clear()
        self._links.clear()
        if not text:
            return
        outer_link = "" if self._open_link in links else self._open_link
        self._open_link = ""
        tag, start, content = self._open_element
        is_whole_element = tag in _SINGLE_BLOCK_TAGS and element_end > content_end
        block_start, block_end = (
            (start, element_end) if is_whole_element else (content, content_end)
        )
        self.blocks.append(
            HtmlTextBlock(
                tag, text, bisect(self._line_starts, content), block_start, block_end,
                self._get_group(tag), links, outer_link,
            )
        )  # fmt: skip

    def _get_group(self, tag: str) -> int:
        """Return the innermost list, or the table if the text is a cell's own.

        Tables for layout hold whole articles, in elements of their cells.
        """
        group_tag, number = self._open_groups[-1] if self._open_groups else ("", 0)
        return number if group_tag in _LIST_TAGS or tag in _CELL_TAGS else 0

    def _get_offset(self) -> int:
        line, column = self.getpos()
        return self._line_starts[line - 1] + column
