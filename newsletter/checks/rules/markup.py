"""Rules on the HTML and the text as they travel."""

import re
from collections.abc import Iterator

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
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
    "long-line", "warning",
    meaning="A mail server may cut the line off or break it in the middle of a word.",
    remedy="Break it up.",
)  # fmt: skip
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
    "deep-nesting", "warning",
    meaning="Outlook and old phones lose text, or give up.",
    remedy="Take wrappers out of the post or the template.",
)  # fmt: skip
def deep_nesting(context: CheckContext) -> Iterator[Match]:
    """Elements more than 60 deep, or tables more than 10 deep in one another."""
    depth, element = max(
        _iter_depths(context.tree), key=lambda found: found[0], default=(0, context.tree)
    )
    if depth > _MAX_ELEMENT_DEPTH:
        where = context.source_map.locate_text(get_visible_text(element)[:80])
        yield Match(f"elements are {depth} deep in one another", where)
    inner = max((sum(1 for _ in one.iterancestors("table")) for one in context.tree.iter("table")),
                default=0)  # fmt: skip
    if inner >= _MAX_TABLE_DEPTH:
        yield Match(f"tables are {inner + 1} deep in one another", context.source_map.file)


def _iter_depths(root: Element) -> Iterator[tuple[int, Element]]:
    stack = [(root, 1)]
    while stack:
        element, depth = stack.pop()
        yield depth, element
        stack += ((child, depth + 1) for child in element)


@rule(
    "odd-character", "warning",
    meaning="Readers see a box, a question mark, or words in the wrong order.",
    remedy="Delete it, or write the character that was meant.",
)  # fmt: skip
def odd_character(context: CheckContext) -> Iterator[Match]:
    """Control characters, unassigned and replacement characters, and marks that turn text."""
    for part, where in _iter_text_parts(context):
        for found in _ODD_CHARACTER.finditer(part):
            words = part[found.end() : found.end() + 60]
            place = (
                context.source_map.locate_setting(where)
                if where
                else context.source_map.locate_text(words)
            )
            yield Match(f"U+{ord(found[0]):04X} can't be shown", place, words)
            break


@rule(
    "wrong-encoding", "warning",
    meaning="Readers see 'Ã©' where an 'é' was meant.",
    remedy="Write the characters that were meant, and save the file as UTF-8.",
)  # fmt: skip
def wrong_encoding(context: CheckContext) -> Iterator[Match]:
    """UTF-8 that was once read as Latin-1."""
    for part, where in _iter_text_parts(context):
        if found := _MOJIBAKE.search(part):
            words = part[max(0, found.start() - 20) : found.end() + 20]
            place = (
                context.source_map.locate_setting(where)
                if where
                else context.source_map.locate_text(words)
            )
            yield Match(f"'{found[0]}' stands for another character", place, words)


def _iter_text_parts(context: CheckContext) -> Iterator[tuple[str, str]]:
    yield context.default_email.subject, "subject"
    yield context.default_email.preheader, "preheader"
    for block in context.prose_blocks:
        yield block.text, ""
