"""Compare a source with its email: each loss with its line."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from newsletter.posts.content_loss.inventory import (
    ContentInventory,
    InventoryBlock,
)
from newsletter.posts.content_loss.lost_words import locate_lost_words
from newsletter.posts.content_loss.masked_text import BlockKind, ReferenceKind
from newsletter.posts.content_loss.references import find_lost_references
from newsletter.posts.content_loss.removed_passages import find_removed_words
from newsletter.posts.removed_line import RemovedLine

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_RAW_TAG = re.compile(r"\{%-?\s*(?:end)?raw\s*-?%\}")  # around code that Liquid leaves alone


@dataclass(frozen=True, slots=True)
class ContentLoss:
    """Something that a source holds and its email doesn't.

    Attributes:
        kind: what was lost; "words" if a part of a block is left.
        line: 1-based line of the source.
        text: the lost words, the line of code or the URL.
        word_count: the number of lost words; 0 for a link, an image or an embed.
    """

    kind: BlockKind | ReferenceKind | Literal["words"]
    line: int
    text: str
    word_count: int = 0


def find_losses(
    source: ContentInventory, email: ContentInventory, removed: Sequence[RemovedLine] = ()
) -> tuple[ContentLoss, ...]:
    """Return everything that the source holds and neither the email nor ``removed`` has.

    What the email holds beyond the source (a template's words, numbers of footnotes) is no matter.
    Words, lines of code, links and images are counted.

    Args:
        source: the post as written.
        email: the HTML or the text made of it.
        removed: what was left out on purpose.
    """
    losses = list(find_lost_words(source, email, removed))
    removed_text = "\n".join(entry.text for entry in removed)
    losses += _find_lost_code(source, email, removed_text, {loss.line for loss in losses})
    losses += [
        ContentLoss(entry.kind, source.get_line(entry.start), entry.urls[0])
        for entry in find_lost_references(source, email, removed_text)
    ]
    return tuple(sorted(losses, key=lambda loss: loss.line))


def find_lost_words(
    source: ContentInventory, email: ContentInventory, removed: Sequence[RemovedLine] = ()
) -> Iterator[ContentLoss]:
    """Yield the lost words only, in order; see ``find_losses``.

    The words of a removed passage are counted as all others: that a passage is listed, though the
    email has it too (a translated tag), hides no other loss of the same words.
    """
    missing = Counter(source.words)
    missing.subtract(Counter(email.words))
    missing = +missing
    if not missing:
        return
    listed = find_removed_words(source, removed)
    lost = locate_lost_words(source, missing, email, listed) - listed
    for block in source.blocks:
        yield from _group_lost_words(source, block, lost)


def _group_lost_words(
    source: ContentInventory, block: InventoryBlock, lost: set[int]
) -> Iterator[ContentLoss]:
    """Yield the whole block if all its words are lost, else each run of lost words in it."""
    lost_here = [index for index in block.word_range if index in lost]
    if len(lost_here) == block.word_count:
        yield _make_loss(source, block.kind, lost_here)
        return
    run: list[int] = []
    for index in lost_here:
        if run and index > run[-1] + 1:
            yield _make_loss(source, "words", run)
            run = []
        run.append(index)
    if run:
        yield _make_loss(source, "words", run)


def _make_loss(
    source: ContentInventory, kind: BlockKind | Literal["words"], indices: Sequence[int]
) -> ContentLoss:
    line = source.get_line(source.spans[indices[0]][0])
    return ContentLoss(kind, line, source.quote(indices), len(indices))


def _find_lost_code(
    source: ContentInventory,
    email: ContentInventory,
    removed_text: str,
    lines_with_lost_words: Collection[int],
) -> Iterator[ContentLoss]:
    """Yield the lines of code that the email doesn't have, unless words of them are told."""
    code_lines = (*(code for _, code in email.code_lines), *removed_text.split("\n"))
    left = Counter(map(_squash_code, code_lines))
    for start, code in source.code_lines:
        key = _squash_code(code)
        line = source.get_line(start)
        if not key:
            continue
        if left[key] > 0:
            left[key] -= 1
        elif line not in lines_with_lost_words:
            yield ContentLoss("code line", line, code.strip())


def _squash_code(code: str) -> str:
    return "".join(_INVISIBLE.sub("", _RAW_TAG.sub("", code)).split())
