"""Find passages that were removed on purpose in their source."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate

from newsletter.posts.content_loss.inventory import ContentInventory, take_inventory
from newsletter.posts.content_loss.masked_text import GLUE
from newsletter.posts.removed_line import RemovedLine

_TAG = re.compile(r"\[/?[a-zA-Z][^\[\]]{0,1000}\]")
_END_TAG = re.compile(r"\[/[\w-]{1,40}\]\Z")
_MAX_STARTS = 100  # places tried for a passage that isn't in the source word for word
_MAX_GAP = 50  # words of the source between two runs of a listed text
_MIN_RUN = 3  # words in a row that are no coincidence
_MAX_PLACES = 1_000  # places looked at of a passage's rarest word


def find_removed_words(source: ContentInventory, removed: Iterable[RemovedLine]) -> set[int]:
    """Return the indices of the words of the source that are listed as removed."""
    indices: set[int] = set()
    if not removed:
        return indices
    finder = _PassageFinder(source)
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
        first = next_starts.get(key, on_line)
        # Without a line, an end tag may be any of its name, but not the start tag before it.
        found = finder.find(words, first, indices) or (
            finder.find(words, first, ()) if entry.line else range(0)
        )
        if found:
            next_starts[key] = found.stop
        starts: Sequence[int] = finder.places.get(words[0], ())
        if entry.line:
            starts = range(on_line, max(on_line + 1, source.find_first_word(entry.line + 1)))
        if not found:
            starts = [index for index in starts if index not in indices]
            found, position = _find_part(source, words, starts)
            indices.update(_find_end_tag(source, entry.text, found))
            indices.update(_find_other_parts(source, words[position:], found))
        indices.update(found)
    return indices


def find_passage_line(source: ContentInventory, text: str) -> int:
    """Return the 1-based line on which a passage begins; 0 if it isn't in the source."""
    indices = find_removed_words(source, (RemovedLine(0, text, ""),))
    return source.get_line(source.spans[min(indices)][0]) if indices else 0


class _PassageFinder:
    """Finder of whole passages in a source.

    Attributes:
        places: the indices of each word.
    """

    def __init__(self, source: ContentInventory) -> None:
        self.places: dict[str, list[int]] = defaultdict(list)
        for index, word in enumerate(source.words):
            self.places[word].append(index)
        self._words = source.words
        self._text = "".join(source.words)
        self._offsets = [0, *accumulate(map(len, source.words))]

    def find(self, words: tuple[str, ...], first: int, used: Collection[int]) -> range:
        """Return where a passage is word for word, from an index on or else right before it.

        A passage that begins with a word in ``used`` is another one.
        """
        rarest = min(
            range(len(words)), key=lambda position: len(self.places.get(words[position], ()))
        )
        found = self.places.get(words[rarest], [])
        middle = bisect_left(found, first + rarest)
        before = found[max(middle - _MAX_PLACES, 0) : middle]
        for index in (*found[middle : middle + _MAX_PLACES], *reversed(before)):
            start = index - rarest
            is_passage = start >= 0 and self._words[start : start + len(words)] == words
            if is_passage and start not in used:
                return range(start, start + len(words))
        return self._find_joined("".join(words), first, used)

    def _find_joined(self, passage: str, first: int, used: Collection[int]) -> range:
        """Return where a passage is without what is between its words.

        Links side by side are words of their own in a source, and one word in a text made from it.
        """
        for start in (self._offsets[first], 0):
            place = self._text.find(passage, start)
            index, stop = (bisect_left(self._offsets, end) for end in (place, place + len(passage)))
            is_whole = place >= 0 and self._offsets[index] == place
            if is_whole and self._offsets[stop] == place + len(passage) and index not in used:
                return range(index, stop)
        return range(0)


def _find_part(
    source: ContentInventory, words: Sequence[str], starts: Sequence[int]
) -> tuple[range, int]:
    """Return the longest run of words from one of these on that a listed text has in this order.

    The text has words beside them that are none in the source: URLs, attributes of a tag. The
    second value is the number of its words up to the end of the run.
    """
    positions: dict[str, list[int]] = defaultdict(list)
    for position, word in enumerate(words):
        positions[word].append(position)
    best, end = range(0), 0
    for start in starts[:_MAX_STARTS]:
        position, index = 0, start
        while index < len(source.words) and (found := positions.get(source.words[index])):
            next_ = bisect_left(found, position)
            if next_ == len(found):
                break
            position = found[next_] + 1
            index += 1
        if index - start > len(best):
            best, end = range(start, index), position
    return best, end


def _find_other_parts(
    source: ContentInventory, words: Sequence[str], first: range
) -> Iterator[int]:
    """Yield the words of a listed text after its first run, where the source has others between.

    A part of a web page is listed as a whole, and what a program would show in it is not.
    """
    run = first
    while run and words:
        run, position = _find_part(source, words, range(run.stop, run.stop + _MAX_GAP))
        words = words[position:]
        if len(run) < _MIN_RUN:
            return
        yield from run


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
