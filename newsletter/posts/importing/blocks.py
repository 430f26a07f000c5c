"""What an article's HTML holds: its blocks of text, each with its place, and its pictures."""

from bisect import bisect
from dataclasses import dataclass
from html.parser import HTMLParser

from newsletter.posts.importing.cleanup.paragraph import count_words

_WORDS_PER_MINUTE = 220
_INLINE_TAGS = frozenset(
    """
    a abbr b bdi bdo big br cite code data del dfn em font i img ins kbd label mark q rp rt ruby s
    samp small span strike strong sub sup time tt u var wbr
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
_HIDDEN_TAGS = frozenset("script style template title".split())  # noqa: SIM905
_IMAGE_ATTRIBUTES = {"img": "src", "video": "poster"}
_SINGLE_BLOCK_TAGS = frozenset({"p", "li", "h1", "h2", "h3", "h4", "h5", "h6", "div"})


@dataclass(frozen=True, slots=True)
class HtmlTextBlock:
    """Text that one element holds, with nothing but inline markup in it.

    Attributes:
        tag: the element, ``"p"``; empty outside of all.
        text: its words, without markup.
        line: 1-based line on which it starts.
        start: where it starts in the HTML, its tag included where the element holds nothing else.
        end: where it ends.
    """

    tag: str
    text: str
    line: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ArticleOutline:
    """A short account of an article.

    Attributes:
        blocks: all that holds words, in order.
        image_urls: the path or URL of every picture, in order, each once.
    """

    blocks: tuple[HtmlTextBlock, ...]
    image_urls: tuple[str, ...]

    @property
    def paragraph_count(self) -> int:
        """How many paragraphs there are."""
        return sum(block.tag == "p" for block in self.blocks)

    @property
    def word_count(self) -> int:
        """How many words there are, captions and code included."""
        return sum(count_words(block.text) for block in self.blocks)

    @property
    def reading_minutes(self) -> int:
        """Reading time in whole minutes, at least 1."""
        return max(1, round(self.word_count / _WORDS_PER_MINUTE))


def outline_html(html: str) -> ArticleOutline:
    """Take stock of HTML, however broken or deep it is."""
    reader = _BlockParser(html)
    reader.feed(html)
    reader.close()
    reader.finish_block(len(html), len(html))
    return ArticleOutline(tuple(reader.blocks), tuple(reader.images))


class _BlockParser(HTMLParser):
    """Cuts HTML where an element that is not inline begins or ends."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[HtmlTextBlock] = []
        self.images: dict[str, None] = {}
        self._html = html
        self._line_starts = [0, *(at + 1 for at, char in enumerate(html) if char == "\n")]
        self._text_parts: list[str] = []
        self._open_element = ("", 0, 0)  # tag, where it starts, where its content starts
        self._hidden_depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _IMAGE_ATTRIBUTES and (
            src := (dict(attrs).get(_IMAGE_ATTRIBUTES[tag]) or "").strip()
        ):
            self.images[src] = None
        if tag == "br":
            self._text_parts.append(" ")
        if tag in _INLINE_TAGS:
            return
        start = self._get_offset()
        self.finish_block(start, start)
        self._open_element = (tag, start, start + len(self.get_starttag_text() or ""))
        self._hidden_depth += tag in _HIDDEN_TAGS

    def handle_endtag(self, tag: str) -> None:
        if tag in _INLINE_TAGS:
            return
        start = self._get_offset()
        end = self._html.find(">", start) + 1 or len(self._html)
        self.finish_block(start, end if tag == self._open_element[0] else start)
        self._open_element = ("", end, end)
        self._hidden_depth = max(0, self._hidden_depth - (tag in _HIDDEN_TAGS))

    def handle_data(self, data: str) -> None:
        if not self._hidden_depth:
            self._text_parts.append(data)

    def finish_block(self, content_end: int, element_end: int) -> None:
        """Close the run of text that is open; ``element_end`` is further where its tag closes."""
        text = " ".join("".join(self._text_parts).split())
        self._text_parts.clear()
        if not text:
            return
        tag, start, content = self._open_element
        whole = tag in _SINGLE_BLOCK_TAGS and element_end > content_end
        first, last = (start, element_end) if whole else (content, content_end)
        self.blocks.append(
            HtmlTextBlock(tag, text, bisect(self._line_starts, content), first, last)
        )

    def _get_offset(self) -> int:
        line, column = self.getpos()
        return self._line_starts[line - 1] + column
