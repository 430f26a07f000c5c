"""What has changed between two mails: in their words, and in where their links lead. Pure."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Literal

from newsletter.render.email import Email

Kind = Literal["same", "added", "removed"]

LARGEST = 4_000  # words of one passage that are compared one by one
ALIKE = 0.4  # of two passages; those that have less in common are shown whole
_HREF = re.compile(r"""<a\b[^>]*?\shref=(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_PARAGRAPH = re.compile(r"\n\s*\n")
_UNDERLINE = re.compile(r"^[=-]{3,}$", re.MULTILINE)
_WORD = re.compile(r"\S+\s*")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of words that is in both, or in one of two mails."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Two mails laid beside each other.

    Attributes:
        passages: one tuple of pieces a paragraph, in order; unchanged ones are a single piece.
        added: links that only the newer one has.
        removed: links that only the older one has.
    """

    passages: tuple[tuple[Piece, ...], ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]


def compare(old: Email, new: Email) -> Difference:
    """Lay two mails beside each other; subject and preheader are the first paragraphs."""
    before, after = _passages(old), _passages(new)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    passages: list[tuple[Piece, ...]] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            passages += [(Piece("same", text),) for text in before[a:b]]
        else:
            passages += _changed(before[a:b], after[c:d])
    links = dict.fromkeys(_links(old)), dict.fromkeys(_links(new))
    return Difference(
        tuple(passages),
        added=tuple(link for link in links[1] if link not in links[0]),
        removed=tuple(link for link in links[0] if link not in links[1]),
    )


def _passages(email: Email) -> list[str]:
    bare = _UNDERLINE.sub("", email.text)
    text = (" ".join(part.split()) for part in _PARAGRAPH.split(bare))
    return [part for part in (email.subject, email.preheader, *text) if part]


def _changed(before: list[str], after: list[str]) -> Iterator[tuple[Piece, ...]]:
    """Passages that took others' places, word by word; the rest as a whole."""
    paired = min(len(before), len(after))
    for old, new in zip(before, after, strict=False):
        yield tuple(_words(old, new))
    yield from ((Piece("removed", text),) for text in before[paired:])
    yield from ((Piece("added", text),) for text in after[paired:])


def _words(old: str, new: str) -> Iterator[Piece]:
    before, after = _WORD.findall(old), _WORD.findall(new)
    if len(before) + len(after) > LARGEST:
        yield from (Piece("removed", old), Piece("added", new))
        return
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < ALIKE:
        yield from (Piece("removed", old), Piece("added", new))
        return
    blocks = matcher.get_matching_blocks()
    ends = [(0, 0), *((block.a + block.size, block.b + block.size) for block in blocks)]
    for (old_end, new_end), block in zip(ends, blocks, strict=False):
        yield from _piece("removed", before[old_end : block.a])
        yield from _piece("added", after[new_end : block.b])
        yield from _piece("same", before[block.a : block.a + block.size])


def _piece(kind: Kind, words: list[str]) -> Iterator[Piece]:
    if words:
        yield Piece(kind, "".join(words))


def _links(email: Email) -> Iterator[str]:
    for double, single in _HREF.findall(email.html):
        yield unescape(double or single)
