"""``ParsedSource``, the result of each source parser; bylines, opening."""

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from newsletter.posts.extracted_article import ArticlePlace
from newsletter.posts.importing.cleanup.boilerplate import find_content_range
from newsletter.posts.importing.cleanup.byline import parse_byline
from newsletter.posts.importing.cleanup.classify import PassageClassification
from newsletter.posts.importing.cleanup.paragraph import Passage, SetAsideLine
from newsletter.posts.removed_line import RemovedLine


@dataclass(frozen=True, slots=True)
class ParsedSource:
    """A source parsed and cleaned up; fields that it doesn't have are empty.

    Attributes:
        body: Markdown or HTML.
        opening: the first running text, for a preheader.
        title: the first heading, or the page's title.
        description: the page's description.
        author: plain text.
        date: publication date.
        canonical_url: URL of the post on the web.
        language: BCP 47 tag.
        tags: plain text.
        removed: boilerplate, in the order of the source.
        set_aside: passages for the editor to check.
        prose_outside: words of running text on a web page that are not in its article.
        place: where the article is in a web page, if all that is kept is in it.
    """

    body: str
    opening: str = ""
    title: str = ""
    description: str = ""
    author: str = ""
    date: datetime.date | None = None
    canonical_url: str = ""
    language: str = ""
    tags: tuple[str, ...] = ()
    removed: tuple[RemovedLine, ...] = ()
    set_aside: tuple[SetAsideLine, ...] = ()
    prose_outside: int = 0
    place: ArticlePlace | None = None


@dataclass(frozen=True, slots=True)
class ExtractedByline:
    """Author and date from the lines under the title, and those lines."""

    author: str = ""
    date: datetime.date | None = None
    removed: tuple[RemovedLine, ...] = ()

    @property
    def line_numbers(self) -> set[int]:
        """The 1-based lines on which they were found."""
        return {removed.line for removed in self.removed}


def find_byline(
    passages: Sequence[Passage],
    classification: PassageClassification,
    keep: Collection[int],
    title: Passage | None,
) -> ExtractedByline:
    """Return author and date from the lines between the title and the running text."""
    head = passages[: find_content_range(passages).start]
    bylines = [
        (passage, byline)
        for passage in head
        if passage != title and passage.line not in keep and (byline := parse_byline(passage.text))
    ]
    removed = {(entry.line, entry.text) for entry in classification.removed}
    return ExtractedByline(
        author=next((byline.author for _, byline in bylines if byline.author), ""),
        date=next((byline.date for _, byline in bylines if byline.date), None),
        removed=tuple(
            RemovedLine(passage.line, passage.text, "byline, now in the front matter")
            for passage, _ in bylines
            if (passage.line, passage.text) not in removed
        ),
    )


def sort_removed_lines(
    classification: PassageClassification, byline: ExtractedByline
) -> tuple[RemovedLine, ...]:
    """Return all removed lines, in the order of the source."""
    return tuple(sorted((*classification.removed, *byline.removed), key=lambda entry: entry.line))


def find_opening(passages: Sequence[Passage]) -> str:
    """Return the first running text without merge tags, else the first text without them."""
    without_tags = [passage for passage in passages if "{{" not in passage.text]
    return next(
        (passage.text for passage in without_tags if passage.is_prose),
        without_tags[0].text if without_tags else "",
    )
