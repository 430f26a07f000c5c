"""The article itself, whatever it was written in."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LocalImage:
    """A local image beside the post.

    Attributes:
        name: path relative to the issue's folder, with ``/`` (``"harbour.jpg"``).
        width: natural width in CSS pixels, 0 where the file does not tell.
        height: natural height in CSS pixels, 0 where the file does not tell.
        byte_size: bytes on disk.
    """

    name: str
    width: int
    height: int
    byte_size: int


@dataclass(frozen=True, slots=True)
class Post:
    """One article, source-neutral.

    Attributes:
        title: plain text, may hold merge tokens.
        body: sanitised HTML fragment; merge tags already replaced by their HTML tokens
            (see ``newsletter.posts.merge_tags.tags``); local image paths untouched.
        author: plain text, or empty.
        date: the day it was published, if known.
        canonical_url: where the post lives on the web, or empty.
        language: BCP 47 tag; the newsletter's own where the post says nothing.
        tags: plain text.
        images: local images that the body or the front matter names, by their path as written.
    """

    title: str
    body: str
    author: str = ""
    date: datetime.date | None = None
    canonical_url: str = ""
    language: str = "en"
    tags: tuple[str, ...] = ()
    images: Mapping[str, LocalImage] = field(default_factory=dict)
