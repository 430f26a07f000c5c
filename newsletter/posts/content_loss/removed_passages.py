"""Find passages that were removed on purpose in their source."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from newsletter.posts.content_loss.inventory import ContentInventory, take_inventory
from newsletter.posts.content_loss.masked_text import GLUE
from newsletter.posts.removed_line import RemovedLine

_TAG = re.compile(r"\[/?[a-zA-Z][^\[\]]{0,1000}\]")
_END_TAG = re.compile(r"\[/[\w-]{1,40}\]\Z")
_MAX_STARTS = 100  # places tried for a passage that isn't in the source word for word
_MAX_PLACES = 1_000  # places looked at of a passage's rarest word


def find_removed_words(source: ContentInventory, removed: Iterable[RemovedLine]) -> set[int]:
    """Return the indices of the words of the source that are listed as removed."""
    indices: set[int] = set()
    if not removed:
        return indices
    places: dict[str, list[int]] = defaultdict(list)
    for index, word in enumerate(source.words):
        places[word].append(index)
    next_starts: dict[tuple[tuple[str, ...], int], int] = {}
    tag_ends: dict[str, int] = {}  # offsets
    urls = {url for reference in source.references for url in reference.urls}
    for entry in removed:
        parts = entry.text.split()
        while parts and parts[-1] in urls:
            del parts[-1]
        words = take_inventory(" ".join(parts), "text").words
        if not words:
            continue
        tag = None if entry.line else _find_tag(source, entry.text, tag_ends.get(entry.text, 0))
        if tag:
            tag_ends[entry.text] = tag.stop
            indices.update(_get_words(source, tag))
            continue
        key = (words, entry.line)
        on_line = source.find_first_word(entry.line)
        # Without a line, an end tag may be any of its name, but not the start tag before it.
        used = frozenset[int]() if entry.line else indices
        found = _find_passage(source, words, places, next_starts.get(key, on_line), used)
        if found:
            next_starts[key] = found.stop
        starts: Sequence[int] = places.get(words[0], ())
        if entry.line:
            starts = range(on_line, max(on_line + 1, source.find_first_word(entry.line + 1)))
        if not found:
            starts = [index for index in starts if index not in indices]
            found = _find_part(source, words, starts)
            indices.update(_find_end_tag(source, entry.text, found))
        indices.update(found)
    return indices


def find_passage_line(source: ContentInventory, text: str) -> int:
    """Return the 1-based line on which a passage begins; 0 if it isn't in the source."""
    indices = find_removed_words(source, (RemovedLine(0, text, ""),))
    return source.get_line(source.spans[min(indices)][0]) if indices else 0


def _find_passage(
    source: ContentInventory,
    words: tuple[str, ...],
    places: dict[str, list[int]],
    first: int,
    used: Collection[int],
) -> range:
    """Return where a passage is word for word, from an index on or else before it.

    A passage that begins with a word in ``used`` is another one.
    """
    rarest = min(range(len(words)), key=lambda position: len(places.get(words[position], ())))
    found = places.get(words[rarest], [])
    middle = bisect_left(found, first + rarest)
    for index in (*found[middle : middle + _MAX_PLACES], *found[: min(middle, _MAX_PLACES)]):
        start = index - rarest
        is_passage = start >= 0 and source.words[start : start + len(words)] == words
        if is_passage and start not in used:
            return range(start, start + len(words))
    return range(0)


def _find_part(source: ContentInventory, words: Sequence[str], starts: Sequence[int]) -> range:
    """Return the longest run of words from one of these on that a listed text has in this order.

    The text has words beside them that are none in the source: URLs, attributes of a tag.
    """
    positions: dict[str, list[int]] = defaultdict(list)
    for position, word in enumerate(words):
        positions[word].append(position)
    best = range(0)
    for start in starts[:_MAX_STARTS]:
        position, index = 0, start
        while index < len(source.words) and (found := positions.get(source.words[index])):
            next_ = bisect_left(found, position)
            if next_ == len(found):
                break
            position = found[next_] + 1
            index += 1
        if index - start > len(best):
            best = range(start, index)
    return best


def _find_tag(source: ContentInventory, text: str, start: int) -> range | None:
    """Return the offsets of a tag in brackets, from an offset on: ``[slide]``, ``[/slide]``.

    Its name may be a word of the text, too.
    """
    if not _TAG.fullmatch(text):
        return None
    pattern = re.escape(text).replace("_", f"[_{GLUE}]").replace(r"\ ", r"\s+")
    found = re.compile(pattern).search(source.text, start)
    return range(*found.span()) if found else None


def _find_end_tag(source: ContentInventory, text: str, element: range) -> range:
    """Return the words of an end tag that is listed with its start tag: ``[/caption]``."""
    end_tag = _END_TAG.search(text)
    if not end_tag or not element:
        return range(0)
    tag = _find_tag(source, end_tag[0], source.spans[element[-1]][1])
    return _get_words(source, tag) if tag else range(0)


def _get_words(source: ContentInventory, offsets: range) -> range:
    """Return the indices of the words between two offsets."""
    return range(
        bisect_left(source.spans, (offsets.start, 0)), bisect_left(source.spans, (offsets.stop, 0))
    )
