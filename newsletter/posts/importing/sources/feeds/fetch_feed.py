"""Request a feed: validators, redirects, 410 Gone, Retry-After."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from newsletter.errors import Location, PostError, display_path
from newsletter.fetch.download import Download, DownloadError
from newsletter.fetch.request_url import encode_url
from newsletter.posts.importing.sources.feeds.parse_feed import MAX_FEED_BYTES
from newsletter.posts.importing.sources.feeds.seen_posts import SeenPosts
from newsletter.posts.importing.sources.feeds.seen_records import SeenFeed
from newsletter.url_secrets import MASK, mask_url_secrets

FEED_TYPES = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/xml;q=0.9, "
    "text/xml;q=0.9, application/json;q=0.8, */*;q=0.5"
)
_MAX_WAIT = 60  # seconds
_MAX_PAUSE = datetime.timedelta(days=1)
_NOT_MODIFIED = 304
_PAUSE_STATUSES = frozenset({429, 503})


class FeedDownloader(Protocol):
    """What requests a feed: ``newsletter.fetch.download.Downloader``."""

    def download(
        self, url: str, *, max_bytes: int, headers: Mapping[str, str], accept: str
    ) -> Download:
        """Return the response.

        Raises:
            DownloadError: there is none that is of use.
        """
        ...


@dataclass(frozen=True, slots=True)
class FeedResponse:
    """What the server of a feed returned.

    Attributes:
        download: the response; ``None`` if nothing has changed since the last one.
        feed: what is known of the feed now; to be stored if the response is a feed.
        remarks: what the editor should know.
    """

    download: Download | None
    feed: SeenFeed
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FetchClock:
    """The time, and how to wait.

    Attributes:
        now: the time of the check, UTC.
        sleep: waits for so many seconds.
    """

    now: datetime.datetime
    sleep: Callable[[float], None]


def fetch_feed(
    url: str, seen: SeenPosts, downloader: FeedDownloader, clock: FetchClock
) -> FeedResponse:
    """Request a feed, unless it is gone or its server wants a pause.

    Validators are sent, as they were received, only on the day on which the whole feed was read:
    some servers answer with 304 whatever has changed, and that must not go on for longer.

    A permanent redirect is followed each time, and the URL replaced at its second sight: the first
    may be a mistake. If the new URL is gone one day, the one in the settings counts again. A URL
    that holds a secret is stored without it, so the one in the settings is always requested then.

    Args:
        url: the feed's URL as in the settings.
        seen: what was seen; saved if the feed is gone or its server wants a pause.
        downloader: sends the request.
        clock: the time.

    Raises:
        PostError: the feed is gone, or its server wants a pause.
        DownloadError: it can't be had for another reason.
    """
    feed = seen.get_feed(url)
    _refuse_gone(feed, seen)
    _refuse_early(feed, clock.now)
    requested_url = url if MASK in feed.url else feed.url
    try:
        download = _download(requested_url, feed, downloader, clock)
    except DownloadError as error:
        if error.kind in {"dead", "gone"} and requested_url != url:
            own_url = mask_url_secrets(url)
            seen.set_feed(replace(feed, url=own_url, etag="", modified="", moved_to=""))
            return fetch_feed(url, seen, downloader, clock)
        _remember(error, feed, seen, clock.now)
        raise
    feed = replace(feed, not_before="")
    remarks: tuple[str, ...] = ()
    new_url = mask_url_secrets(download.permanent_url)
    if download.permanent_url == encode_url(requested_url) or MASK in new_url:
        feed = replace(feed, moved_to="")
    elif new_url != feed.moved_to:
        feed = replace(feed, moved_to=new_url)
    else:
        feed = replace(feed, url=new_url, moved_to="")
        remarks = (f"the feed has moved to {feed.url}; change its URL in newsletter.yml",)
    if download.status == _NOT_MODIFIED:
        return FeedResponse(None, feed, remarks)
    feed = replace(
        feed,
        etag=download.headers.get("etag", ""),
        modified=download.headers.get("last-modified", ""),
        checked=clock.now.date().isoformat(),
    )
    return FeedResponse(download, feed, remarks)


def _download(url: str, feed: SeenFeed, downloader: FeedDownloader, clock: FetchClock) -> Download:
    """Request a feed; once more if its server wants a pause of at most a minute."""
    headers = {}
    # Feeds whose URLs differ only in a secret have one entry: the validators may be another's.
    if feed.checked == clock.now.date().isoformat() and MASK not in feed.url:
        validators = {"If-None-Match": feed.etag, "If-Modified-Since": feed.modified}
        headers = {name: value for name, value in validators.items() if value}
    for is_last in (False, True):
        try:
            return downloader.download(
                url, max_bytes=MAX_FEED_BYTES, headers=headers, accept=FEED_TYPES
            )
        except DownloadError as error:
            wait = error.retry_after if error.status in _PAUSE_STATUSES else None
            if is_last or wait is None or wait > _MAX_WAIT:
                raise
            clock.sleep(wait)
    raise AssertionError  # the last attempt returns or raises


def _remember(
    error: DownloadError, feed: SeenFeed, seen: SeenPosts, now: datetime.datetime
) -> None:
    """Store that a feed is gone, or until when its server wants no request.

    Raises:
        PostError: it is gone.
    """
    if error.kind == "gone":
        seen.set_feed(replace(feed, gone=now.date().isoformat()))
        seen.save()
        _refuse_gone(seen.get_feed(feed.url), seen)
    if error.status in _PAUSE_STATUSES and error.retry_after and error.retry_after > _MAX_WAIT:
        pause = min(datetime.timedelta(seconds=error.retry_after), _MAX_PAUSE)
        seen.set_feed(replace(feed, not_before=f"{now + pause:%Y-%m-%dT%H:%M:%SZ}"))
        seen.save()


def _refuse_gone(feed: SeenFeed, seen: SeenPosts) -> None:
    if feed.gone:
        raise PostError(
            f"the feed {feed.url} is gone: on {feed.gone} its server answered 410 Gone",
            remedy="Remove it from newsletter.yml. If it is back, delete "
            f'"gone": "{feed.gone}" from its line in {display_path(seen.path)}.',
        )


def _refuse_early(feed: SeenFeed, now: datetime.datetime) -> None:
    if feed.not_before and now < datetime.datetime.fromisoformat(feed.not_before):
        until = feed.not_before.replace("T", " ").removesuffix(":00Z").removesuffix("Z")
        raise PostError(
            f"the server of {feed.url} wants no request before {until} UTC",
            where=Location(feed.url),
            remedy="Try again then.",
        )
