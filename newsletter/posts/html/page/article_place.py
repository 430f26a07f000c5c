"""Where in the source of a web page its article is."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lxml.html import HtmlElement

from newsletter.posts.extracted_article import ArticlePlace
from newsletter.posts.html.normalize.tags import Tag, iter_html_tags
from newsletter.posts.removed_line import RemovedLine

_NUMBER_ATTRIBUTE = "source-tag"  # no data attribute: a page with one takes another pass
_PLACE_TAGS = frozenset(
    "article aside body center dialog div footer form header main nav section table td th".split()
)


def number_start_tags(text: str) -> str:
    """Return a page whose sections and their like have numbers, which a parser doesn't change."""
    parts: list[str] = []
    position = 0
    for number, tag in enumerate(_iter_start_tags(text)):
        cut = tag.start + 1 + len(tag.name)
        parts += (text[position:cut], f' {_NUMBER_ATTRIBUTE}="{number}"')
        position = cut
    return "".join((*parts, text[position:]))


def find_article_place(text: str, article: HtmlElement) -> ArticlePlace | None:
    """Return the place of an article; ``None`` if its element has no number.

    Args:
        text: the page before its tags were numbered.
        article: the article in the page with numbers.
    """
    numbers = get_tag_numbers(article)
    if numbers is None:
        return None
    tags = list(_iter_start_tags(text))
    return ArticlePlace(*numbers, len(tags), tags[numbers[0]].attribute_text)


def get_tag_numbers(element: HtmlElement) -> tuple[int, int] | None:
    """Return the numbers of an element and of the last one in it; ``None`` if it has no number."""
    marks = [part.get(_NUMBER_ATTRIBUTE, "") for part in element.iter(*_PLACE_TAGS)]
    numbers = [int(mark) for mark in marks if mark.isdecimal()]
    has_number = element.get(_NUMBER_ATTRIBUTE, "").isdecimal()
    return (numbers[0], max(numbers)) if has_number else None


def remove_tag_numbers(article: HtmlElement) -> None:
    """Remove the numbers from an article."""
    for element in article.iter(*_PLACE_TAGS):
        element.attrib.pop(_NUMBER_ATTRIBUTE, None)


class ArticleRange(NamedTuple):
    """Where an article is in a source, and what of it was removed.

    Attributes:
        offsets: of the article.
        gaps: offsets of parts that were removed from it, in order.
        removed: the same as listed.
    """

    offsets: range
    gaps: tuple[range, ...] = ()
    removed: tuple[RemovedLine, ...] = ()


def find_article_range(source: str, place: ArticlePlace) -> ArticleRange | None:
    """Return the offsets of an article in the source of its page.

    The end is where as many elements of its name were closed as were opened, as the tags alone
    tell, or else where the last part that a parser has found in it ends: one of the two may be too
    early in malformed HTML. Without an end tag it is that of the source. A removed part that isn't
    the same by its tags as it was for the parser is none of the gaps.

    Args:
        source: the page as it was, before any translation.
        place: the place of its article.

    Returns:
        ``None`` if the source has other tags than the page that was parsed.
    """
    tags = [tag for tag in iter_html_tags(source) if tag.name in _PLACE_TAGS]
    starts = [index for index, tag in enumerate(tags) if not tag.is_end]
    if len(starts) != place.total:
        return None
    first, last = starts[place.first], starts[place.last]
    if tags[first].attribute_text != place.attribute_text:
        return None
    end = max(_find_end(tags, index, len(source)) for index in (first, last))
    gaps: list[range] = []
    removed: list[RemovedLine] = []
    for first_number, last_number, entry in place.removed:
        index = starts[first_number]
        part = range(tags[index].start, _find_end(tags, index, 0))
        inside = bisect_left(starts, part.stop, key=lambda start: tags[start].start)
        if inside - 1 == last_number:
            gaps.append(part)
            removed.append(entry)
    return ArticleRange(range(tags[first].end, end), tuple(gaps), tuple(removed))


def _iter_start_tags(text: str) -> Iterator[Tag]:
    return (tag for tag in iter_html_tags(text) if not tag.is_end and tag.name in _PLACE_TAGS)


def _find_end(tags: Sequence[Tag], index: int, default: int) -> int:
    """Return where the element ends that begins with a tag."""
    depth = 0
    name = tags[index].name
    for place in range(index, len(tags)):
        if tags[place].name == name:
            depth += -1 if tags[place].is_end else 1
            if depth == 0:
                return tags[place].start
    return default
