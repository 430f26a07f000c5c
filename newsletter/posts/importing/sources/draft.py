"""What every kind of source becomes: a draft, empty where the source is silent."""

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from newsletter.posts.importing.cleanup.boilerplate import find_content_range
from newsletter.posts.importing.cleanup.byline import parse_byline
from newsletter.posts.importing.cleanup.classify import PassageClassification
from newsletter.posts.importing.cleanup.paragraph import Passage, RemovedLine, SetAsideLine


@dataclass(frozen=True, slots=True)
class ParsedSource:
    """A source read and cleared; empty where it is silent.

    Attributes:
        body: Markdown or HTML.
        opening: the first running text, for a preheader.
        title: the first heading, or what the page says.
        description: what the page says of itself.
        author: plain text.
        date: when it was published.
        canonical_url: where it lives on the web.
        language: BCP 47 tag.
        tags: plain text.
        removed: furniture, in the order of the source.
        set_aside: what the editor must look at.
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


@dataclass(frozen=True, slots=True)
class ExtractedByline:
    """Author and date as the lines under the title give them, and those lines."""

    author: str = ""
    date: datetime.date | None = None
    removed: tuple[RemovedLine, ...] = ()

    @property
    def line_numbers(self) -> set[int]:
        """The 1-based lines that it was found on."""
        return {removed.line for removed in self.removed}


def find_byline(
    passages: Sequence[Passage],
    classification: PassageClassification,
    keep: Collection[int],
    title: Passage | None,
) -> ExtractedByline:
    """Author and date, from the lines between the title and the running text."""
    head = passages[: find_content_range(passages).start]
    found = [
        (passage, byline)
        for passage in head
        if passage != title and passage.line not in keep and (byline := parse_byline(passage.text))
    ]
    furniture = {removed.line for removed in classification.removed}
    return ExtractedByline(
        author=next((byline.author for _, byline in found if byline.author), ""),
        date=next((byline.date for _, byline in found if byline.date), None),
        removed=tuple(
            RemovedLine(passage.line, passage.text, "byline, now in the front matter")
            for passage, _ in found
            if passage.line not in furniture
        ),
    )


def sort_removed_lines(
    classification: PassageClassification, byline: ExtractedByline
) -> tuple[RemovedLine, ...]:
    """Return what was removed, in the order of the source."""
    return tuple(sorted((*classification.removed, *byline.removed), key=lambda entry: entry.line))


def find_opening(passages: Sequence[Passage]) -> str:
    """The first running text that is the same for every reader, else the first words at all."""
    same = [p for p in passages if "{{" not in p.text]
    return next((p.text for p in same if p.is_prose), same[0].text if same else "")
