"""Data types of a post: ``Post`` and its local images."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from newsletter.posts.removed_line import RemovedLine


@dataclass(frozen=True, slots=True)
class LocalImage:
    """A local image beside the post.

    Attributes:
        name: path relative to the issue's folder, with ``/`` (``"harbour.jpg"``).
        width: natural width in CSS pixels, 0 if unknown.
        height: natural height in CSS pixels, 0 if unknown.
        byte_size: bytes on disk.
        dark_name: path of its twin for dark mode (``"harbour.dark.jpg"``); else empty.
        svg_problem: why it is not published: an SVG that is more than a drawing; else empty.
        still_problem: why it has no play sign, though it is the still of a video; else empty.
    """

    name: str
    width: int
    height: int
    byte_size: int
    dark_name: str = ""
    svg_problem: str = ""
    still_problem: str = ""


@dataclass(frozen=True, slots=True)
class Post:
    """One article, independent of its source format.

    Attributes:
        title: plain text, may contain text tokens.
        body: sanitised HTML fragment; merge tags already replaced by their HTML tokens
            (see ``newsletter.posts.merge_tags.tags``); local image paths unchanged.
        author: plain text, or empty.
        date: publication date, if known.
        canonical_url: URL of the post on the web, or empty.
        language: BCP 47 tag; the newsletter's own if the post has none.
        tags: plain text.
        images: local images in the body or the front matter, by their path as written; by their
            names, their twins for dark mode, and the stills of videos with a play sign
            (``newsletter.posts.stills``).
        removed: what is in the source but not in the body, on purpose (scripts, hidden text).
    """

    title: str
    body: str
    author: str = ""
    date: datetime.date | None = None
    canonical_url: str = ""
    language: str = "en"
    tags: tuple[str, ...] = ()
    images: Mapping[str, LocalImage] = field(default_factory=dict)
    removed: tuple[RemovedLine, ...] = ()
