"""Compile merge tags in front matter and convert it to an issue's types."""

from collections.abc import Iterator
from dataclasses import dataclass

from newsletter.errors import Location
from newsletter.posts.front_matter.keys import PREHEADER_KEYS
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


@dataclass(frozen=True, slots=True)
class CompiledFrontMatter:
    """Front matter with text tokens in its texts and URL tokens in its URLs.

    Attributes:
        title: empty if the front matter has none; likewise ``subject`` and ``preheader``.
        author_name: for the byline; empty if the front matter has none.
        hero: the image under the title, or ``None``.
        author: the author box; ``None`` if the front matter has only a name, or no author.
        button: the call to action, or ``None``.
        further: cards for further reading.
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
        """Yield each image with its front matter key."""
        for key, image in (
            ("hero", self.hero),
            ("author", self.author.picture if self.author else None),
            *(("further", card.picture) for card in self.further),
        ):
            if image:
                yield key, image


def compile_front_matter(
    fields: FrontMatterFields, front_matter: FrontMatter, path: str, compiler: MergeTagCompiler
) -> CompiledFrontMatter:
    """Compile the merge tags of the front matter.

    Args:
        fields: the validated front matter.
        front_matter: the parsed front matter with its lines.
        path: its file, for messages.
        compiler: collects the merge tags and their problems.
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

    preheader_key = next((key for key in PREHEADER_KEYS if getattr(fields, key)), "preheader")
    has_author_box = fields.author is not None and not isinstance(
        front_matter.data.get("author"), str
    )
    return CompiledFrontMatter(
        title=text("title", fields.title),
        subject=text("subject", fields.subject),
        preheader=text(preheader_key, getattr(fields, preheader_key)),
        author_name=text("author", fields.author.name) if fields.author else "",
        hero=picture("hero", fields.hero),
        author=author(fields.author) if has_author_box and fields.author else None,
        button=button(fields.button) if fields.button else None,
        further=tuple(card(field) for field in fields.further),
    )
