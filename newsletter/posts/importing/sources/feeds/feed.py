"""``Feed``: the posts of an RSS, Atom or JSON feed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from newsletter.errors import PostError
from newsletter.posts.importing.source_post import SourcePost, UnreadablePost


class NotAFeedError(PostError):
    """Something else than a feed.

    Attributes:
        page: the HTML, if it is a web page; it may name the feeds of its site.
    """

    page: str = ""


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed that was read: a ``PostCollection``.

    Attributes:
        title: the feed's title, plain text.
        url: where it was read from, after redirects; empty for a file.
        posts: its posts, in its order.
        next_url: the address of the page with older posts, or empty.
        home_page: the address of the site, or empty.
        remarks: what was wrong with it, though its posts could be read.
        other_items: what else is in it, by name.
    """

    title: str
    url: str
    posts: tuple[SourcePost | UnreadablePost, ...]
    next_url: str = ""
    home_page: str = ""
    remarks: tuple[str, ...] = ()
    other_items: Mapping[str, int] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """What it is, for messages."""
        return "feed"

    def iter_posts(self) -> Iterator[SourcePost | UnreadablePost]:
        """Yield its posts, in its order."""
        return iter(self.posts)

    def list_other_items(self) -> Mapping[str, int]:
        """Return what else is in it: ``{"older posts": 12}``."""
        return self.other_items
