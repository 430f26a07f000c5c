"""Join URLs, and tell whether two of them are of the same image or site."""

import re
from urllib.parse import urljoin, urlsplit

from newsletter.posts.importing.post_identity import normalize_post_url

# The size in the file names of WordPress, and the host of its image service.
_IMAGE_SIZE = re.compile(r"(?:-\d{2,4}x\d{2,4}|-scaled)(?=\.\w{3,4}$)")
_IMAGE_SERVICE = re.compile(r"^i\d\.wp\.com/")


def fold_link(url: str) -> str:
    """Return what the spellings of one URL have in common; of a site's first page, too."""
    return normalize_post_url(url) or get_folded_host(url)


def fold_image_url(url: str) -> str:
    """Return what the URLs of one image in several sizes have in common."""
    folded = _IMAGE_SERVICE.sub("", fold_link(url).partition("?")[0])
    return _IMAGE_SIZE.sub("", folded)


def join_url(base: str, url: str) -> str:
    """Return ``url`` as an absolute URL; as it is where that can't be."""
    try:
        return urljoin(base, url.strip())
    except ValueError:  # http://[
        return url.strip()


def has_web_scheme(url: str) -> bool:
    """Return whether ``url`` is an absolute URL of the web."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme.lower() in {"http", "https"} and bool(parts.netloc)


def get_folded_host(url: str) -> str:
    """Return the host of a URL, without ``www.``; empty if it has none."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""
