"""Take the inventory of a text: its words, links, images, code lines."""

import re
import sys
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from newsletter.posts.content_loss.html_masker import HtmlMasker, HtmlSourceMasker
from newsletter.posts.content_loss.markdown_masker import MarkdownMasker
from newsletter.posts.content_loss.masked_text import GLUE, BlockKind, ContentReference
from newsletter.posts.content_loss.text_masker import TextMasker

Syntax = Literal["markdown", "html", "text", "email"]

# Scripts without spaces: each character counts as a word, so that line ends don't matter.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
)
_MASKERS = {
    "markdown": MarkdownMasker,
    "html": HtmlSourceMasker,
    "text": TextMasker,
    "email": HtmlMasker,
}
_LETTERS = rf"[^\W_{_UNSPACED}]+"
_WORD = re.compile(rf"[{_UNSPACED}]|{_LETTERS}(?:{GLUE}+{_LETTERS})*")
_LINE_END = re.compile(r"\n")
_WORD_PART = re.compile(rf"[{_UNSPACED}]|{_LETTERS}")


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

    def find_words(self, words: Sequence[str], line: int = 0) -> int:
        """Return the index at which these words begin, on a line or below; else anywhere; or -1."""
        if not words:
            return -1
        from_line = bisect_left(self.spans, (self._get_offset(line), 0))
        for start in (from_line, 0):
            for index in _iter_indices(self.words, words[0], start):
                if self.words[index : index + len(words)] == tuple(words):
                    return index
        return -1

    def find_line(self, text: str) -> int:
        """Return the 1-based line on which these words begin; 0 if they aren't there."""
        index = self.find_words(normalize_words(text))
        return 0 if index < 0 else self.get_line(self.spans[index][0])

    def _get_offset(self, line: int) -> int:
        index = min(max(line - self.first_line, 0), len(self.line_starts) - 1)
        return self.line_starts[index]

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


def _iter_indices(words: tuple[str, ...], word: str, start: int) -> Iterator[int]:
    with suppress(ValueError):
        while True:
            start = words.index(word, start) + 1
            yield start - 1


def _split_blocks(
    blocks: Sequence[tuple[int, BlockKind]], starts: Sequence[int]
) -> Iterator[InventoryBlock]:
    """Yield the blocks that have words; ``starts`` are the words' offsets."""
    ends = [*(start for start, _ in blocks[1:]), sys.maxsize]
    for (start, kind), end in zip(blocks, ends, strict=True):
        first, last = bisect_left(starts, start), bisect_left(starts, end)
        if first < last:
            yield InventoryBlock(kind, first, last - first)
