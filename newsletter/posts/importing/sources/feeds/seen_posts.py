"""The file ``seen-posts.json``: which posts of which feeds were seen.

It is committed, since a CI job has no memory. One entry is on one line, sorted, and each ends with
a comma: so git merges what two branches have added, and of a conflict both sides can stay.
"""

import datetime
import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from newsletter.errors import Location, ProjectError, display_path
from newsletter.posts.importing.post_identity import normalize_post_url
from newsletter.posts.importing.source_post import SourcePost
from newsletter.posts.importing.sources.feeds.seen_records import (
    SeenFeed,
    SeenPost,
    SeenPostIndex,
    make_feed_key,
)
from newsletter.public_files import write_public_file
from newsletter.url_secrets import mask_url_secrets

SEEN_POSTS_FILE_NAME = "seen-posts.json"
MAX_POSTS_PER_FEED = 5_000
_VERSION = 1
_FIRST_LINE = f'{{"version": {_VERSION}, "entries": ['
_LAST_LINE = "null]}"
_CONFLICT = re.compile(r"^(?:<{7}|\|{7}|={7}|>{7})(?: |$)", re.MULTILINE)


class SeenPosts:
    """The posts and feeds that were seen; ``save`` writes them.

    Args:
        path: the file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._feeds: dict[str, SeenFeed] = {}
        self._posts: list[SeenPost] = []
        self._saved = ""

    @classmethod
    def load(cls, folder: Path) -> "SeenPosts":
        """Read the file of a project; there is none before the first feed was read.

        Raises:
            ProjectError: the file is damaged, with the line and the remedy. It is never taken for
                empty: then old posts would be new.
        """
        seen = cls(folder / SEEN_POSTS_FILE_NAME)
        try:
            text = seen.path.read_text(encoding="utf-8-sig")  # editors on Windows may add a mark
        except FileNotFoundError:
            return seen
        except (OSError, UnicodeDecodeError) as error:
            raise _make_error(seen.path, "the file can't be read") from error
        seen._feeds, seen._posts = _parse_entries(text, seen.path)
        seen._saved = text
        return seen

    def get_feed(self, url: str) -> SeenFeed:
        """Return what is known of the feed at a URL, as it is in the settings."""
        key = make_feed_key(url)
        if feed := self._feeds.get(key):
            return feed
        url = mask_url_secrets(url)
        normalized = normalize_post_url(url)
        for feed in self._feeds.values():  # the settings have the new URL of a feed that has moved
            if normalized and normalize_post_url(feed.url) == normalized:
                return feed
        # Posts without their feed: its line was lost by hand or in a merge. It is no new feed.
        last_seen = max((record.seen for record in self._posts if record.feed == key), default="")
        return SeenFeed(key, url, checked=last_seen)

    def list_feeds(self) -> list[SeenFeed]:
        """Return what is known of all feeds."""
        return list(self._feeds.values())

    def set_feed(self, feed: SeenFeed) -> None:
        """Change what is known of a feed."""
        self._feeds[feed.key] = feed

    def list_posts(self, feed: SeenFeed) -> list[SeenPost]:
        """Return the records of a feed's posts."""
        return [record for record in self._posts if record.feed == feed.key]

    def make_index(self) -> SeenPostIndex:
        """Return an index of the posts of all feeds."""
        return SeenPostIndex(self._posts)

    def add_posts(
        self,
        feed: SeenFeed,
        posts: Iterable[SourcePost],
        described: Sequence[tuple[SourcePost, SeenPost]],
    ) -> None:
        """Record posts as seen; the record of a known one gets its present URL, id and text.

        Args:
            feed: the feed.
            posts: the posts to record.
            described: all posts of the feed, with their records.
        """
        # Of a post whose page was fetched, the text is another one than in the feed.
        names = {_name(post): record for post, record in described}
        objects = {id(post): record for post, record in described}
        records = [objects.get(id(post)) or names[_name(post)] for post in posts]
        index = self.make_index()
        found = [(record, index.find(record)) for record in records]
        replaced: dict[SeenPost, SeenPost] = {}
        added: list[SeenPost] = []
        for record, known in found:
            if known is None:
                added.append(record)
                continue
            current = replace(
                record, seen=known.seen, published=record.published or known.published
            )
            # Another feed's record stays, and two posts of one text each get a record.
            if known.feed == feed.key and known not in replaced:
                replaced[known] = current
            else:
                added.append(current)
        self._posts = [replaced.get(record, record) for record in self._posts] + added
        self._drop_oldest(feed, [record for _, record in described])

    def save(self) -> None:
        """Write the file, if anything has changed.

        Raises:
            FileWriteError: it can't be written.
        """
        text = _format_entries(self._feeds.values(), self._posts)
        if text != self._saved:
            write_public_file(self.path, text.encode(), durable=True)
            self._saved = text

    def _drop_oldest(self, feed: SeenFeed, present: Collection[SeenPost]) -> None:
        """Drop the oldest records of a feed with very many; older posts count as seen then."""
        records = sorted(self.list_posts(feed), key=lambda record: record.day)
        excess = len(records) - MAX_POSTS_PER_FEED
        if excess <= 0:
            return
        names = {(record.url, record.post_id, record.text) for record in present}
        droppable = [r for r in records if (r.url, r.post_id, r.text) not in names][:excess]
        if not droppable:
            return
        dropped = set(droppable)
        self._posts = [record for record in self._posts if record not in dropped]
        newest = max(record.day for record in droppable).isoformat()
        known = self._feeds.get(feed.key, feed)
        self.set_feed(replace(known, forgotten=max(known.forgotten, newest)))


def _name(post: SourcePost) -> tuple[object, ...]:
    return post.post_id, post.url, post.title, post.date


class _FeedEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    feed: str
    url: str
    etag: str = ""
    modified: str = ""
    checked: str = ""
    moved_to: str = ""
    gone: str = ""
    not_before: str = ""
    forgotten: str = ""
    unreadable: list[str] = []


class _PostEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    feed: str
    post: str
    id: str = ""
    text: str = ""
    published: str = ""
    seen: str


def _parse_entries(text: str, path: Path) -> tuple[dict[str, SeenFeed], list[SeenPost]]:
    if conflict := _CONFLICT.search(text):
        raise _make_error(
            path,
            "the file has a conflict of a merge",
            text.count("\n", 0, conflict.start()) + 1,
            "Delete the lines that begin with <<<<<<<, |||||||, ======= and >>>>>>>, and keep all "
            "others: those of both sides can stay.",
        )
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise _make_error(path, "the file is damaged", error.lineno) from None
    except (RecursionError, ValueError):  # deeper, or with a longer number, than Python reads
        raise _make_error(path, "the file is damaged") from None
    version = data.get("version") if isinstance(data, dict) else None
    entries = data.get("entries") if isinstance(data, dict) else None
    if not isinstance(version, int) or not isinstance(entries, list):
        raise _make_error(path, "the file is not a list of seen posts")
    if version > _VERSION:
        raise ProjectError(
            "the file was written by a newer version of this program",
            where=Location(display_path(path)),
            remedy="Update this program.",
        )
    feeds: dict[str, SeenFeed] = {}
    posts: list[SeenPost] = []
    for number, entry in enumerate(entries, 2):
        if entry is None:
            continue
        try:
            if isinstance(entry, dict) and "post" in entry:
                posts.append(_read_post(entry))
            else:
                feed = _read_feed(entry)
                feeds[feed.key] = _merge_feeds(feeds[feed.key], feed) if feed.key in feeds else feed
        except (ValidationError, ValueError):
            raise _make_error(path, "the entry can't be read", number) from None
    return feeds, _merge_posts(posts)


def _read_post(entry: Any) -> SeenPost:
    found = _PostEntry.model_validate(entry)
    post = SeenPost(found.feed, found.post, found.id, found.text, found.published, found.seen)
    _ = post.day, datetime.date.fromisoformat(post.seen)
    return post


def _read_feed(entry: Any) -> SeenFeed:
    found = _FeedEntry.model_validate(entry).model_dump()
    for key in ("checked", "gone", "forgotten"):
        if found[key]:
            datetime.date.fromisoformat(found[key])
    if found["not_before"]:
        datetime.datetime.fromisoformat(found["not_before"])
    found |= {name: mask_url_secrets(found[name]) for name in ("url", "moved_to")}
    found["unreadable"] = tuple(found["unreadable"])
    return SeenFeed(key=found.pop("feed"), **found)


def _merge_feeds(feed: SeenFeed, other: SeenFeed) -> SeenFeed:
    """Return what two branches know of a feed: the feed is requested anew."""
    newest = max(feed, other, key=lambda known: known.checked)
    return replace(newest, etag="", modified="", forgotten=max(feed.forgotten, other.forgotten))


def _merge_posts(posts: Sequence[SeenPost]) -> list[SeenPost]:
    """Return the records of which two branches have the same one only once."""
    found: dict[tuple[str, str, str, str], SeenPost] = {}
    for post in posts:
        name = (post.feed, post.url, post.post_id, post.text)
        if name not in found or post.seen < found[name].seen:
            found[name] = post
    return list(found.values())


def _format_entries(feeds: Collection[SeenFeed], posts: Sequence[SeenPost]) -> str:
    lines = [
        _format_entry({"feed": feed.key, **{k: v for k, v in asdict(feed).items() if k != "key"}})
        for feed in sorted(feeds, key=lambda feed: feed.key)
    ]
    lines += [
        _format_entry(
            {
                "feed": post.feed,
                "post": post.url,
                "id": post.post_id,
                "text": post.text,
                "published": post.published,
                "seen": post.seen,
            }
        )
        for post in sorted(
            _merge_posts(posts), key=lambda post: (post.feed, post.url, post.post_id, post.text)
        )
    ]
    return "\n".join([_FIRST_LINE, *lines, _LAST_LINE, ""])


def _format_entry(entry: dict[str, Any]) -> str:
    shown = {key: value for key, value in entry.items() if value or key == "post"}
    return json.dumps(shown, ensure_ascii=False) + ","


def _make_error(
    path: Path, message: str, line: int | None = None, remedy: str = ""
) -> ProjectError:
    return ProjectError(
        message,
        where=Location(display_path(path), line),
        remedy=remedy
        or f"Restore it from git (git checkout -- {path.name}), or delete it: then the posts that "
        "are in the feeds now count as seen.",
    )
