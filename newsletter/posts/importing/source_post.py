"""Data types of a source that holds several posts: feed, export, folder."""

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from newsletter.errors import Problem
from newsletter.posts.importing.markup.page import find_no_post
from newsletter.posts.importing.settings.notes import DAMAGE_NOTE, SettingNote
from newsletter.posts.removed_line import RemovedLine

PostStatus = Literal["published", "draft", "scheduled", "private"]


@dataclass(frozen=True, slots=True)
class SourcePost:
    """One post of a feed, an export or a content folder, before its content is parsed.

    Attributes:
        title: plain text; empty if it has none.
        content: its HTML or Markdown as it goes into the import; empty if ``file`` is set.
        content_format: syntax of ``content``.
        original: its HTML or Markdown as the source has it, if the reader of the source has
            changed it; else empty. What is in here and not in the issue is listed as lost.
        file: the post's own file, for a content folder; its front matter is read on import.
        post_id: how the source identifies it, the same in each run (guid, number, path); empty
            if it doesn't.
        url: its absolute URL on the web, or empty.
        slug: its name in URLs, or empty.
        date: when it was published, with a time zone; a draft's last change; ``None`` if unknown.
        status: whether it is published.
        kind: what the source calls it: ``"post"``, ``"page"``, ``"podcast"``.
        author: plain text, names separated by commas; or empty.
        tags: plain text, in the source's order.
        language: BCP 47 tag, or empty.
        summary: an excerpt that its author wrote, plain text; or empty.
        subject: the subject of its email, if the source has one; or empty.
        preheader: the preheader of its email, if the source has one; or empty.
        hero: absolute URL of its main image, or empty.
        hero_alt: the image's alternative text.
        hero_caption: the line below it, plain text; or empty.
        is_teaser: whether ``content`` is only the beginning of the post.
        is_page: whether ``content`` is a whole web page, with more on it than the post.
        image_folders: for ``file``, the folders below which its images may be, besides its own.
        post_urls: returns the URL of another post of the source by what a link in this one calls
            it (a path, a name); empty if it isn't known.
        removed: what the reader of the source has left out, and why.
        notes: what else the editor should know about its settings.
    """

    title: str
    content: str = ""
    content_format: Literal["html", "md"] = "html"
    original: str = ""
    file: Path | None = None
    post_id: str = ""
    url: str = ""
    slug: str = ""
    date: datetime.datetime | None = None
    status: PostStatus = "published"
    kind: str = "post"
    author: str = ""
    tags: tuple[str, ...] = ()
    language: str = ""
    summary: str = ""
    subject: str = ""
    preheader: str = ""
    hero: str = ""
    hero_alt: str = ""
    hero_caption: str = ""
    is_teaser: bool = False
    is_page: bool = False
    image_folders: tuple[Path, ...] = ()
    post_urls: Callable[[str], str] = field(default=find_no_post, repr=False, compare=False)
    removed: tuple[RemovedLine, ...] = ()
    notes: tuple[SettingNote, ...] = ()

    @property
    def is_damaged(self) -> bool:
        """Whether its source is damaged where it is, so that something may be missing."""
        return any(note.key == DAMAGE_NOTE for note in self.notes)


class UnreadablePost(NamedTuple):
    """A post that can't be read; the others of its source still can.

    Attributes:
        title: its title, or what else names it (a file, an id).
        problem: what is wrong, where, and what to do.
    """

    title: str
    problem: Problem


class PostCollection(Protocol):
    """A source that holds several posts."""

    @property
    def description(self) -> str:
        """What it is, for messages: ``"WordPress export"``, ``"Hugo site"``, ``"feed"``."""
        ...

    def iter_posts(self) -> Iterator[SourcePost | UnreadablePost]:
        """Yield its posts one by one, in its order; memory does not grow with their number.

        May be called again, and then yields the same.

        Raises:
            NewsletterError: the source as a whole can't be read.
        """
        ...

    def list_other_items(self) -> Mapping[str, int]:
        """Return what else is in it and is not a post: ``{"revisions": 12, "menus": 3}``.

        Complete after ``iter_posts`` has been exhausted.
        """
        ...


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """The settings that readers of sources need.

    Attributes:
        timezone: the newsletter's; dates without a zone are in it.
        language: the newsletter's, BCP 47.
        max_post_bytes: size limit of a post.
        base_url: the blog's URL without a slash at its end, for links that need one; or empty.
        permalink: pattern of a post's URL with ``{year}``, ``{month}``, ``{day}``, ``{slug}``; or
            empty.
        lists_only: whether the posts are listed and not imported, so that what only an import
            needs may be missing.
    """

    timezone: ZoneInfo
    language: str
    max_post_bytes: int
    base_url: str = ""
    permalink: str = ""
    lists_only: bool = False
