"""Parse a feed in any format, from bytes or from a file."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from newsletter.errors import Location, PostError, display_path
from newsletter.posts.importing.source_post import SourcePost, SourceSettings, UnreadablePost
from newsletter.posts.importing.sources.feeds.build_post import build_post
from newsletter.posts.importing.sources.feeds.decode_feed import decode_feed
from newsletter.posts.importing.sources.feeds.feed import Feed
from newsletter.posts.importing.sources.feeds.feed_item import ParsedFeed
from newsletter.posts.importing.sources.feeds.not_a_feed import (
    HEAD_LENGTH,
    WORDPRESS_EXPORT,
    describe_other_text,
    refuse_binary_file,
)
from newsletter.posts.importing.sources.feeds.url_identity import fold_link, join_url
from newsletter.posts.importing.sources.feeds.xml_feed import find_root_name, parse_xml_feed
from newsletter.url_secrets import mask_url_secrets

MAX_FEED_BYTES = 20_000_000
MAX_FEED_POSTS = 2_000
_XML_ROOTS = frozenset({"rss", "feed", "channel"})
_RDF_FEED = re.compile(r"purl\.org/rss/1\.0|my\.netscape\.com/rdf", re.IGNORECASE)
_JSON_VERSION = re.compile(
    r'"version"\s*:\s*"https?:(?:\\?/){2}(?:www\.)?jsonfeed\.org', re.IGNORECASE
)


def parse_feed(
    data: bytes, *, url: str, headers: Mapping[str, str], settings: SourceSettings, where: str = ""
) -> Feed:
    """Parse a feed: RSS 0.9 to 2.0, RDF, Atom, CDF, JSON Feed.

    Of a feed with more than 2,000 posts the newest are taken; the number of the others is listed.

    Args:
        data: the feed.
        url: its address after redirects; empty for a file.
        headers: of the HTTP response.
        settings: of the newsletter.
        where: its file, for messages; its URL if empty.

    Raises:
        NotAFeedError: it is something else, such as a web page.
        PostError: it is empty, damaged beyond reading, or declares entities.
    """
    where = where or mask_url_secrets(url)
    refuse_binary_file(data, where)
    decoded = decode_feed(data, {key.lower(): value for key, value in headers.items()}, where)
    text = decoded.text.lstrip()
    if is_feed_text(text):
        parsed = _parse(text, url, where)
    else:
        raise describe_other_text(text, find_root_name(text), where)
    return _build_feed(parsed, url, decoded.remarks, settings)


def is_feed(head: bytes) -> bool:
    """Return whether a file that begins with these bytes is a feed; a WordPress export is none."""
    if b"\0" in head:
        codec = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-16-le"
        text = head.decode(codec, "replace")
    else:
        text = head.decode("utf-8-sig", "replace")
    return is_feed_text(text.lstrip())


def is_feed_text(text: str) -> bool:
    """Return whether a text that begins like this is a feed."""
    if text.startswith("{"):
        if _JSON_VERSION.search(text[:HEAD_LENGTH]):
            return True
        return _is_json_feed(text)
    root = find_root_name(text)
    if root == "rdf":
        return bool(_RDF_FEED.search(text[:HEAD_LENGTH]))
    return root in _XML_ROOTS and WORDPRESS_EXPORT not in text[:HEAD_LENGTH]


def open_feed_file(path: Path, settings: SourceSettings) -> Feed:
    """Open a feed that was saved as a file.

    Args:
        path: the file.
        settings: of the newsletter; links are relative to its ``base_url``.

    Raises:
        PostError: the file can't be read, or is not a feed.
    """
    where = display_path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FEED_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PostError(f"could not read the file: {reason}", where=Location(where)) from error
    if len(data) > MAX_FEED_BYTES:
        raise PostError(
            f"the feed has more than {MAX_FEED_BYTES // 1_000_000} MB", where=Location(where)
        )
    base_url = f"{settings.base_url}/" if settings.base_url else ""
    return parse_feed(data, url=base_url, headers={}, settings=settings, where=where)


def _parse(text: str, url: str, where: str) -> ParsedFeed:
    if not text.startswith("{"):
        return parse_xml_feed(text, url, where)
    # Its models take time to build, and few feeds need them.
    from newsletter.posts.importing.sources.feeds.json_feed import parse_json_feed

    return parse_json_feed(text, url, where)


def _is_json_feed(text: str) -> bool:
    """Return whether JSON is a feed whose version isn't at its beginning."""
    if '"items"' not in text or not ("jsonfeed.org" in text or '"feed_url"' in text):
        return False
    try:
        data = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and isinstance(data.get("items"), list)


def _build_feed(
    parsed: ParsedFeed, url: str, remarks: tuple[str, ...], settings: SourceSettings
) -> Feed:
    home_page = join_url(url, parsed.info.home_page) if parsed.info.home_page else ""
    info = parsed.info._replace(home_page=home_page)
    posts: list[SourcePost | UnreadablePost] = []
    present: set[tuple[str, str, str, str]] = set()
    for item in parsed.items:
        post = item if isinstance(item, UnreadablePost) else build_post(item, info, settings)
        if isinstance(post, SourcePost):
            identity = (post.post_id, fold_link(post.url), post.title, post.content)
            if identity in present:
                continue
            present.add(identity)
        posts.append(post)
    other_items = {}
    if repeated := len(parsed.items) - len(posts):
        other_items["repeated posts"] = repeated
    if len(posts) > MAX_FEED_POSTS:
        other_items["older posts"] = len(posts) - MAX_FEED_POSTS
        posts = _keep_newest(posts)
    return Feed(
        title=parsed.title,
        url=url,
        posts=tuple(posts),
        next_url=join_url(url, parsed.next_url) if parsed.next_url else "",
        home_page=home_page,
        remarks=(*remarks, *parsed.remarks),
        other_items=other_items,
    )


def _keep_newest(posts: list[SourcePost | UnreadablePost]) -> list[SourcePost | UnreadablePost]:
    """Return the newest posts that a feed may have, in its order; undated ones by their place."""
    dates = [
        post.date.timestamp() if isinstance(post, SourcePost) and post.date else 0.0
        for post in posts
    ]
    newest = sorted(range(len(posts)), key=lambda index: (-dates[index], index))[:MAX_FEED_POSTS]
    return [posts[index] for index in sorted(newest)]
