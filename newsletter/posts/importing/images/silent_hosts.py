"""Stop asking hosts that don't respond for further images."""

from collections import Counter

from newsletter.errors import NewsletterError
from newsletter.fetch.download import DownloadError
from newsletter.posts.importing.images.fetch_images import ImageDownload

_MAX_FAILURES = 3  # in a row
_NO_RESPONSE = frozenset({"dead", "failing", "certificate", "too slow"})


def skip_silent_hosts(download: ImageDownload) -> ImageDownload:
    """Return a download that no longer asks a host that gave no response several times in a row.

    An archive has thousands of images, and the old blog's host may be gone: each would take as
    long as its timeout.
    """
    failures: Counter[str] = Counter()

    def download_unless_silent(url: str) -> bytes:
        host = url.partition("//")[2].partition("/")[0]
        if failures[host] >= _MAX_FAILURES:
            raise NewsletterError(
                f"did not fetch {url}: {host} had not responded to {_MAX_FAILURES} requests",
                remedy="Try again later.",
            )
        try:
            data = download(url)
        except DownloadError as error:
            is_silent = error.kind in _NO_RESPONSE and not error.status
            failures[host] = failures[host] + 1 if is_silent else 0
            raise
        failures[host] = 0
        return data

    return download_unless_silent
