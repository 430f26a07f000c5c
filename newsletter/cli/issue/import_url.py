"""Import from the web: a page, or the posts of a feed."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from newsletter import __version__
from newsletter.cli.output import echo_err
from newsletter.errors import PostError

if TYPE_CHECKING:
    from newsletter.fetch.download import Download, Downloader
    from newsletter.posts.importing.source_post import PostCollection, SourceSettings
    from newsletter.project import Project

_URL = re.compile(r"https?://", re.IGNORECASE)
_FEED_TYPES = (
    "application/rss+xml, application/atom+xml, application/feed+json, text/html, */*;q=0.8"
)


def is_url(source: str) -> bool:
    """Return whether a source is the URL of a page or a feed."""
    return _URL.match(source) is not None


def make_downloader(project: "Project", url: str) -> "Downloader":
    """Return a downloader for what an editor has typed; of this machine only if it is typed."""
    from newsletter.fetch.download import Downloader
    from newsletter.fetch.request_url import is_loopback_url

    return Downloader(
        f"newsletter/{__version__} (import for {project.config.site_url})",
        allow_loopback=is_loopback_url(url),
    )
