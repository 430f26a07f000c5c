"""Repair Markdown that is not shown as meant: cells, pictures.

GitHub Flavored Markdown ignores the cells of a row beyond the last column (section 4.10), and takes
a pipe in a code span for the end of a cell, which others don't (kramdown, Pandoc). Of a link in an
image's description, CommonMark keeps the text (section 6.4). In a block of HTML, it knows no
pictures; and a blank line ends the block, so that what is indented below it is code (section 4.6).
"""

import html
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate

from markdown_it import MarkdownIt

from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.page import MarkupPage

_PIPE = re.compile(r"(?<!\\)(?:\\\\)*\|")
_ROW_START = re.compile(r"[>\t ]*\|?")
_ROW_END = re.compile(r"\|?\s*\Z")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)[^\n]*?(?<!`)\1(?!`)")
_ALT_TEXT = re.compile(r"!\[(?P<alt>(?>(?:[^\[\]\n]|\n(?![ \t]*\n)|\[[^\[\]\n]*\]\(?)*))\]\(")
_TABLE_TAG = re.compile(r"<(?P<end>/?)table\b", re.IGNORECASE)
_CODE_START = re.compile(r"\s*<(?:pre|script|style|textarea|!)", re.IGNORECASE)
_PICTURE = re.compile(
    r"!\[(?P<alt>[^\[\]\n]*)\]\((?P<url>[^()\s]+)(?:\s+\"(?P<title>[^\"\n]*)\")?\)"
)
_LINK = re.compile(
    r"(?<!!)\[(?P<text>[^\[\]\n]*)\]"
    r"\((?P<url>[^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+\"[^\"\n]*\")?\)"
)


def remove_extra_cells(page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits of table rows with more cells than columns.

    If only pipes in code spans make them more, these get a backslash; else the cells are removed.
    """
    lines, starts = _split_lines(page.text)
    columns, is_head = 0, False
    for token in _build_table_parser().parse(page.text):
        if token.type == "thead_open":
            columns, is_head = 0, True
        elif token.type == "th_open":
            columns += 1
        elif token.type == "tr_open" and token.map and not is_head:
            yield from _fit_row(lines[token.map[0]], starts[token.map[0]], columns)
        is_head = is_head and token.type != "thead_close"


def _split_lines(text: str) -> tuple[list[str], list[int]]:
    """Return the lines, and the offset of each."""
    lines = text.split("\n")
    return lines, [0, *accumulate(len(line) + 1 for line in lines)]


@lru_cache(maxsize=1)
def _build_table_parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").disable("inline")


def _fit_row(row: str, start: int, columns: int) -> Iterator[Edit]:
    first = _ROW_START.match(row)
    last = _ROW_END.search(row)
    assert first is not None
    assert last is not None
    pipes = [found.end() - 1 for found in _PIPE.finditer(row, first.end(), last.start())]
    if len(pipes) < columns:
        return
    spans = [found.span() for found in _CODE_SPAN.finditer(row)]
    in_code = [pipe for pipe in pipes if any(begin < pipe < end for begin, end in spans)]
    if len(pipes) - len(in_code) < columns:
        yield from (Edit(start + pipe, start + pipe, "\\") for pipe in in_code)
        return
    extra = row[pipes[columns - 1] + 1 : last.start()]
    if re.search(r"\w", extra):
        offsets = (start + pipes[columns - 1], start + last.start())
        yield Edit(*offsets, "", "table cell without a column", " ".join(_split_cells(extra)))


def _split_cells(row: str) -> Sequence[str]:
    return [cell.strip() for cell in _PIPE.split(row) if cell.strip()]


def remove_links_in_alt_texts(page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits that leave the text of links in the descriptions of images."""
    for image in _ALT_TEXT.finditer(page.text):
        for link in _LINK.finditer(page.text, *image.span("alt")):
            if image.start() not in page.protected and link.start() not in page.protected:
                why = "link in a picture's description, now its text"
                yield Edit(*link.span(), link["text"], why, link["url"])


def repair_html_blocks(page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits for pictures in blocks of HTML and for parts of tables that would be code."""
    lines, starts = _split_lines(page.text)
    open_tables = 0
    for token in _build_table_parser().parse(page.text):
        if not token.map or token.type not in {"html_block", "code_block", "inline"}:
            continue
        first, last = token.map
        if token.type == "html_block" and not _CODE_START.match(token.content):
            yield from _translate_pictures(page, starts[first], starts[last])
        elif token.type == "code_block":
            for number in range(first, last if open_tables > 0 else first):
                if not lines[number - 1].strip():
                    indent = len(lines[number]) - len(lines[number].lstrip(" \t"))
                    yield Edit(starts[number], starts[number] + indent, "")
        if token.type != "code_block" or open_tables > 0:
            tags = [tag["end"] for tag in _TABLE_TAG.finditer(token.content)]
            open_tables = max(open_tables + tags.count("") - tags.count("/"), 0)


def _translate_pictures(page: MarkupPage, start: int, end: int) -> Iterator[Edit]:
    for found in _PICTURE.finditer(page.text, start, end):
        if found.start() not in page.protected:
            url, alt, title = (html.escape(found[key] or "") for key in ("url", "alt", "title"))
            attributes = f' title="{title}"' if title else ""
            yield Edit(*found.span(), f'<img src="{url}" alt="{alt}"{attributes}>')
