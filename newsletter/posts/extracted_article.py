"""The ExtractedArticle type: a post's body before it is sanitised."""

import datetime
from dataclasses import dataclass
from typing import NamedTuple

from newsletter.posts.removed_line import RemovedLine


class ArticlePlace(NamedTuple):
    """The place of an article in its page, by the start tags of sections and their like.

    Attributes:
        first: the number of the article's own tag.
        last: that of the last one in it; the same if there is none.
        total: how many the page has.
        attribute_text: what is in the article's own tag beside its name.
        removed: the parts that were removed from it, each with the numbers of its own tag and of
            the last one in it.
    """

    first: int
    last: int
    total: int
    attribute_text: str
    removed: tuple[tuple[int, int, RemovedLine], ...] = ()


@dataclass(frozen=True, slots=True)
class ExtractedArticle:
    """The article and the metadata of a web page.

    Attributes:
        html: the article, not yet sanitised.
        title: plain text, or empty; likewise the rest.
        author: the article's author.
        description: as search engines show it.
        canonical_url: absolute http(s) URL.
        language: BCP 47 tag.
        tags: the article's tags.
        date: publication date, in the time zone that the page uses.
        published: publication date and time, as the page has it.
        image: URL of the article's main image, as the page has it.
        image_alt: the image's alternative text.
        is_free: whether all can read it; otherwise the page shows only a part.
        removed: what is on the page but not in the article.
        prose_outside: words of running text on the page that are not in the article.
        place: where the article is in the source, if all that is kept is in it.
    """

    html: str
    title: str = ""
    author: str = ""
    description: str = ""
    canonical_url: str = ""
    language: str = ""
    tags: tuple[str, ...] = ()
    date: datetime.date | None = None
    published: str = ""
    image: str = ""
    image_alt: str = ""
    is_free: bool = True
    removed: tuple[RemovedLine, ...] = ()
    prose_outside: int = 0
    place: ArticlePlace | None = None
