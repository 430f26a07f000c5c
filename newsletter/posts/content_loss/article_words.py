"""Cut an email down to its article, without what its template adds."""

from bisect import bisect_left, bisect_right
from dataclasses import replace
from itertools import accumulate

from newsletter.posts.content_loss.inventory import ContentInventory

_MIN_BLOCK_LENGTH = 20  # letters: a shorter text may stand in a template by chance
_MAX_SEARCHES = 200  # blocks looked for
_MAX_BETWEEN = 200  # letters of a template within the article: a button
_TEXT_GROWTH = 20  # repeated headings of tables make a text part longer


def cut_to_article(email: ContentInventory, article: ContentInventory) -> ContentInventory:
    """Return the words of an email's HTML that are its article's; the rest stays as it is.

    The words of a template (a title, a preheader, a footer) would else make up for lost ones. If
    the article is not there as it is, its longest block tells where it is, and its last long one
    where it ends: a template may put a button before the footnotes.

    Args:
        email: the HTML part, which has the article's words in their order.
        article: the article in it.
    """
    text, article_text = "".join(email.words), "".join(article.words)
    start = text.find(article_text)
    if start < 0:
        found = _find_block(text, article, article_text)
        if found is None:
            return email
        place, offset = found
        start = place - offset
    end = start + len(article_text)
    return _cut(email, start, max(end, _find_end(text, start, article, article_text)))


def cut_before_article(text_part: ContentInventory, article: ContentInventory) -> ContentInventory:
    """Return the words of a text part without those of its template before the article.

    The article's first long block tells where it begins. Nothing is cut behind it: a table is far
    longer there, as each row repeats the headings.

    Args:
        text_part: the text part.
        article: the article in it.
    """
    text, article_text = "".join(text_part.words), "".join(article.words)
    for first, stop in _get_block_ranges(article)[:_MAX_SEARCHES]:
        block = article_text[first:stop]
        if len(block) >= _MIN_BLOCK_LENGTH and text.count(block) == 1:
            return _cut(text_part, text.find(block) - _TEXT_GROWTH * first, len(text))
    return text_part


def _find_end(text: str, start: int, article: ContentInventory, article_text: str) -> int:
    """Return where the article ends by its last long block; 0 if that isn't in the email.

    Short blocks behind it, such as a footnote, may stand a little further down.
    """
    ranges = _get_block_ranges(article)
    for number, (first, stop) in reversed(list(enumerate(ranges))):
        if stop - first < _MIN_BLOCK_LENGTH:
            continue
        place = text.find(article_text[first:stop], start)
        if place < 0:
            return 0
        end = place + stop - first
        for later_first, later_stop in ranges[number + 1 :]:
            block = article_text[later_first:later_stop]
            found = text.find(block, end, end + _MAX_BETWEEN + len(block))
            end = found + len(block) if found >= 0 else end
        return max(end, place + len(article_text) - first)
    return 0


def _cut(inventory: ContentInventory, start: int, end: int) -> ContentInventory:
    """Return the words between two offsets in the joined words."""
    ends = list(accumulate(map(len, inventory.words)))
    words = slice(bisect_right(ends, start), bisect_left(ends, end) + 1)
    return replace(inventory, words=inventory.words[words], spans=inventory.spans[words], blocks=())


def _get_block_ranges(article: ContentInventory) -> list[tuple[int, int]]:
    """Return where each block is in the joined words."""
    offsets = [0, *accumulate(map(len, article.words))]
    return [(offsets[block.first_word], offsets[block.word_range.stop]) for block in article.blocks]


def _find_block(text: str, article: ContentInventory, article_text: str) -> tuple[int, int] | None:
    """Return where the longest block is that the email has once: there, and in the article."""
    longest_first = sorted(_get_block_ranges(article), key=lambda block: block[0] - block[1])
    for first, stop in longest_first[:_MAX_SEARCHES]:
        block = article_text[first:stop]
        if len(block) < _MIN_BLOCK_LENGTH:
            break
        place = text.find(block)
        if place >= 0 and text.find(block, place + 1) < 0:
            return place, first
    return None
