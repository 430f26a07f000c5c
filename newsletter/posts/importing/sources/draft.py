"""What every kind of source becomes: a draft, empty where the source is silent."""

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from newsletter.posts.importing.cleanup.boilerplate import regions
from newsletter.posts.importing.cleanup.byline import parse_byline
from newsletter.posts.importing.cleanup.classify import Clearing
from newsletter.posts.importing.cleanup.paragraph import Passage, Removed, SetAside


@dataclass(frozen=True, slots=True)
class Draft:
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
    removed: tuple[Removed, ...] = ()
    set_aside: tuple[SetAside, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundByline:
    """Author and date as the lines under the title give them, and those lines."""

    author: str = ""
    date: datetime.date | None = None
    removed: tuple[Removed, ...] = ()

    @property
    def lines(self) -> set[int]:
        """The 1-based lines that it was found on."""
        return {removed.line for removed in self.removed}


def find_byline(
    passages: Sequence[Passage], clearing: Clearing, keep: Collection[int], title: Passage | None
) -> FoundByline:
    """Author and date, from the lines between the title and the running text."""
    head = passages[: regions(passages).head]
    found = [
        (passage, byline)
        for passage in head
        if passage != title and passage.line not in keep and (byline := parse_byline(passage.text))
    ]
    furniture = {removed.line for removed in clearing.removed}
    return FoundByline(
        author=next((byline.author for _, byline in found if byline.author), ""),
        date=next((byline.date for _, byline in found if byline.date), None),
        removed=tuple(
            Removed(passage.line, passage.text, "byline, now in the front matter")
            for passage, _ in found
            if passage.line not in furniture
        ),
    )


def in_source_order(clearing: Clearing, byline: FoundByline) -> tuple[Removed, ...]:
    """Return what was removed, in the order of the source."""
    return tuple(sorted((*clearing.removed, *byline.removed), key=lambda entry: entry.line))


def find_opening(passages: Sequence[Passage]) -> str:
    """The first running text that is the same for every reader, else the first words at all."""
    same = [p for p in passages if "{{" not in p.text]
    return next((p.text for p in same if p.prose), same[0].text if same else "")
