"""Whatever a site does to its feed: no post twice, none missed, a flood is stopped.

The feed is served over a real socket. The model knows each article by its number; its id, URL and
text change, never all three of an article between two checks that see it, unless of all articles
at once: that is the flood.
"""

import datetime
import email.utils
import gzip
import hashlib
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from newsletter.errors import PostError
from newsletter.fetch.download import Downloader, DownloadError
from newsletter.posts.importing.source_post import SourcePost, SourceSettings
from newsletter.posts.importing.sources.feeds.check_feed import (
    FeedCheck,
    check_feed,
    record_seen,
)
from newsletter.posts.importing.sources.feeds.fetch_feed import FetchClock
from newsletter.posts.importing.sources.feeds.seen_posts import SeenPosts

START = datetime.datetime(2026, 11, 2, 9, tzinfo=datetime.UTC)
SETTINGS = SourceSettings(ZoneInfo("Europe/Berlin"), "en", 2_000_000)
NUMBER = re.compile(r"article number (\d+)")
LONG_PAUSE = 7200
ALL_ASPECTS = frozenset({"id", "url", "text"})


@dataclass
class Article:
    """An article; ``changed`` is what the newsletter doesn't know yet."""

    number: int
    published: datetime.datetime
    names: dict[str, str]
    changed: set[str] = field(default_factory=set)

    def change(self, aspect: str, value: str) -> None:
        self.names[aspect] = value
        self.changed.add(aspect)


@dataclass
class Site:
    """What the server of a blog does."""

    articles: list[Article] = field(default_factory=list)
    shown: int = 20
    is_reversed: bool = False
    is_dated: bool = True
    scheme: str = "https"
    has_etag: bool = True
    has_modified: bool = True
    says_unchanged: bool = False
    is_compressed: bool = False
    has_moved: bool = False
    pause: int | None = None
    requests: int = 0

    @property
    def visible(self) -> list[Article]:
        newest_first = sorted(self.articles, key=lambda a: (a.published, a.number), reverse=True)
        shown = newest_first[: self.shown]
        return shown[::-1] if self.is_reversed else shown

    def render(self) -> bytes:
        items = (
            f"<item><title>Tide {a.number}</title>"
            f'<guid isPermaLink="false">{self.scheme}://blog.example/?p={a.names["id"]}</guid>'
            f"<link>https://blog.example/{a.names['url']}/?utm_source=feed</link>"
            f"<description>&lt;p&gt;This is the text of article number {a.number}, as it is "
            f"in version {a.names['text']}.&lt;/p&gt;</description>"
            + (f"<pubDate>{email.utils.format_datetime(a.published)}</pubDate>" * self.is_dated)
            + "</item>"
            for a in self.visible
        )
        return f'<rss version="2.0"><channel>{"".join(items)}</channel></rss>'.encode()


class FeedServer(HTTPServer):
    """A server of one feed, which each example replaces."""

    site = Site()


class _Handler(BaseHTTPRequestHandler):
    server: FeedServer

    def do_GET(self) -> None:
        site = self.server.site
        site.requests += 1
        if site.pause is not None:
            seconds, site.pause = site.pause, None
            self._reply(429, {"Retry-After": str(seconds)})
        elif site.has_moved and self.path == "/feed":
            self._reply(301, {"Location": "/moved"})
        else:
            self._send_feed(site)

    def _send_feed(self, site: Site) -> None:
        body = site.render()
        etag = f'W/"{hashlib.sha256(body).hexdigest()[:8]}"'
        sent = self.headers.get("If-None-Match"), self.headers.get("If-Modified-Since")
        if any(sent) and (site.says_unchanged or sent[0] == etag):
            self._reply(304, {})
            return
        headers = {"Content-Type": "application/rss+xml"}
        if site.has_etag:
            headers["ETag"] = etag
        if site.has_modified:
            headers["Last-Modified"] = "Mon, 02 Nov 2026 09:00:00 GMT"
        if site.is_compressed:
            body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        self._reply(200, headers, body)

    def _reply(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """No-op."""


class FeedMachine(RuleBasedStateMachine):
    """A blog, and a newsletter that checks its feed."""

    server: ClassVar[FeedServer]
    root: ClassVar[Path]

    @initialize(count=st.integers(0, 4), is_dated=st.booleans())
    def start(self, count: int, is_dated: bool) -> None:
        (self.root / "seen-posts.json").unlink(missing_ok=True)
        self.site = self.server.site = Site(is_dated=is_dated)
        self.url = f"http://127.0.0.1:{self.server.server_port}/feed"
        self.downloader = Downloader("test", allow_loopback=True)
        self.now = START
        self.count = 0
        self.is_connected = False
        self.complete_on: datetime.date | None = None
        self.paused_until = START
        self.done: set[int] = set()
        self.is_disguised = False
        for number in range(count):
            self.add_article(START - datetime.timedelta(days=100 - number))

    def add_article(self, published: datetime.datetime, post_id: str = "") -> None:
        self.count += 1
        number = self.count
        names = {"id": post_id or f"{number}", "url": f"p{number}", "text": "one"}
        self.site.articles.append(Article(number, published, names))

    @rule(count=st.integers(1, 7))
    def publish(self, count: int) -> None:
        for minute in range(count):
            self.add_article(self.now + datetime.timedelta(minutes=minute))

    @precondition(lambda self: self.site.is_dated and self.site.articles)
    @rule()
    def publish_with_the_id_of_another(self) -> None:
        old = self.site.articles[0]
        if "id" not in old.changed and not self.is_disguised:
            # At the same minute, it would be the old one, edited.
            minutes = 30 + self.count
            self.add_article(self.now + datetime.timedelta(minutes=minutes), old.names["id"])
            self.site.articles.remove(old)

    @rule(days=st.integers(0, 12))
    def wait(self, days: int) -> None:
        self.now += datetime.timedelta(days=days, hours=1)

    @rule(aspect=st.sampled_from(sorted(ALL_ASPECTS)), version=st.integers(0, 99))
    def change_all(self, aspect: str, version: int) -> None:
        # Without a date, an id alone is no proof.
        limit = ALL_ASPECTS if self.site.is_dated else {"url", "text"}
        for article in self.site.articles:
            after = article.changed | {aspect}
            if after != ALL_ASPECTS and not after >= limit:
                number = f"{article.number}" if aspect != "text" else ""
                article.change(aspect, f"{aspect}{version}x{number}")

    @precondition(
        lambda self: self.complete_on and min(len(self.site.visible), self.site.shown) > 1
    )
    @rule(version=st.integers(100, 999))
    def disguise_all(self, version: int) -> None:
        if {a.number for a in self.site.visible} - self.done:
            return
        self.site.articles = self.site.visible
        for article in self.site.articles:
            for aspect in ALL_ASPECTS:
                article.change(aspect, f"{aspect}{version}y{article.number}")
        self.is_disguised = True

    @rule()
    def switch_the_protocol_of_ids(self) -> None:
        self.site.scheme = {"http": "https", "https": "http"}[self.site.scheme]

    @rule()
    def reorder(self) -> None:
        self.site.is_reversed = not self.site.is_reversed

    @rule(shown=st.integers(2, 20))
    def show_fewer_or_more(self, shown: int) -> None:
        self.site.shown = shown

    @rule(
        has_etag=st.booleans(),
        has_modified=st.booleans(),
        says_unchanged=st.booleans(),
        is_compressed=st.booleans(),
    )
    def change_server(
        self, has_etag: bool, has_modified: bool, says_unchanged: bool, is_compressed: bool
    ) -> None:
        self.site.has_etag, self.site.has_modified = has_etag, has_modified
        self.site.says_unchanged, self.site.is_compressed = says_unchanged, is_compressed

    @rule()
    def move(self) -> None:
        self.site.has_moved = True

    @rule(seconds=st.sampled_from([5, 60, LONG_PAUSE]))
    def ask_for_a_pause(self, seconds: int) -> None:
        self.site.pause = seconds

    @rule(written=st.one_of(st.none(), st.integers(0, 2)))
    def check(self, written: int | None) -> None:
        """Check the feed; with ``written``, the import fails after so many posts."""
        seen, waited = SeenPosts.load(self.root), list[float]()
        requests, pause = self.site.requests, self.site.pause
        is_paused = self.now < self.paused_until
        try:
            check = check_feed(
                self.url, seen, self.downloader, SETTINGS, FetchClock(self.now, waited.append)
            )
        except DownloadError:
            assert pause == LONG_PAUSE
            self.paused_until = self.now + datetime.timedelta(seconds=LONG_PAUSE)
            return
        except PostError:
            assert is_paused
            assert self.site.requests == requests
            return
        assert not is_paused
        assert waited == ([] if pause is None else [pause])
        if check.feed is None:
            assert self.complete_on == self.now.date()
            record_seen(seen, check, ())
            return
        self.check_selection(seen, check, written)

    def check_selection(self, seen: SeenPosts, check: FeedCheck, written: int | None) -> None:
        new = check.posts.new
        visible = {article.number for article in self.site.visible}
        if not self.is_connected:
            assert check.posts.is_first
            assert new == ()
            self.done |= visible | {
                a.number for a in self.site.articles if self.site.is_dated and a.published < START
            }
            self.is_connected = True
            self.finish(seen, check, ())
            return
        numbers = [get_number(post) for post in new]
        fresh = visible - self.done
        if check.posts.flood:
            assert check.posts.flood.posts == new
            assert fresh <= set(numbers), "a new post is not listed"
            # The editor imports the new ones, and lets the others count as old.
            self.finish(seen, check, new)
            return
        assert sorted(numbers) == sorted(fresh), "a post twice, or one missed"
        self.finish(seen, check, new if written is None else new[:written])

    def finish(self, seen: SeenPosts, check: FeedCheck, written: Sequence[SourcePost]) -> None:
        record_seen(seen, check, written)
        self.done |= {get_number(post) for post in written}
        if len(written) == len(check.posts.new):
            self.complete_on = self.now.date()
        if self.is_disguised:
            self.site.articles = self.site.visible
            self.is_disguised = False
        for article in self.site.visible:
            if article.number in self.done:
                article.changed.clear()


def get_number(post: SourcePost) -> int:
    found = NUMBER.search(post.content)
    assert found is not None
    return int(found[1])


@pytest.fixture(scope="module")
def feed_server() -> Iterator[FeedServer]:
    server = FeedServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.property
def test_no_post_twice_none_missed_and_a_flood_is_stopped(
    feed_server: FeedServer, tmp_path: Path
) -> None:
    run_state_machine_as_test(
        type("Machine", (FeedMachine,), {"server": feed_server, "root": tmp_path}),
        settings=settings(max_examples=25, stateful_step_count=20, deadline=None),
    )
