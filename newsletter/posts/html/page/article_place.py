"""Where in the source of a web page its article is."""

from collections.abc import Iterator, Sequence

from lxml.html import HtmlElement

from newsletter.posts.extracted_article import ArticlePlace
from newsletter.posts.html.normalize.tags import Tag, iter_html_tags

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
    numbers = [
        int(mark)
        for element in article.iter(*_PLACE_TAGS)
        if (mark := element.get(_NUMBER_ATTRIBUTE, "")).isdecimal()
    ]
    if not article.get(_NUMBER_ATTRIBUTE, "").isdecimal():
        return None
    first = numbers[0]
    tags = list(_iter_start_tags(text))
    return ArticlePlace(first, max(numbers), len(tags), tags[first].attribute_text)


def remove_tag_numbers(article: HtmlElement) -> None:
    """Remove the numbers from an article."""
    for element in article.iter(*_PLACE_TAGS):
        element.attrib.pop(_NUMBER_ATTRIBUTE, None)


def find_article_range(source: str, place: ArticlePlace) -> range | None:
    """Return the offsets of an article in the source of its page.

    The end is where as many elements of its name were closed as were opened, as the tags alone
    tell, or else where the last part that a parser has found in it ends: one of the two may be too
    early in malformed HTML. Without an end tag it is that of the source.

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
    return range(
        tags[first].end, max(_find_end(tags[index:], len(source)) for index in (first, last))
    )


def _iter_start_tags(text: str) -> Iterator[Tag]:
    return (tag for tag in iter_html_tags(text) if not tag.is_end and tag.name in _PLACE_TAGS)


def _find_end(tags: Sequence[Tag], default: int) -> int:
    """Return where the element ends that begins with the first tag."""
    depth = 0
    for tag in tags:
        if tag.name == tags[0].name:
            depth += -1 if tag.is_end else 1
            if depth == 0:
                return tag.start
    return default
