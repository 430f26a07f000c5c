"""Cut an email down to its article, without what its template adds."""

from bisect import bisect_left, bisect_right
from dataclasses import replace
from itertools import accumulate

from newsletter.posts.content_loss.inventory import ContentInventory

_MIN_BLOCK_LENGTH = 20  # letters: a shorter text may stand in a template by chance
_MAX_SEARCHES = 200  # longest blocks looked for
_TEXT_GROWTH = 4  # numbers of lists and repeated headers of tables make a text part longer


def cut_to_article(
    email: ContentInventory, article: ContentInventory, *, is_exact: bool = True
) -> ContentInventory:
    """Return the words of an email that are its article's; the rest stays as it is.

    The words of a template (a title, a preheader, a footer) would else make up for lost ones. The
    longest block of the article that the email has once tells where its article is.

    Args:
        email: the HTML or the text part.
        article: the article in it.
        is_exact: whether the email has the same words in the same order, as HTML has.
    """
    text, article_text = "".join(email.words), "".join(article.words)
    start = text.find(article_text) if is_exact else -1
    end = start + len(article_text)
    if start < 0:
        places = _find_blocks(text, article, article_text, 1 if is_exact else _MAX_SEARCHES)
        if not places:
            return email
        growth = 1 if is_exact else _TEXT_GROWTH
        place, offset, _ = places[0]
        start = place - growth * offset
        place, offset, length = places[-1]
        end = place + length + growth * (len(article_text) - offset - length)
    ends = list(accumulate(map(len, email.words)))
    words = slice(bisect_right(ends, start), bisect_left(ends, end) + 1)
    return replace(email, words=email.words[words], spans=email.spans[words], blocks=())


def _find_blocks(
    text: str, article: ContentInventory, article_text: str, limit: int
) -> list[tuple[int, int, int]]:
    """Return where the longest blocks are: offset in the email and in the article, and length."""
    offsets = [0, *accumulate(map(len, article.words))]
    blocks = [
        (offsets[block.first_word], offsets[block.word_range.stop]) for block in article.blocks
    ]
    blocks.sort(key=lambda block: block[0] - block[1])
    places: list[tuple[int, int, int]] = []
    for first, stop in blocks[:_MAX_SEARCHES]:
        block = article_text[first:stop]
        if len(places) == limit or len(block) < _MIN_BLOCK_LENGTH:
            break
        place = text.find(block)
        if place >= 0 and text.find(block, place + 1) < 0:
            places.append((place, first, len(block)))
    return sorted(places)
