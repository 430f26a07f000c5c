"""Jekyll's Markdown, kramdown: ``{: .lead }``, ``{:toc}``."""

import re
from collections.abc import Iterator

from newsletter.posts.html.attributes import match_kramdown_attributes
from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.page import MarkupPage

_TOC = re.compile(
    r"(?:^[ \t]{0,3}(?:[-*+]|1\.)[ \t]{1,4}[^\n]{1,60}\n)?"
    r"^[ \t]{0,9}\{:[ \t]{0,9}toc[^{}\n]{0,200}\}",
    re.MULTILINE,
)
_EXTENSION = re.compile(
    r"\{::(?P<name>comment|nomarkdown|options|abbreviation)?[^{}\n]{0,200}?(?P<self>/)?\}"
)
_EXTENSION_END = re.compile(r"\{:/[\w]{0,20}\}")
_START = re.compile(r"\{:(?![:/])")
_ID = re.compile(r"(?:^|\s)#(?P<id>[\w:-]+)")


def translate_kramdown(page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits for attribute lists and extensions."""
    text = page.text
    for contents in _TOC.finditer(text):
        if text.index("{:", contents.start()) not in page.protected:
            yield Edit(*contents.span(), "", "table of contents of kramdown")
    yield from _translate_extensions(page)
    for start in _START.finditer(text):
        found = match_kramdown_attributes(text, start.start())
        if found is None or start.start() in page.protected:
            continue
        identifier = _ID.search(found["list"] or "")
        line_start = text.rfind("\n", 0, found.start()) + 1
        above_start = text.rfind("\n", 0, max(line_start - 1, 0)) + 1
        is_below_heading = text.startswith("#", above_start) and page.is_alone(*found.span())
        if is_below_heading and identifier and line_start:
            offset = line_start - 1
            yield Edit(offset, offset, f" {{#{identifier['id']}}}", group=found.start())
        elif identifier and text.startswith("#", line_start):
            continue  # the heading's id, which the build knows
        yield Edit(*found.span(), "", "attributes of kramdown", group=found.start())


def _translate_extensions(page: MarkupPage) -> Iterator[Edit]:
    ends = [
        found for found in _EXTENSION_END.finditer(page.text) if found.start() not in page.protected
    ]
    next_end = 0
    for opening in _EXTENSION.finditer(page.text):
        if opening.start() in page.protected:
            continue
        name = opening["name"] or "comment"
        while next_end < len(ends) and ends[next_end].start() < opening.end():
            next_end += 1
        why = f"kramdown extension {name}"
        if opening["self"] or name == "options" or next_end == len(ends):
            yield Edit(*opening.span(), "", why)
        elif name == "comment":
            yield Edit(opening.start(), ends[next_end].end(), "", "comment of kramdown")
        else:
            yield Edit(*opening.span(), "", why, group=opening.start())
            yield Edit(*ends[next_end].span(), "", why, group=opening.start())
