"""Take the inventory of a text: its words, links, images, code lines."""

import re
import sys
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from newsletter.posts.content_loss.html_masker import HtmlMasker
from newsletter.posts.content_loss.html_source_masker import HtmlSourceMasker
from newsletter.posts.content_loss.markdown_masker import MarkdownMasker
from newsletter.posts.content_loss.masked_text import GLUE, BlockKind, ContentReference
from newsletter.posts.content_loss.text_masker import TextMasker

Syntax = Literal["markdown", "html", "text", "email"]

# Scripts without spaces: each character counts as a word, so that line ends don't matter.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
)
# Characters that say something by themselves (arrows, check marks, emoji, signs of mathematics);
# not those of links back from footnotes.
_SYMBOLS = (
    "\u00b0\u00b1\u00d7\u00f7\u20a0-\u20bf\u2190\u2192-\u21a8\u21ab-\u22ff\u2300-\u23ff\u25a0-\u27bf"
    "\u27c0-\u27e5\u27ec-\u2933\u2936-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001f516\U0001f518-\U0001faff"
)
_MASKERS = {
    "markdown": MarkdownMasker,
    "html": HtmlSourceMasker,
    "text": TextMasker,
    "email": HtmlMasker,
}
_PLACE_WORDS = 3  # that tell one place from others
_LETTERS = rf"[^\W_{_UNSPACED}]+"
_WORD = re.compile(rf"[{_UNSPACED}{_SYMBOLS}]|{_LETTERS}(?:{GLUE}+{_LETTERS})*")
_LINE_END = re.compile(r"\n")
_WORD_PART = re.compile(rf"[{_UNSPACED}{_SYMBOLS}]|{_LETTERS}")


@dataclass(frozen=True, slots=True)
class InventoryBlock:
    """A paragraph, a heading, a list item, a table cell or a line of code.

    Attributes:
        kind: what it is.
        first_word: index of its first word.
        word_count: the number of its words.
    """

    kind: BlockKind
    first_word: int
    word_count: int

    @property
    def word_range(self) -> range:
        """The indices of its words."""
        return range(self.first_word, self.first_word + self.word_count)


@dataclass(frozen=True, slots=True)
class ContentInventory:
    """What a text holds.

    Attributes:
        text: the text without markup, as long as the source.
        words: its words in order, normalized (NFKC, case folded).
        spans: start and end of each word in ``text``.
        line_starts: offset of each line.
        first_line: 1-based line in its file on which the text begins.
        blocks: its blocks that have words.
        references: links, images and embeds.
        code_lines: offset and content of each line of its code blocks.
    """

    text: str
    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    line_starts: tuple[int, ...]
    first_line: int
    blocks: tuple[InventoryBlock, ...]
    references: tuple[ContentReference, ...]
    code_lines: tuple[tuple[int, str], ...]

    def get_line(self, offset: int) -> int:
        """Return the 1-based line of an offset."""
        return self.first_line - 1 + bisect_right(self.line_starts, offset)

    def find_first_word(self, line: int) -> int:
        """Return the index of the first word on a line or below."""
        offset = self.line_starts[min(max(line - self.first_line, 0), len(self.line_starts) - 1)]
        return bisect_left(self.spans, (offset, 0))

    def cut(self, offsets: range, gaps: Sequence[range] = ()) -> "ContentInventory":
        """Return what is between two offsets, but not in a gap, with the lines that it is on."""

        def is_inside(offset: int) -> bool:
            return offset in offsets and not any(offset in gap for gap in gaps)

        indices = [index for index, (start, _) in enumerate(self.spans) if is_inside(start)]
        ends = ((block, block.word_range.stop) for block in self.blocks)
        places = (
            (block.kind, bisect_left(indices, block.first_word), bisect_left(indices, stop))
            for block, stop in ends
        )
        return replace(
            self,
            words=tuple(self.words[index] for index in indices),
            spans=tuple(self.spans[index] for index in indices),
            blocks=tuple(
                InventoryBlock(kind, first, stop - first)
                for kind, first, stop in places
                if first < stop
            ),
            references=tuple(entry for entry in self.references if is_inside(entry.start)),
            code_lines=tuple(entry for entry in self.code_lines if is_inside(entry[0])),
        )

    def get_words_at(self, offset: int) -> tuple[str, ...]:
        """Return the next words after an offset, to know a place by."""
        index = bisect_left(self.spans, (offset, 0))
        return self.words[index : index + _PLACE_WORDS]

    def quote(self, indices: Sequence[int]) -> str:
        """Return the text from the first to the last of these words, on one line."""
        text = self.text[self.spans[indices[0]][0] : self.spans[indices[-1]][1]]
        return " ".join(text.replace(GLUE, "").split())


def take_inventory(text: str, syntax: Syntax, first_line: int = 1) -> ContentInventory:
    """Return what a text holds.

    Args:
        text: the text.
        syntax: of a source, "markdown" (with HTML in it), "html" or "text"; "email" for the HTML
            of an email, in which braces are text.
        first_line: 1-based line in its file on which it begins.
    """
    masked = _MASKERS[syntax](text).mask()
    words: list[str] = []
    spans: list[tuple[int, int]] = []
    for found in _WORD.finditer(masked.text):
        parts = normalize_words(found[0].replace(GLUE, ""))
        words += parts
        spans += [found.span()] * len(parts)
    return ContentInventory(
        text=masked.text,
        words=tuple(words),
        spans=tuple(spans),
        line_starts=(0, *(found.end() for found in _LINE_END.finditer(text))),
        first_line=first_line,
        blocks=tuple(_split_blocks(masked.blocks, [start for start, _ in spans])),
        references=masked.references,
        code_lines=masked.code_lines,
    )


def normalize_words(text: str) -> list[str]:
    """Return the words of a text without markup, as an inventory has them."""
    return _WORD_PART.findall(unicodedata.normalize("NFKC", text).casefold())


def _split_blocks(
    blocks: Sequence[tuple[int, BlockKind]], starts: Sequence[int]
) -> Iterator[InventoryBlock]:
    """Yield the blocks that have words; ``starts`` are the words' offsets."""
    ends = [*(start for start, _ in blocks[1:]), sys.maxsize]
    for (start, kind), end in zip(blocks, ends, strict=True):
        first, last = bisect_left(starts, start), bisect_left(starts, end)
        if first < last:
            yield InventoryBlock(kind, first, last - first)
