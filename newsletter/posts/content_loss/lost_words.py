"""Locate the lost ones among the words of a source."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence

from newsletter.posts.content_loss.inventory import ContentInventory

_MAX_SEARCHED_CHARACTERS = 100_000_000  # by all searches in an email: a tenth of a second or so

_MIN_BLOCK_LENGTH = 20  # letters: a shorter text may stand in a longer one by chance


def locate_lost_words(
    source: ContentInventory,
    missing: Counter[str],
    email: ContentInventory,
    listed: Collection[int] = (),
) -> set[int]:
    """Return the indices of the lost words.

    Of a word that occurs more often than in the email, those occurrences are lost whose block and
    whose neighbors are not there. A word whose neighbors are there was only joined or split
    otherwise, such as by a hyphen. Beside a removed passage, the words around that are neighbors.

    Args:
        source: the post as written.
        missing: how often each word is lost.
        email: what was made of the post.
        listed: indices of the words that were removed on purpose: these are lost first.
    """
    words = ("\n", *source.words, "\n")
    text = f"\n{''.join(email.words)}\n"
    search = _make_search(text)
    whole, edges = _compare_long_blocks(source, missing, email, search, listed)
    indices = [index for index, word in enumerate(source.words) if word in missing]
    indices.sort(key=lambda index: index in listed)
    contexts = {index: "".join(words[index : index + 3]) for index in indices if index not in edges}
    email_words = ("\n", *email.words, "\n")
    trigrams = Counter(
        map("".join, zip(email_words, email_words[1:], email_words[2:], strict=False))
    )
    outer_contexts = _join_neighbors(source, contexts, listed)
    found = {
        key: trigrams[key] or search(key) for key in {*contexts.values(), *outer_contexts.values()}
    }
    candidates: list[int] = []
    for index in indices:
        keys = (outer_contexts.get(index, ""), contexts.get(index, ""))
        key = next((key for key in keys if found.get(key, 0) > 0), "")
        if key:
            found[key] -= 1
        else:
            candidates.append(index)
    # Words of a block that is there last; words next to other missing words first, as they were
    # lost together.
    is_missing = set(indices)
    candidates.sort(
        key=lambda index: (
            index not in listed,
            index in whole,
            -((index - 1 in is_missing) + (index + 1 in is_missing)),
        )
    )
    left = Counter(missing)
    joined = _find_joined(words, candidates, source, email)
    left.subtract(source.words[index] for index in joined)
    lost: set[int] = set()
    for index in candidates:
        word = source.words[index]
        if index not in joined and left[word] > 0:
            left[word] -= 1
            lost.add(index)
    return lost


def _join_neighbors(
    source: ContentInventory, indices: Collection[int], listed: Collection[int]
) -> dict[int, str]:
    """Return those of the words beside removed passages that are in none, with their neighbors."""
    kept = [index for index in range(len(source.words)) if index not in listed] if listed else []
    words = ("\n", *(source.words[index] for index in kept), "\n")
    return {
        index: "".join(words[place : place + 3])
        for place, index in enumerate(kept)
        if index in indices and (index - 1 in listed or index + 1 in listed)
    }


def _find_joined(
    words: Sequence[str],
    candidates: Collection[int],
    source: ContentInventory,
    email: ContentInventory,
) -> set[int]:
    """Return those of the words that the email has in one word with a neighbor.

    Such as in ``and[this](/url)``, which a text part joins. The number of the link behind it hides
    that the other neighbors are there.

    Args:
        words: the words of the source between two line ends.
        candidates: indices of words in the source.
        source: the post as written.
        email: what was made of it.
    """
    left = Counter(email.words)
    left.subtract(source.words)
    first_words: set[int] = set()
    joined: set[int] = set()
    for index in candidates:
        for first in (index - 1, index):
            pair = words[first + 1] + words[first + 2]
            if first not in first_words and left[pair] > 0:
                left[pair] -= 1
                first_words.add(first)
            if first in first_words:
                joined.add(index)
    return joined


def _make_search(text: str) -> Callable[[str], int]:
    """Return a function that counts a text in an email, until so many searches were made."""
    searches_left = _MAX_SEARCHED_CHARACTERS // len(text)

    def search(part: str) -> int:
        nonlocal searches_left
        searches_left -= 1
        return text.count(part) if searches_left >= 0 else 0

    return search


def _compare_long_blocks(
    source: ContentInventory,
    missing: Counter[str],
    email: ContentInventory,
    search: Callable[[str], int],
    listed: Collection[int],
) -> tuple[set[int], set[int]]:
    """Return the words of the long blocks that the email has, and the edges of the other ones.

    A block is there as often as the email has it, one that was removed on purpose last. The first
    and the last word of a damaged one have no neighbors to be known by.
    """
    whole: set[int] = set()
    edges: set[int] = set()
    left = Counter(_join_blocks(email))
    blocks = list(zip(source.blocks, _join_blocks(source), strict=True))
    blocks.sort(key=lambda entry: entry[0].first_word in listed)
    for block, block_text in blocks:
        if len(block_text) < _MIN_BLOCK_LENGTH:
            continue
        if missing.keys().isdisjoint(source.words[block.first_word : block.word_range.stop]):
            continue
        if block_text not in left:
            left[block_text] = search(block_text)
        if left[block_text] > 0:
            left[block_text] -= 1
            whole.update(block.word_range)
        else:
            edges.update((block.word_range[0], block.word_range[-1]))
    return whole, edges


def _join_blocks(inventory: ContentInventory) -> Iterable[str]:
    return [
        "".join(inventory.words[block.first_word : block.word_range.stop])
        for block in inventory.blocks
    ]
