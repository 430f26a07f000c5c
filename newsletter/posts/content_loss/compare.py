"""Compare a source with its email: each loss with its line."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from newsletter.posts.content_loss.inventory import (
    ContentInventory,
    InventoryBlock,
    normalize_words,
    take_inventory,
)
from newsletter.posts.content_loss.masked_text import BlockKind, ReferenceKind
from newsletter.posts.content_loss.url_matching import UrlIndex
from newsletter.posts.removed_line import RemovedLine

_MAX_CONTEXT_SEARCHES = 2_000  # lost words looked for in their context; more are surely lost

_MIN_BLOCK_LENGTH = 20  # letters: a shorter text may stand in a longer one by chance


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
    A link, an image or an embed is lost if the email has none of that URL; words and lines of code
    are counted.

    Args:
        source: the post as written.
        email: the HTML or the text made of it.
        removed: what was left out on purpose.
    """
    removed_text = "\n".join(entry.text for entry in removed)
    removed_urls = set(removed_text.split())
    losses = [
        *find_lost_words(source, email, removed),
        *_find_lost_code(source, email, removed_text),
        *_find_lost_references(source, email, removed_urls),
    ]
    return tuple(sorted(losses, key=lambda loss: loss.line))


def find_lost_words(
    source: ContentInventory, email: ContentInventory, removed: Sequence[RemovedLine] = ()
) -> Iterator[ContentLoss]:
    """Yield the lost words only, in order; see ``find_losses``."""
    kept, removed_words = _set_removed_apart(source, removed)
    missing = Counter(source.words[index] for index in kept)
    missing.subtract(Counter(email.words))
    missing.subtract(Counter(removed_words))
    missing = +missing
    if not missing:
        return
    lost = _locate_lost_words(source, kept, missing, [*email.words, "\n", *removed_words])
    for block in source.blocks:
        yield from _group_lost_words(source, block, lost)


def _set_removed_apart(
    source: ContentInventory, removed: Sequence[RemovedLine]
) -> tuple[list[int], list[str]]:
    """Return the indices of the words that were not removed, and removed words not found there."""
    is_removed = [False] * len(source.words)
    not_found: list[str] = []
    urls = {url for reference in source.references for url in reference.urls}
    for entry in removed:
        words = take_inventory(_strip_urls(entry.text, urls), "text").words
        start = source.find_words(words, entry.line)
        if start < 0 or any(is_removed[start : start + len(words)]):
            not_found += words
        else:
            is_removed[start : start + len(words)] = [True] * len(words)
    return [index for index, gone in enumerate(is_removed) if not gone], not_found


def _strip_urls(text: str, urls: Collection[str]) -> str:
    """Return the text of a removed line without the URLs at its end."""
    parts = text.split()
    while parts and parts[-1] in urls:
        del parts[-1]
    return " ".join(parts)


def _locate_lost_words(
    source: ContentInventory, kept: Sequence[int], missing: Counter[str], shown: Sequence[str]
) -> set[int]:
    """Return the indices of the lost words.

    Of a word that occurs more often than in the email, those occurrences are lost whose block and
    whose neighbors are not there. A word whose neighbors are there was only joined or split
    otherwise, such as by a hyphen.
    """
    words = ("\n", *source.words, "\n")
    text = f"\n{''.join(shown)}\n"
    whole, edges = _compare_long_blocks(source, text)
    indices = [index for index in kept if source.words[index] in missing]
    contexts = {
        index: (source.words[index], "".join(words[index : index + 3]))
        for index in indices
        if index not in edges
    }
    found: Counter[tuple[str, str]] = Counter()
    if len(missing) <= _MAX_CONTEXT_SEARCHES:
        found.update({key: text.count(key[1]) for key in set(contexts.values())})
    candidates: list[int] = []
    for index in indices:
        context = contexts.get(index, ("", ""))
        if found[context] > 0:
            found[context] -= 1
        else:
            candidates.append(index)
    # Words of a block that is there last; words next to other missing words first, as they were
    # lost together.
    is_missing = set(indices)
    candidates.sort(
        key=lambda index: (
            index in whole,
            -((index - 1 in is_missing) + (index + 1 in is_missing)),
        )
    )
    lost: set[int] = set()
    for index in candidates:
        word = source.words[index]
        if missing[word] > 0:
            missing[word] -= 1
            lost.add(index)
    return lost


def _compare_long_blocks(source: ContentInventory, text: str) -> tuple[set[int], set[int]]:
    """Return the words of the long blocks that the text has, and the edges of the other ones.

    A block is there as often as the text has it. The first and the last word of a damaged one have
    no neighbors to be known by.
    """
    whole: set[int] = set()
    edges: set[int] = set()
    left: dict[str, int] = {}
    for block in source.blocks:
        indices = range(block.first_word, block.first_word + block.word_count)
        block_text = "".join(source.words[block.first_word : indices.stop])
        if len(block_text) < _MIN_BLOCK_LENGTH:
            continue
        if block_text not in left:
            left[block_text] = text.count(block_text)
        if left[block_text] > 0:
            left[block_text] -= 1
            whole.update(indices)
        else:
            edges.update((indices[0], indices[-1]))
    return whole, edges


def _group_lost_words(
    source: ContentInventory, block: InventoryBlock, lost: set[int]
) -> Iterator[ContentLoss]:
    """Yield the whole block if all its words are lost, else each run of lost words in it."""
    block_range = range(block.first_word, block.first_word + block.word_count)
    lost_here = [index for index in block_range if index in lost]
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
    source: ContentInventory, email: ContentInventory, removed_text: str
) -> Iterator[ContentLoss]:
    """Yield lost lines of code without words; lost words of code are found as words."""
    code_lines = (*(code for _, code in email.code_lines), *removed_text.split("\n"))
    left = Counter("".join(code.split()) for code in code_lines)
    for start, code in source.code_lines:
        key = "".join(code.split())
        if left[key] > 0:
            left[key] -= 1
        elif not normalize_words(code):
            yield ContentLoss("code line", source.get_line(start), code.strip())


def _find_lost_references(
    source: ContentInventory, email: ContentInventory, removed_urls: Collection[str]
) -> Iterator[ContentLoss]:
    index = UrlIndex(email.references, email.text)
    seen: set[tuple[str, ...]] = set()
    for reference in source.references:
        if reference.urls in seen or index.has(reference):
            continue
        if not any(
            url in removed_urls or all(part in removed_urls for part in url.split())
            for url in reference.urls
        ):
            yield ContentLoss(reference.kind, source.get_line(reference.start), reference.urls[0])
        seen.add(reference.urls)
