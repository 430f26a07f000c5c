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
    DigestPostField,
    FrontMatterFields,
    ImageField,
)
from newsletter.posts.issue import (
    Author,
    CallToAction,
    DigestPost,
    FrontMatterImage,
    FurtherReadingCard,
)
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
        digest: the posts of a digest.
    """

    title: str
    subject: str
    preheader: str
    author_name: str
    hero: FrontMatterImage | None
    author: Author | None
    button: CallToAction | None
    further: tuple[FurtherReadingCard, ...]
    digest: tuple[DigestPost, ...] = ()

    def iter_images(self) -> Iterator[tuple[str, int | None, FrontMatterImage]]:
        """Yield each image with its front matter key, and its index in a list."""
        for key, index, image in (
            ("hero", None, self.hero),
            ("author", None, self.author.picture if self.author else None),
            *(("further", index, card.picture) for index, card in enumerate(self.further)),
            *(("digest", index, post.picture) for index, post in enumerate(self.digest)),
        ):
            if image:
                yield key, index, image


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

    def text(
        key: str, value: str, target: TokenTarget = "text", *, index: int | None = None
    ) -> str:
        where = Location(path, front_matter.find_line(key, index))
        return compiler.compile_text(value, where, target)

    def picture(
        key: str, field: ImageField | None, index: int | None = None
    ) -> FrontMatterImage | None:
        if field is None:
            return None
        return FrontMatterImage(
            text(key, field.src, "url", index=index),
            text(key, field.alt, index=index),
            text(key, field.caption, index=index),
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

    def card(index: int, field: CardField) -> FurtherReadingCard:
        return FurtherReadingCard(
            text("further", field.title, index=index),
            text("further", field.url, "url", index=index),
            text("further", field.text, index=index),
            picture("further", field.picture, index),
        )

    def digest_post(index: int, field: DigestPostField) -> DigestPost:
        return DigestPost(
            title=text("digest", field.title, index=index),
            url=text("digest", field.url, "url", index=index),
            excerpt=text("digest", field.excerpt, index=index),
            picture=picture("digest", field.picture, index),
            minutes=field.minutes,
            section=text("digest", field.section, index=index),
            date=field.date,
            post_id=field.post_id,
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
        further=tuple(card(index, field) for index, field in enumerate(fields.further)),
        digest=tuple(digest_post(index, field) for index, field in enumerate(fields.digest)),
    )
