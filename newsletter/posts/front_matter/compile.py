"""The front matter with its merge tags compiled, in the types of an issue."""

from collections.abc import Iterator
from dataclasses import dataclass

from newsletter.errors import Location
from newsletter.posts.front_matter.parse import FrontMatter
from newsletter.posts.front_matter.schema import (
    AuthorField,
    ButtonField,
    CardField,
    FrontMatterFields,
    ImageField,
)
from newsletter.posts.issue import Author, CallToAction, FrontMatterImage, FurtherReadingCard
from newsletter.posts.merge_tags.compiler import MergeTagCompiler
from newsletter.posts.merge_tags.tags import TokenTarget

_PREHEADER_KEYS = ("preheader", "description", "summary", "excerpt")


@dataclass(frozen=True, slots=True)
class CompiledFrontMatter:
    """What the front matter says, text tokens in its texts and URL tokens in its URLs.

    Attributes:
        title: empty where the front matter has none; likewise ``subject`` and ``preheader``.
        author_name: for the byline; empty where the front matter has none.
        author: the author box; ``None`` where the front matter gives a mere name, or nothing.
    """

    title: str
    subject: str
    preheader: str
    author_name: str
    hero: FrontMatterImage | None
    author: Author | None
    button: CallToAction | None
    further: tuple[FurtherReadingCard, ...]

    def iter_images(self) -> Iterator[tuple[str, FrontMatterImage]]:
        """Every picture with the key that names it."""
        for key, picture in (
            ("hero", self.hero),
            ("author", self.author.picture if self.author else None),
            *(("further", card.picture) for card in self.further),
        ):
            if picture:
                yield key, picture


def compile_front_matter(
    fields: FrontMatterFields, front_matter: FrontMatter, path: str, compiler: MergeTagCompiler
) -> CompiledFrontMatter:
    """Compile the merge tags of the front matter.

    Args:
        fields: the front matter, checked.
        front_matter: the same with its lines.
        path: its file, for messages.
        compiler: collects the tags, and what is wrong with them.
    """

    def text(key: str, value: str, target: TokenTarget = "text") -> str:
        return compiler.compile_text(value, Location(path, front_matter.lines.get(key)), target)

    def picture(key: str, field: ImageField | None) -> FrontMatterImage | None:
        if field is None:
            return None
        return FrontMatterImage(
            text(key, field.src, "url"), text(key, field.alt), text(key, field.caption)
        )

    def author(field: AuthorField) -> Author:
        return Author(
            text("author", field.name),
            text("author", field.bio),
            field.url,
            picture("author", field.picture),
        )

    def button(field: ButtonField) -> CallToAction:
        return CallToAction(text("button", field.text), text("button", field.url, "url"))

    def card(field: CardField) -> FurtherReadingCard:
        return FurtherReadingCard(
            text("further", field.title),
            text("further", field.url, "url"),
            text("further", field.text),
            picture("further", field.picture),
        )

    summary = next((key for key in _PREHEADER_KEYS if getattr(fields, key)), "preheader")
    in_a_box = fields.author is not None and not isinstance(front_matter.data.get("author"), str)
    return CompiledFrontMatter(
        title=text("title", fields.title),
        subject=text("subject", fields.subject),
        preheader=text(summary, getattr(fields, summary)),
        author_name=text("author", fields.author.name) if fields.author else "",
        hero=picture("hero", fields.hero),
        author=author(fields.author) if in_a_box and fields.author else None,
        button=button(fields.button) if fields.button else None,
        further=tuple(card(field) for field in fields.further),
    )
