"""Requests of a feed: validators, redirects, feeds that are gone, pauses; what is recorded."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from newsletter.errors import PostError
from newsletter.fetch.download import Download, DownloadError
from newsletter.posts.importing.source_post import SourcePost, SourceSettings
from newsletter.posts.importing.sources.feeds.check_feed import FeedCheck, check_feed, record_seen
from newsletter.posts.importing.sources.feeds.fetch_feed import FetchClock
from newsletter.posts.importing.sources.feeds.seen_posts import SEEN_POSTS_FILE_NAME, SeenPosts

URL = "https://harbour.example/feed.xml"
NEW_URL = "https://new.example/feed.xml"
NOW = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
SETTINGS = SourceSettings(ZoneInfo("Europe/Berlin"), "en", 100_000)
VALIDATORS = {"etag": 'W/"a-1"', "last-modified": "Mon, 30 Nov 2026 09:00:00 GMT"}


@dataclass
class FakeDownloader:
    """A server whose next response is ``error``, 304, or a feed of so many posts."""

    count: int = 2
    error: DownloadError | None = None
    permanent_url: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: VALIDATORS)
    unchanged: bool = False
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    dates: dict[int, datetime.datetime] = field(default_factory=dict)
    more: str = ""

    def format_date(self, number: int) -> str:
        date = self.dates.get(number)
        return f"<pubDate>{date:%d %b %Y %H:%M:%S} GMT</pubDate>" if date else ""

    def download(
        self, url: str, *, max_bytes: int, headers: Mapping[str, str], accept: str
    ) -> Download:
        assert max_bytes
        assert "application/atom+xml" in accept
        self.requests.append((url, dict(headers)))
        if self.error:
            error, self.error = self.error, None
            raise error
        permanent_url = self.permanent_url or url
        if self.unchanged:
            return Download(url, 304, b"", self.headers, permanent_url)
        items = "".join(
            f"<item><guid>{n}</guid><title>Tide {n}</title>{self.format_date(n)}<description>"
            f"The whole text of post number {n}</description></item>"
            for n in range(self.count)
        )
        body = f'<rss version="2.0"><channel>{items}{self.more}</channel></rss>'.encode()
        return Download(url, 200, body, self.headers, permanent_url)


class Newsletter:
    """A project that checks one feed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = FakeDownloader()
        self.now = NOW
        self.waits: list[float] = []
        self.url = URL

    def check(self, *, written: int = 99) -> FeedCheck:
        seen = SeenPosts.load(self.folder)
        clock = FetchClock(self.now, self.waits.append)
        check = check_feed(self.url, seen, self.server, SETTINGS, clock)
        record_seen(seen, check, check.posts.new[:written])
        return check


@pytest.fixture
def newsletter(tmp_path: Path) -> Newsletter:
    return Newsletter(tmp_path)


def titles(check: FeedCheck) -> list[str]:
    return [post.title for post in check.posts.new]


def test_new_posts_are_found_once(newsletter: Newsletter) -> None:
    assert titles(newsletter.check()) == []
    newsletter.server.count = 4
    assert titles(newsletter.check()) == ["Tide 2", "Tide 3"]
    assert titles(newsletter.check()) == []


def test_secret_of_a_url_is_requested_and_never_stored(newsletter: Newsletter) -> None:
    newsletter.url = f"{URL}?tag=sea&api_key=s3cret"
    newsletter.check()
    newsletter.server.count = 3
    newsletter.server.permanent_url = "https://new.example/feed?token=s3cret"
    assert titles(newsletter.check()) == ["Tide 2"]
    assert newsletter.check().remarks == ()
    newsletter.url = f"{URL}?tag=sea&api_key=an0ther"
    newsletter.server.count = 4
    check = newsletter.check()
    assert titles(check) == ["Tide 3"]
    assert check.after.url == f"{URL}?tag=sea&api_key=***"
    # Nor validators, which may be those of the same URL with another secret.
    assert newsletter.server.requests[-2:] == [
        (f"{URL}?tag=sea&api_key=s3cret", {}),
        (newsletter.url, {}),
    ]
    stored = (newsletter.folder / SEEN_POSTS_FILE_NAME).read_text()
    assert not any(secret in stored for secret in ("s3cret", "an0ther"))
    newsletter.server.error = DownloadError("gone", kind="gone")
    with pytest.raises(PostError, match=r"api_key=\*\*\* is gone"):
        newsletter.check()


def test_feed_at_another_address_goes_on_where_the_old_one_ended(newsletter: Newsletter) -> None:
    newsletter.check()
    newsletter.url = NEW_URL
    newsletter.server.dates[2] = NOW
    newsletter.server.count = 4  # the fourth has no date
    check = newsletter.check(written=0)
    assert titles(check) == ["Tide 2"]
    (remark,) = check.remarks
    assert f"has the posts of {URL}, which was checked on 2026-11-30" in remark
    assert titles(newsletter.check()) == ["Tide 2"]
    check = newsletter.check()
    assert (titles(check), check.remarks, check.before.url) == ([], (), NEW_URL)


def test_post_that_cannot_be_read_is_told_once_and_then_noted(newsletter: Newsletter) -> None:
    empty = "<item><title>Empty</title></item>"
    newsletter.check()
    newsletter.server.more = empty
    assert [post.title for post in newsletter.check().posts.unreadable] == ["Empty"]
    check = newsletter.check()
    assert (check.posts.unreadable, check.remarks) == (
        (),
        ("1 post in the feed still can't be read: 'Empty'",),
    )
    newsletter.server.more = empty.replace("Empty", "Blank") + empty
    assert [post.title for post in newsletter.check().posts.unreadable] == ["Blank"]
    newsletter.server.more = empty * 2
    assert len(newsletter.check().posts.unreadable) == 1
    newsletter.server.more = ""
    assert newsletter.check().remarks == ()
    newsletter.server.more = empty
    assert len(newsletter.check().posts.unreadable) == 1


def test_post_whose_issue_was_not_written_is_new_again(newsletter: Newsletter) -> None:
    newsletter.check()
    newsletter.server.count = 4
    assert titles(newsletter.check(written=1)) == ["Tide 2", "Tide 3"]
    assert titles(newsletter.check()) == ["Tide 3"]
    # Not even a server that says that nothing has changed hides it.
    assert newsletter.server.requests[-1] == (URL, {})


def test_post_whose_page_was_fetched_is_recorded_as_it_is_in_the_feed(
    newsletter: Newsletter,
) -> None:
    newsletter.check()
    newsletter.server.count = 3
    seen = SeenPosts.load(newsletter.folder)
    check = check_feed(
        URL, seen, newsletter.server, SETTINGS, FetchClock(NOW, newsletter.waits.append)
    )
    (post,) = check.posts.new
    whole = SourcePost(title=post.title, content="<p>The page</p>", post_id=post.post_id)
    record_seen(seen, check, [whole])
    assert titles(newsletter.check()) == []


def test_validators_are_sent_verbatim_and_only_on_the_same_day(newsletter: Newsletter) -> None:
    newsletter.check()
    newsletter.server.unchanged = True
    check = newsletter.check()
    assert check.feed is None
    sent = {"If-None-Match": 'W/"a-1"', "If-Modified-Since": "Mon, 30 Nov 2026 09:00:00 GMT"}
    newsletter.now += datetime.timedelta(days=1)
    newsletter.server.unchanged = False
    newsletter.check()
    assert newsletter.server.requests == [(URL, {}), (URL, sent), (URL, {})]


def test_file_stays_the_same_if_nothing_is_new(newsletter: Newsletter) -> None:
    newsletter.check()
    path = newsletter.folder / SEEN_POSTS_FILE_NAME
    before = path.stat().st_mtime_ns
    newsletter.now += datetime.timedelta(hours=3)
    newsletter.check()
    assert path.stat().st_mtime_ns == before


def test_permanent_redirect_changes_the_url_at_its_second_sight(newsletter: Newsletter) -> None:
    server = newsletter.server
    server.permanent_url = NEW_URL
    assert newsletter.check().remarks == ()
    server.permanent_url = ""  # a mistake, which was corrected
    newsletter.check()
    server.permanent_url = NEW_URL
    assert newsletter.check().remarks == ()
    (remark,) = newsletter.check().remarks
    assert NEW_URL in remark
    newsletter.check()
    assert [url for url, _ in server.requests] == [URL] * 4 + [NEW_URL]


def test_url_in_the_settings_counts_again_if_the_new_one_is_dead(newsletter: Newsletter) -> None:
    newsletter.server.permanent_url = NEW_URL
    newsletter.check()
    newsletter.check()
    newsletter.server.permanent_url = ""
    newsletter.server.error = DownloadError("404", kind="dead", status=404)
    assert titles(newsletter.check()) == []
    assert [url for url, _ in newsletter.server.requests[2:]] == [NEW_URL, URL]


def test_feed_that_is_gone_is_not_requested_again(newsletter: Newsletter) -> None:
    newsletter.check()
    newsletter.server.error = DownloadError("410 Gone", kind="gone", status=410)
    for _ in range(2):
        with pytest.raises(PostError, match="is gone: on 2026-11-30") as caught:
            newsletter.check()
        assert "Remove it from newsletter.yml" in str(caught.value)
    assert len(newsletter.server.requests) == 2


@pytest.mark.parametrize(
    ("status", "seconds", "waits", "requests"),
    [(429, 60, [60], 2), (503, 0, [0], 2), (429, 61, [], 1), (503, None, [], 1), (500, 5, [], 1)],
)
def test_pause_of_a_minute_is_waited_for(
    newsletter: Newsletter,
    status: int,
    seconds: int | None,
    waits: list[int],
    requests: int,
) -> None:
    newsletter.server.error = DownloadError(
        "busy", kind="failing", status=status, retry_after=seconds
    )
    if waits:
        newsletter.check()
    else:
        with pytest.raises(DownloadError):
            newsletter.check()
    assert newsletter.waits == waits
    assert len(newsletter.server.requests) == requests


@pytest.mark.parametrize(
    ("seconds", "until"), [(7200, "2026-11-30 14:00"), (9**9, "2026-12-01 12")]
)
def test_longer_pause_is_kept_but_no_longer_than_a_day(
    newsletter: Newsletter, seconds: int, until: str
) -> None:
    newsletter.server.error = DownloadError(
        "429", kind="rate limited", status=429, retry_after=seconds
    )
    with pytest.raises(DownloadError):
        newsletter.check()
    newsletter.now += datetime.timedelta(hours=1)
    with pytest.raises(PostError, match=f"wants no request before {until}"):
        newsletter.check()
    assert len(newsletter.server.requests) == 1
    newsletter.now += datetime.timedelta(days=1)
    newsletter.check()
    assert "not_before" not in (newsletter.folder / SEEN_POSTS_FILE_NAME).read_text()


def test_flood_is_not_recorded_until_it_is_accepted(newsletter: Newsletter) -> None:
    newsletter.check()
    newsletter.server.count = 30
    for _ in range(2):
        check = newsletter.check(written=0)
        assert check.posts.flood is not None
        assert len(check.posts.flood.posts) == 28
    assert len(titles(newsletter.check())) == 28
    assert titles(newsletter.check()) == []
