"""Records of seen posts and feeds, and how a post is found among them."""

import datetime
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from newsletter.posts.importing.post_identity import identify_post, normalize_post_url
from newsletter.posts.importing.source_post import SourcePost, UnreadablePost
from newsletter.url_secrets import mask_url_secrets

_HASH_LENGTH = 12  # hexadecimal digits: of 10,000 posts, two are mixed up once in 5 million files
_KEY_LENGTH = 8
_MAX_URL_LENGTH = 200  # characters


@dataclass(frozen=True, slots=True)
class SeenFeed:
    """What is known of a feed.

    Attributes:
        key: made of its first URL; stays when the feed moves.
        url: the URL that is requested, with its secrets masked: then the one in the settings is.
        etag: the validator that the server sent last, verbatim; or empty.
        modified: its ``Last-Modified``, verbatim; or empty.
        checked: the date on which it was last read as a whole, and all its new posts imported.
        moved_to: the URL to which a permanent redirect led at the last check; or empty.
        gone: the date on which the server said that it is gone; or empty.
        not_before: the time until which the server wants no request; or empty.
        forgotten: the date of the newest post whose record was dropped; or empty.
        unreadable: hashes of the posts in it that can't be read, of which the editor was told.
    """

    key: str
    url: str
    etag: str = ""
    modified: str = ""
    checked: str = ""
    moved_to: str = ""
    gone: str = ""
    not_before: str = ""
    forgotten: str = ""
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenPost:
    """By what a post of a feed is recognized later.

    Attributes:
        feed: key of its feed.
        url: its URL, normalized; or empty.
        post_id: hash of its id in the feed; or empty.
        text: hash of its title and text; or empty.
        published: when it was published, UTC; or empty.
        seen: the date on which it was first seen.
    """

    feed: str
    url: str
    post_id: str
    text: str
    published: str
    seen: str

    @property
    def day(self) -> datetime.date:
        """The date of the post, of its first sight if it has none."""
        return datetime.date.fromisoformat(self.published[:10] or self.seen)


def make_feed_key(url: str) -> str:
    """Return the key of a feed; the same for http and https, and whatever its secrets are."""
    masked = mask_url_secrets(url)
    return _hash(normalize_post_url(masked) or masked)[:_KEY_LENGTH]


def hash_unreadable_post(post: UnreadablePost) -> str:
    """Return by what a post that can't be read is recognized: its name, and what is wrong."""
    return _hash(f"{post.title}\n{post.problem.message}")


def describe_posts(feed: str, posts: Sequence[SourcePost], today: datetime.date) -> list[SeenPost]:
    """Return the records of the posts of a feed, in their order.

    An id or a URL that several different posts of the feed have says nothing of them.
    """
    identities = [identify_post(post) for post in posts]
    texts_by_id = defaultdict[str, set[str]](set)
    texts_by_url = defaultdict[str, set[str]](set)
    for identity in identities:
        texts_by_id[identity.post_id].add(identity.text_hash)
        texts_by_url[identity.url].add(identity.text_hash)
    return [
        SeenPost(
            feed=feed,
            url=_clean_url(identity.url) if len(texts_by_url[identity.url]) == 1 else "",
            # The ids of many feeds are URLs, once with http and once with https.
            post_id=_hash(normalize_post_url(identity.post_id) or identity.post_id)
            if identity.post_id and len(texts_by_id[identity.post_id]) == 1
            else "",
            text=identity.text_hash[:_HASH_LENGTH],
            published=f"{post.date.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
            if post.date
            else "",
            seen=today.isoformat(),
        )
        for post, identity in zip(posts, identities, strict=True)
    ]


class SeenPostIndex:
    """Index of seen posts by id, URL and text.

    Args:
        records: the records to find.
    """

    def __init__(self, records: Iterable[SeenPost] = ()) -> None:
        self._by_id = defaultdict[tuple[str, str], list[SeenPost]](list)
        self._by_url: dict[str, SeenPost] = {}
        self._by_text: dict[str, SeenPost] = {}
        for record in records:
            self.add(record)

    def add(self, record: SeenPost) -> None:
        """Add a record."""
        if record.post_id:
            self._by_id[record.feed, record.post_id].append(record)
        if record.url:
            self._by_url.setdefault(record.url, record)
        if record.text:
            self._by_text.setdefault(record.text, record)

    def find(self, post: SeenPost) -> SeenPost | None:
        """Return the record of a post that was seen before: by id, then URL, then text.

        An id counts only in its own feed. If the URL, the text and the date of publication are all
        others, the id was used again for another post.
        """
        for record in self._by_id.get((post.feed, post.post_id), ()):
            if not _is_reused_id(record, post):
                return record
        return self._by_url.get(post.url) or self._by_text.get(post.text)


def _is_reused_id(record: SeenPost, post: SeenPost) -> bool:
    has_other_url = bool(record.url and post.url and record.url != post.url)
    has_other_text = bool(record.text and post.text and record.text != post.text)
    is_same_date = bool(record.published) and record.published == post.published
    return has_other_url and has_other_text and not is_same_date


def count_most_at_once(records: Iterable[SeenPost]) -> int:
    """Return the most posts that were new at one check, not counting the first check."""
    counts = Counter(record.seen for record in records)
    if counts:
        del counts[min(counts)]
    return max(counts.values(), default=0)


def count_most_within(records: Iterable[SeenPost], days: int) -> int:
    """Return the most posts that were published within any period of so many days."""
    dates = sorted(record.day for record in records)
    most = start = 0
    for end, date in enumerate(dates):
        while (date - dates[start]).days >= days:
            start += 1
        most = max(most, end - start + 1)
    return most


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_HASH_LENGTH]


def _clean_url(url: str) -> str:
    """Return a URL as it is stored: hashed if it is long, or holds a secret."""
    is_short = len(url) <= _MAX_URL_LENGTH
    return url if is_short and mask_url_secrets(url) == url else _hash(url)
