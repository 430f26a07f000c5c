"""Data types of an issue: ``Issue``, ``Author``, images, cards, button."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from newsletter.config.public_site import ArchiveListing
from newsletter.posts.merge_tags.tags import MergeTag
from newsletter.posts.post import Post


@dataclass(frozen=True, slots=True)
class FrontMatterImage:
    """An image set in the front matter: the hero, an author's portrait.

    Attributes:
        src: URL, or a path relative to the issue's folder (then ``Post.images`` has its size).
        alt: alternative text, may be empty.
        caption: plain text, may be empty.
    """

    src: str
    alt: str = ""
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Author:
    """The author box under the article.

    Attributes:
        name: plain text.
        bio: plain text, may be empty.
        url: absolute URL or empty.
        picture: a portrait or ``None``.
    """

    name: str
    bio: str = ""
    url: str = ""
    picture: FrontMatterImage | None = None


@dataclass(frozen=True, slots=True)
class FurtherReadingCard:
    """A card for further reading."""

    title: str
    url: str
    text: str = ""
    picture: FrontMatterImage | None = None


@dataclass(frozen=True, slots=True)
class DigestPost:
    """A post of a digest, which readers read on the web.

    Attributes:
        title: plain text.
        url: where the post is.
        excerpt: plain text, may be empty.
        picture: its image, or ``None``.
        minutes: its reading time; 0 if unknown.
        section: the heading above the posts of its section, or empty.
        date: when it was published, if known.
        post_id: how its source identifies it, or empty; readers don't see it.
    """

    title: str
    url: str
    excerpt: str = ""
    picture: FrontMatterImage | None = None
    minutes: int = 0
    section: str = ""
    date: datetime.date | None = None
    post_id: str = ""


@dataclass(frozen=True, slots=True)
class CallToAction:
    """The call to action above the footer."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue, read and checked, ready to be rendered.

    Attributes:
        name: the folder's name, ``"2026-11-22-building-trust"``; identifies the send for good.
        slug: the name without its date, for URLs.
        source_path: the post file, for messages.
        source: the text of that file, front matter included.
        post: the article.
        subject: plain text with text tokens (the title if front matter has none).
        preheader: plain text with text tokens, may be empty.
        number: the issue's number, or ``None``.
        draft: whether the issue is a draft, which can be built and tested but not sent.
        sender_name: overrides the configured sender name, or empty.
        reply_to: overrides the configured reply-to address, or empty.
        template: overrides the theme's template, or empty.
        hero: the image under the title, or ``None``.
        author: the author box, or ``None``.
        button: the call to action, or ``None``.
        further: cards for further reading.
        merge_tags: every distinct merge tag that the post and its front matter use.
        front_matter_lines: front matter key -> 1-based line in ``source_path``, for messages.
        archive: visibility in the archive once sent; ``None`` for the newsletter's setting.
        topic: a topic of newsletter.yml, which readers may opt out of; empty for everybody.
        digest: the posts of a digest, in the editor's order; empty for an issue of one post.
    """

    name: str
    slug: str
    source_path: Path
    source: str
    post: Post
    subject: str
    preheader: str
    number: int | None
    draft: bool
    sender_name: str
    reply_to: str
    template: str
    hero: FrontMatterImage | None
    author: Author | None
    button: CallToAction | None
    further: tuple[FurtherReadingCard, ...]
    merge_tags: tuple[MergeTag, ...]
    front_matter_lines: "dict[str, int]"
    archive: ArchiveListing | None = None
    topic: str = ""
    digest: tuple[DigestPost, ...] = ()

    @property
    def digest_text(self) -> str:
        """The titles and excerpts of a digest's posts, with text tokens."""
        return "\n\n".join(
            "\n".join(filter(None, (post.title, post.excerpt))) for post in self.digest
        )
