"""MkDocs' admonitions and tabs, whose text is indented: ``!!! note``."""

import re
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from newsletter.posts.html.callouts import CALLOUT_KIND_BY_NAME
from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.page import MarkupPage

_HEAD = re.compile(
    r"(?P<indent>[ ]{0,40})(?:(?P<marks>!!!|\?\?\?\+?)[ ]+"
    r"(?P<names>[a-z][\w-]{0,29}(?:[ ]+(?:inline|end))*)"
    r"|===[!+]?)(?:[ ]+\"(?P<title>[^\"\n]{0,200})\")?[ \t]*"
)
_FENCE = re.compile(r"[ ]*(?P<marks>`{3,}|~{3,})")
_INDENT = 4  # columns
_MAX_DEPTH = 6


class _Block(NamedTuple):
    """An admonition or a tab: its lines, and how deep it is nested."""

    first: int
    last: int
    indent: int
    depth: int


def translate_mkdocs(page: MarkupPage) -> list[Edit]:
    """Return the edits that make callouts of admonitions, and bold lines of other heads."""
    lines = page.text.split("\n")
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    blocks = list(_iter_blocks(page, lines, starts))
    edits: list[Edit] = []
    widths = [0] * len(lines)
    for block in blocks:
        edits += _translate_head(lines, starts, block)
        for index in range(block.first + 1, block.last + 1):
            widths[index] += _INDENT
    heads = {block.first for block in blocks}  # which are written anew
    for index, (line, width) in enumerate(zip(lines, widths, strict=True)):
        if width and line.strip() and index not in heads:
            edits.append(Edit(starts[index], starts[index] + width, ""))
    return edits


def _iter_blocks(page: MarkupPage, lines: list[str], starts: list[int]) -> Iterator[_Block]:
    """Yield the blocks that have text, the outer ones first."""
    open_blocks: list[_Block] = []
    found_blocks: list[_Block] = []
    fence = ""
    for index, line in enumerate(lines):
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip(" "))
        while open_blocks and indent < open_blocks[-1].indent + _INDENT:
            found_blocks.append(open_blocks.pop())
            fence = ""
        open_blocks = [block._replace(last=index) for block in open_blocks]
        mark = _FENCE.match(line)
        if open_blocks and mark and (not fence or mark["marks"].startswith(fence)):
            fence = "" if fence else mark["marks"]
            continue
        head = _HEAD.fullmatch(line)
        if not head or not (head["marks"] or head["title"]) or fence:
            continue
        is_code = starts[index] in page.protected and not open_blocks
        if not is_code and len(open_blocks) < _MAX_DEPTH:
            open_blocks.append(_Block(index, index, indent, len(open_blocks)))
    found_blocks += open_blocks
    yield from sorted(block for block in found_blocks if block.last > block.first)


def _translate_head(lines: list[str], starts: list[int], block: _Block) -> Iterator[Edit]:
    head = _HEAD.fullmatch(lines[block.first])
    assert head is not None  # as found
    span = (starts[block.first], starts[block.first] + len(lines[block.first]))
    indent = " " * (block.indent - _INDENT * block.depth)
    name = (head["names"] or "").split(" ")[0].lower()
    kind = CALLOUT_KIND_BY_NAME.get(name, "note")
    title = " ".join((head["title"] or "").split())
    if not title and head["title"] is None and kind != name:
        title = name.capitalize()
    is_last = block.last + 1 == len(lines)
    if head["marks"] and not block.depth and (is_last or not lines[block.last + 1].strip()):
        why = f"MkDocs admonition {name}, now a callout"
        yield Edit(*span, f"{indent}::: {kind} {title}".rstrip(), why, group=span[0])
        end = starts[block.last] + len(lines[block.last]) + (0 if is_last else 1)
        closing = f"{indent}:::"
        yield Edit(end, end, f"\n{closing}" if is_last else closing, group=span[0])
    else:
        is_joined = bool(lines[block.first + 1].strip())
        title = title or ("" if head["title"] == "" else kind.capitalize())
        text = f"{indent}**{title}**" + ("\\" if is_joined else "") if title else ""
        yield Edit(*span, text, "MkDocs title, now a line in bold", group=span[0])
