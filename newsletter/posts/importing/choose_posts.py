"""Choose posts of a feed, an export or a folder."""

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from newsletter.posts.importing.source_post import PostStatus, SourcePost, UnreadablePost
from newsletter.posts.slug import slugify

_STATUS_NOUNS: Mapping[PostStatus, str] = {
    "published": "published post",
    "draft": "draft",
    "scheduled": "scheduled post",
    "private": "private post",
}


@dataclass(frozen=True, slots=True)
class PostSelection:
    """Which posts of a source are chosen; without any condition, those that are published.

    Attributes:
        names: titles, slugs, ids or URLs, or parts of titles and slugs; a post that one of them
            names is chosen whatever its status and kind.
        since: the earliest date, in the newsletter's zone.
        tags: a post needs one of them.
        statuses: a post needs one of them.
        kinds: a post needs one of them.
    """

    names: tuple[str, ...] = ()
    since: datetime.date | None = None
    tags: tuple[str, ...] = ()
    statuses: tuple[PostStatus, ...] = ("published",)
    kinds: tuple[str, ...] = ("post",)


@dataclass(slots=True)
class PostChooser:
    """Chooses posts, and counts those that were not chosen.

    Attributes:
        selection: which posts are chosen.
        timezone: the newsletter's.
        not_chosen: a noun for what was not chosen -> how many: ``{"draft": 3, "page": 2}``.
        found_names: the names of the selection that a post has.
    """

    selection: PostSelection
    timezone: ZoneInfo
    not_chosen: Counter[str] = field(default_factory=Counter)
    found_names: set[str] = field(default_factory=set)

    def iter_chosen(
        self, posts: Iterable[SourcePost | UnreadablePost]
    ) -> Iterator[SourcePost | UnreadablePost]:
        """Yield the posts that are chosen, and those that can't be read."""
        for post in posts:
            if isinstance(post, UnreadablePost):
                if not self.selection.names or self._has_name(post.title):
                    yield post
            elif reason := self._find_reason(post):
                self.not_chosen[reason] += 1
            else:
                yield post

    def _find_reason(self, post: SourcePost) -> str:
        """Return why a post is not chosen; empty if it is."""
        selection = self.selection
        if selection.names:
            is_named = self._has_name(post.title, post.slug, post.post_id, post.url)
            return "" if is_named else "other post"
        if post.kind not in selection.kinds:
            return post.kind
        if post.status not in selection.statuses:
            return _STATUS_NOUNS[post.status]
        if selection.since and not (
            post.date and post.date.astimezone(self.timezone).date() >= selection.since
        ):
            return "earlier post" if post.date else "undated post"
        if selection.tags and not {tag.casefold() for tag in post.tags} & {
            tag.casefold() for tag in selection.tags
        }:
            return "untagged post"
        return ""

    def _has_name(self, *texts: str) -> bool:
        """Return whether a name is one of the texts, or a part of the first two."""
        named = {
            name
            for name in self.selection.names
            if any(name == text for text in texts)
            or any(name.casefold() in text.casefold() for text in texts[:2])
            or (slugify(name) and slugify(name) == slugify(texts[0]))
        }
        self.found_names |= named
        return bool(named)


def find_latest(posts: Iterable[SourcePost | UnreadablePost]) -> SourcePost | None:
    """Return the newest post; the first one if none has a date."""
    latest: SourcePost | None = None
    for post in posts:
        if isinstance(post, UnreadablePost):
            continue
        if latest is None or (post.date and (not latest.date or post.date > latest.date)):
            latest = post
    return latest
