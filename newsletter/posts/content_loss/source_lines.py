"""Find the line of the source that words of its article come from."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from newsletter.posts.content_loss.inventory import ContentInventory

_MAX_DISTANCE = 50  # words from a loss to the next words that are known


def number_words(article: ContentInventory) -> ContentInventory:
    """Return an inventory whose lines are the 1-based numbers of its words."""
    return replace(article, first_line=1, line_starts=tuple(start for start, _ in article.spans))


class SourceLines:
    """The lines of a source, for lookups by the words of its article.

    Args:
        source: the post as written.
    """

    def __init__(self, source: ContentInventory) -> None:
        self._source = source
        self._indices: dict[tuple[str, ...], list[int]] = defaultdict(list)
        words = source.words
        for index, trigram in enumerate(zip(words, words[1:], words[2:], strict=False)):
            self._indices[trigram].append(index)
        self._latest = 0

    def get_line(self, words: Sequence[str], number: int) -> int:
        """Return the 1-based line of a word of the article; 0 if nothing around it is known."""
        for distance in range(_MAX_DISTANCE):
            for start in (number + distance, number - distance):
                found = self._indices.get(tuple(words[start : start + 3])) if start >= 0 else None
                if found:
                    index = min(found, key=lambda index: abs(index - self._latest))
                    self._latest = index
                    index = min(max(index + number - start, 0), len(self._source.words) - 1)
                    return self._source.get_line(self._source.spans[index][0])
        return 0
