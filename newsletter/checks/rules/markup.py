"""Rules on the HTML and the text as they travel."""

import re
from collections.abc import Iterator

from newsletter.checks.check_context import Mail
from newsletter.checks.rule import Hit, Topic
from newsletter.render.article.dom import Element, visible_text

rule = Topic("HTML").rule

_LINE = 998
_DEEP = 60
_NESTED_TABLES = 10
_CONTROLS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff"
    "\u202a-\u202e\u2066\u2067\u2069]"
)
_MOJIBAKE = re.compile("â€[™œ\x9d“”¦]|Ã[©¨¼¶¤±³]|Â[ \xa0«»°]")


@rule(
    "long-line", "warning",
    meaning="A mail server may cut the line off or break it in the middle of a word.",
    remedy="Break it up.",
)  # fmt: skip
def long_line(mail: Mail) -> Iterator[Hit]:
    """A line of the text part or a header over 998 bytes (RFC 5322 2.1.1); HTML is encoded."""
    for name, value in (("Subject", mail.full.subject), *mail.full.headers):
        if len(f"{name}: {value}".encode()) > _LINE:
            yield Hit(f"the header {name} is too long", mail.places.key("subject", "title"))
    for line in mail.full.text.splitlines():
        if len(line.encode()) > _LINE:
            message = f"a line of the text part has {len(line.encode()):,} bytes"
            yield Hit(message, mail.places.words(line), line[:80])


@rule(
    "deep-nesting", "warning",
    meaning="Outlook and old phones lose text, or give up.",
    remedy="Take wrappers out of the post or the template.",
)  # fmt: skip
def deep_nesting(mail: Mail) -> Iterator[Hit]:
    """Elements more than 60 deep, or tables more than 10 deep in one another."""
    depth, element = max(_depths(mail.tree), key=lambda found: found[0], default=(0, mail.tree))
    if depth > _DEEP:
        where = mail.places.words(visible_text(element)[:80])
        yield Hit(f"elements are {depth} deep in one another", where)
    inner = max((sum(1 for _ in one.iterancestors("table")) for one in mail.tree.iter("table")),
                default=0)  # fmt: skip
    if inner >= _NESTED_TABLES:
        yield Hit(f"tables are {inner + 1} deep in one another", mail.places.file)


def _depths(root: Element) -> Iterator[tuple[int, Element]]:
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
def odd_character(mail: Mail) -> Iterator[Hit]:
    """Control characters, unassigned and replacement characters, and marks that turn text."""
    for part, where in _parts(mail):
        for found in _CONTROLS.finditer(part):
            words = part[found.end() : found.end() + 60]
            place = mail.places.key(where) if where else mail.places.words(words)
            yield Hit(f"U+{ord(found[0]):04X} can't be shown", place, words)
            break


@rule(
    "wrong-encoding", "warning",
    meaning="Readers see 'Ã©' where an 'é' was meant.",
    remedy="Write the characters that were meant, and save the file as UTF-8.",
)  # fmt: skip
def wrong_encoding(mail: Mail) -> Iterator[Hit]:
    """UTF-8 that was once read as Latin-1."""
    for part, where in _parts(mail):
        if found := _MOJIBAKE.search(part):
            words = part[max(0, found.start() - 20) : found.end() + 20]
            place = mail.places.key(where) if where else mail.places.words(words)
            yield Hit(f"'{found[0]}' stands for another character", place, words)


def _parts(mail: Mail) -> Iterator[tuple[str, str]]:
    yield mail.plain.subject, "subject"
    yield mail.plain.preheader, "preheader"
    for block in mail.prose:
        yield block.text, ""
