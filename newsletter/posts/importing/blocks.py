"""What an article's HTML holds: its blocks of text, each with its place, and its pictures."""

from bisect import bisect
from dataclasses import dataclass
from html.parser import HTMLParser

from newsletter.posts.importing.cleanup.paragraph import count_words

_WORDS_A_MINUTE = 220
_INLINE = frozenset(
    """
    a abbr b bdi bdo big br cite code data del dfn em font i img ins kbd label mark q rp rt ruby s
    samp small span strike strong sub sup time tt u var wbr
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
_UNSEEN = frozenset("script style template title".split())  # noqa: SIM905
_PICTURED = {"img": "src", "video": "poster"}
_SINGLE = frozenset({"p", "li", "h1", "h2", "h3", "h4", "h5", "h6", "div"})


@dataclass(frozen=True, slots=True)
class Block:
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
class Outline:
    """A short account of an article.

    Attributes:
        blocks: all that holds words, in order.
        images: the path or URL of every picture, in order, each once.
    """

    blocks: tuple[Block, ...]
    images: tuple[str, ...]

    @property
    def paragraphs(self) -> int:
        """How many paragraphs there are."""
        return sum(block.tag == "p" for block in self.blocks)

    @property
    def words(self) -> int:
        """How many words there are, captions and code included."""
        return sum(count_words(block.text) for block in self.blocks)

    @property
    def minutes(self) -> int:
        """Reading time in whole minutes, at least 1."""
        return max(1, round(self.words / _WORDS_A_MINUTE))


def outline(html: str) -> Outline:
    """Take stock of HTML, however broken or deep it is."""
    reader = _Reader(html)
    reader.feed(html)
    reader.close()
    reader.finish(len(html), len(html))
    return Outline(tuple(reader.blocks), tuple(reader.images))


class _Reader(HTMLParser):
    """Cuts HTML where an element that is not inline begins or ends."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.images: dict[str, None] = {}
        self._html = html
        self._lines = [0, *(at + 1 for at, char in enumerate(html) if char == "\n")]
        self._text: list[str] = []
        self._opened = ("", 0, 0)  # tag, where it starts, where its content starts
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _PICTURED and (src := (dict(attrs).get(_PICTURED[tag]) or "").strip()):
            self.images[src] = None
        if tag == "br":
            self._text.append(" ")
        if tag in _INLINE:
            return
        start = self._offset()
        self.finish(start, start)
        self._opened = (tag, start, start + len(self.get_starttag_text() or ""))
        self._unseen += tag in _UNSEEN

    def handle_endtag(self, tag: str) -> None:
        if tag in _INLINE:
            return
        start = self._offset()
        end = self._html.find(">", start) + 1 or len(self._html)
        self.finish(start, end if tag == self._opened[0] else start)
        self._opened = ("", end, end)
        self._unseen = max(0, self._unseen - (tag in _UNSEEN))

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._text.append(data)

    def finish(self, content_end: int, element_end: int) -> None:
        """Close the run of text that is open; ``element_end`` is further where its tag closes."""
        text = " ".join("".join(self._text).split())
        self._text.clear()
        if not text:
            return
        tag, start, content = self._opened
        whole = tag in _SINGLE and element_end > content_end
        first, last = (start, element_end) if whole else (content, content_end)
        self.blocks.append(Block(tag, text, bisect(self._lines, content), first, last))

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column
