"""``FeedItem``: an item of a feed in any format, before it becomes a post."""

import datetime
from dataclasses import dataclass
from typing import Literal, NamedTuple

from newsletter.posts.importing.source_post import UnreadablePost

TextRole = Literal["content", "summary", "description"]
MediaKind = Literal["image", "audio", "video", "file"]


class ItemText(NamedTuple):
    """One text of an item.

    Attributes:
        value: HTML, or plain text.
        is_html: which of both it is.
        role: whether the feed calls it the content, a summary, or a description, which may be of
            the item or of its picture (RSS).
        language: BCP 47 tag, or empty.
        base: the URL that its links are relative to, if the feed states it (``xml:base``).
    """

    value: str
    is_html: bool = True
    role: TextRole = "content"
    language: str = ""
    base: str = ""


class ItemMedia(NamedTuple):
    """A file that goes with an item.

    Attributes:
        url: where it is; may be relative.
        kind: what it is.
        title: its title or alternative text, or empty.
        is_enclosure: whether it is attached to the item, not only described by it.
        is_cover: whether the feed says that it is the item's main image.
    """

    url: str
    kind: MediaKind
    title: str = ""
    is_enclosure: bool = False
    is_cover: bool = False


class ItemDate(NamedTuple):
    """A date of an item.

    Attributes:
        text: as written.
        value: what the feed's parser read; ``None`` if it couldn't.
    """

    text: str
    value: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class FeedItem:
    """An item of a feed, as it is there.

    Attributes:
        title: its title.
        is_html_title: whether the title is HTML.
        item_id: how the feed identifies it, or empty.
        url: its address; may be relative; or empty.
        texts: its texts, in the feed's order.
        published: when it was published.
        updated: when it was last changed.
        authors: names or mailboxes.
        tags: its tags.
        language: BCP 47 tag, or empty.
        media: images and files that go with it.
        links: other links of the item, by what the feed calls them.
    """

    title: str = ""
    is_html_title: bool = False
    item_id: str = ""
    url: str = ""
    texts: tuple[ItemText, ...] = ()
    published: ItemDate | None = None
    updated: ItemDate | None = None
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    language: str = ""
    media: tuple[ItemMedia, ...] = ()
    links: tuple[tuple[str, str], ...] = ()


class FeedInfo(NamedTuple):
    """What the items of a feed have in common.

    Attributes:
        url: the feed's own address, for relative links; empty for a file.
        home_page: the address of the site, or empty.
        author: the author of items that have none, or empty.
        language: BCP 47 tag of items that have none, or empty.
    """

    url: str = ""
    home_page: str = ""
    author: str = ""
    language: str = ""


class ParsedFeed(NamedTuple):
    """A feed in any format, parsed.

    Attributes:
        title: its title, plain text.
        info: what its items have in common.
        items: its items; one that can't be read is named.
        next_url: the address of the page with older items; may be relative; or empty.
        remarks: what was wrong with it.
    """

    title: str
    info: FeedInfo
    items: tuple[FeedItem | UnreadablePost, ...]
    next_url: str = ""
    remarks: tuple[str, ...] = ()


def classify_media(media_type: str, medium: str = "") -> MediaKind:
    """Return the kind of a file by its media type, or by what Media RSS says."""
    kind = media_type.partition("/")[0].strip().lower() or medium.strip().lower()
    return next((name for name in ("image", "audio", "video") if name == kind), "file")
