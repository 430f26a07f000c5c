"""Find the passages of a post that are code, and its HTML comments."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate

from markdown_it import MarkdownIt

from newsletter.posts.importing.markup.edits import Ranges

_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_BACKTICKS = re.compile(r"`+")
_RAW_START = re.compile(r"<(pre|code|script|style|textarea|kbd|samp)\b|<!--", re.IGNORECASE)
# Two braces written as ``{{ "{{" }}`` are no markup any more.
LITERAL_BRACES = re.compile(r"\{\{ ?(?:[\"']|&quot;)(?:\{\{|\}\}|\{%|%\})(?:[\"']|&quot;) ?\}\}")


@lru_cache(maxsize=1)
def find_code_ranges(text: str, *, is_markdown: bool) -> Ranges:
    """Return code blocks, code spans, comments, and braces that were made literal."""
    ranges = [found.span() for found in LITERAL_BRACES.finditer(text)]
    blocks = find_code_blocks(text) if is_markdown else Ranges(())
    ranges += [*_iter_raw_elements(text), *blocks]
    if is_markdown:
        ranges += _iter_code_spans(text, blocks)
    return Ranges(ranges)


@lru_cache(maxsize=1)
def find_code_blocks(text: str) -> Ranges:
    """Return the code blocks of Markdown, without code spans."""
    line_starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
    return Ranges(
        (line_starts[token.map[0]], line_starts[min(token.map[1], len(line_starts) - 1)])
        for token in _build_block_parser().parse(text)
        if token.type in {"fence", "code_block"} and token.map
    )


@lru_cache(maxsize=1)
def _build_block_parser() -> MarkdownIt:
    return MarkdownIt("commonmark").disable("inline")


def _iter_code_spans(text: str, blocks: Ranges) -> Iterator[tuple[int, int]]:
    """Yield the code spans of each paragraph: two runs of equally many backticks."""
    position = 0
    for paragraph_end in [*(found.start() for found in _BLANK_LINE.finditer(text)), len(text)]:
        runs = [
            found
            for found in _BACKTICKS.finditer(text, position, paragraph_end)
            if found.start() not in blocks
        ]
        position = paragraph_end
        next_run: list[int] = [0] * len(runs)
        last_seen: dict[int, int] = {}
        for index in range(len(runs) - 1, -1, -1):
            length = len(runs[index][0])
            next_run[index] = last_seen.get(length, 0)
            last_seen[length] = index
        index = 0
        while index < len(runs):
            closing = next_run[index]
            is_escaped = text[runs[index].start() - 1 : runs[index].start()] == "\\"
            if closing and not is_escaped:
                yield runs[index].start(), runs[closing].end()
                index = closing
            index += 1


def _iter_raw_elements(text: str) -> Iterator[tuple[int, int]]:
    lowercase = text.lower() if text.isascii() else re.sub("[A-Z]", lambda c: c[0].lower(), text)
    unclosed: set[str] = set()
    position = 0
    while found := _RAW_START.search(text, position):
        position = found.end()
        end_tag = f"</{found[1].lower()}" if found[1] else "-->"
        if end_tag in unclosed:
            continue
        end = lowercase.find(end_tag, position)
        if end < 0:
            unclosed.add(end_tag)
            continue
        position = end + len(end_tag)
        yield found.start(), position
