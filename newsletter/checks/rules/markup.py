"""Rules on HTML and encoding: long lines, nesting, odd characters."""

import re
from collections.abc import Iterator

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.errors import Location
from newsletter.posts.html.markdown import iter_unclosed_blocks
from newsletter.render.article.dom import Element, get_visible_text

rule = Topic("HTML").rule

_MAX_LINE_BYTES = 998
_MAX_ELEMENT_DEPTH = 60
_MAX_TABLE_DEPTH = 10
_ODD_CHARACTER = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff"
    "\u202a-\u202e\u2066\u2067\u2069]"
)
_MOJIBAKE = re.compile("â€[™œ\x9d“”¦]|Ã[©¨¼¶¤±³]|Â[ \xa0«»°]")


@rule(
    "long-line",
    "warning",
    meaning="A mail server may truncate the line or break it in the middle of a word.",
    remedy="Split it into shorter lines.",
)
def long_line(context: CheckContext) -> Iterator[Match]:
    """A line of the text part or a header over 998 bytes (RFC 5322 2.1.1); HTML is encoded."""
    for name, value in (("Subject", context.longest_email.subject), *context.longest_email.headers):
        if len(f"{name}: {value}".encode()) > _MAX_LINE_BYTES:
            yield Match(
                f"the header {name} is too long",
                context.source_map.locate_setting("subject", "title"),
            )
    for line in context.longest_email.text.splitlines():
        if len(line.encode()) > _MAX_LINE_BYTES:
            message = f"a line of the text part has {len(line.encode()):,} bytes"
            yield Match(message, context.source_map.locate_text(line), line[:80])


@rule(
    "deep-nesting",
    "warning",
    meaning="Outlook and old phones lose text, or show nothing.",
    remedy="Remove wrapper elements from the post or the template.",
)
def deep_nesting(context: CheckContext) -> Iterator[Match]:
    """Elements nested more than 60 deep, or tables nested more than 10 deep."""
    depth, element = max(
        _iter_depths(context.tree), key=lambda found: found[0], default=(0, context.tree)
    )
    if depth > _MAX_ELEMENT_DEPTH:
        where = context.source_map.locate_text(get_visible_text(element)[:80])
        yield Match(f"elements are nested {depth} deep", where)
    table_depth = max(
        (sum(1 for _ in table.iterancestors("table")) for table in context.tree.iter("table")),
        default=0,
    )
    if table_depth >= _MAX_TABLE_DEPTH:
        yield Match(f"tables are nested {table_depth + 1} deep", context.source_map.file)


def _iter_depths(root: Element) -> Iterator[tuple[int, Element]]:
    stack = [(root, 1)]
    while stack:
        element, depth = stack.pop()
        yield depth, element
        stack += ((child, depth + 1) for child in element)


@rule(
    "unclosed-block",
    "warning",
    meaning="All that follows is in the block: in the sponsor's box, or not on the web page.",
    remedy="Add a line with only ::: where the block ends.",
)
def unclosed_block(context: CheckContext) -> Iterator[Match]:
    """A callout, sponsor or other block of Markdown that no line of `:::` ends."""
    if context.issue.source_path.suffix == ".md":
        post = context.front_matter
        for line, name in iter_unclosed_blocks(post.body):
            where = Location(context.source_map.file.path, post.body_line + line)
            yield Match(f"'::: {name}' is never closed", where, name)


@rule(
    "odd-character",
    "warning",
    meaning="Readers see a box, a question mark, or words in the wrong order.",
    remedy="Delete it, or replace it with the right character.",
)
def odd_character(context: CheckContext) -> Iterator[Match]:
    """Control, private-use and replacement characters, noncharacters, and bidi overrides."""
    for part, setting in _iter_text_parts(context):
        for found in _ODD_CHARACTER.finditer(part):
            context_text = part[found.end() : found.end() + 60]
            where = (
                context.source_map.locate_setting(setting)
                if setting
                else context.source_map.locate_text(context_text)
            )
            yield Match(f"U+{ord(found[0]):04X} can't be shown", where, context_text)
            break


@rule(
    "wrong-encoding",
    "warning",
    meaning="Readers see 'Ã©' instead of 'é'.",
    remedy="Write the right characters, and save the file as UTF-8.",
)
def wrong_encoding(context: CheckContext) -> Iterator[Match]:
    """UTF-8 that was read as Latin-1 at some point."""
    for part, setting in _iter_text_parts(context):
        if found := _MOJIBAKE.search(part):
            context_text = part[max(0, found.start() - 20) : found.end() + 20]
            where = (
                context.source_map.locate_setting(setting)
                if setting
                else context.source_map.locate_text(context_text)
            )
            yield Match(f"'{found[0]}' should be another character", where, context_text)


def _iter_text_parts(context: CheckContext) -> Iterator[tuple[str, str]]:
    yield context.default_email.subject, "subject"
    yield context.default_email.preheader, "preheader"
    for block in context.prose_blocks:
        yield block.text, ""
