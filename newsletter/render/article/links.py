"""Where links and images point: absolute, published, and marked as coming from the mail."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urljoin, urlsplit

from newsletter.config import Config
from newsletter.config.urls import image_url, issue_url
from newsletter.posts.issue import Issue
from newsletter.posts.merge_tags.tags import TOKEN

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_WEB = ("http", "https")
_READERS_OWN = re.compile(r"-nl(?:unsubscribe|preferences)[htu]-")
_IGNORED = re.compile(r"[\t\n\r]")  # by browsers, inside URLs (URL Standard)


@dataclass(frozen=True, slots=True)
class Addresses:
    """What it takes to turn a URL of the post into one that works in a mail.

    Attributes:
        base: the absolute URL that relative ones are resolved against (RFC 3986).
        files: local image as the post writes it -> its published URL.
        own_hosts: the newsletter's own, lower case, without ``www.``.
        utm: parameters for links to them, in order.
    """

    base: str
    files: Mapping[str, str]
    own_hosts: frozenset[str]
    utm: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, issue: Issue, config: Config) -> "Addresses":
        """The addresses of one issue."""
        published = config.issue_url or config.public_url
        page = issue_url(config, issue.slug) if published else config.site_url.rstrip("/") + "/"
        utm = (
            ("utm_source", config.utm.source),
            ("utm_medium", config.utm.medium),
            ("utm_campaign", config.utm.campaign),
        )
        return cls(
            base=issue.post.canonical_url or page,
            files={
                written: image_url(config, issue.slug, image.name)
                for written, image in issue.post.images.items()
            },
            own_hosts=frozenset(host(url) for url in (config.site_url, config.public_url) if url),
            utm=tuple((name, value.replace("{slug}", issue.slug)) for name, value in utm if value),
        )

    def image(self, src: str) -> str | None:
        """Where an image can be fetched; ``None`` if a mail client can't fetch it."""
        url = self._absolute(src)
        return url if url and url.lower().startswith(("http:", "https:")) else None

    def link(self, href: str) -> str | None:
        """Where a link leads, with UTM parameters; ``None`` if nowhere that a mail may link to."""
        url = self._absolute(href)
        if url is None or _READERS_OWN.search(url):
            return url
        own = url.lower().startswith(("http:", "https:")) and host(url) in self.own_hosts
        return with_parameters(url, self.utm) if own else url

    def _absolute(self, written: str) -> str | None:
        url = _IGNORED.sub("", written.strip())
        if url in self.files:
            return self.files[url]
        if _READERS_OWN.match(url):
            return url
        try:
            if not _SCHEME.match(url):
                url = urljoin(self.base, url)
            parts = urlsplit(url)
        except ValueError:  # brackets that hold no IPv6 address
            return None
        usable = parts.netloc if parts.scheme in _WEB else parts.scheme in {"mailto", "tel"}
        return TOKEN.sub(_in_url, url) if usable else None


def with_parameters(url: str, parameters: tuple[tuple[str, str], ...]) -> str:
    """Add query parameters that ``url`` lacks; every other byte of it stays."""
    address, hash_, fragment = url.partition("#")
    path, _, query = address.partition("?")
    there = {unquote(part.partition("=")[0]).casefold() for part in query.split("&")}
    added = [f"{name}={quote(value, safe='')}" for name, value in parameters if name not in there]
    if not added:
        return url
    joint = "" if query.endswith("&") or not query else "&"
    return f"{path}?{query}{joint}{'&'.join(added)}{hash_}{fragment}"


def parameter(url: str, name: str) -> str:
    """The value of a query parameter, decoded; empty if there is none."""
    query = url.partition("#")[0].partition("?")[2]
    return parse_qs(query, errors="replace").get(name, [""])[0]


def same_address(text: str, url: str) -> bool:
    """Whether a link's words are its URL, give or take what was added to it or encoded in it."""
    plain = re.sub(r"(?<=[?&])utm_\w+=[^&#]*&?", "", url).rstrip("?&/")
    return text.strip().rstrip("/") in {plain, unquote(plain), re.sub("^(mailto|tel):", "", plain)}


def host(url: str) -> str:
    """The host as readers know it: lower case, without port and ``www.``; empty if none."""
    try:
        name = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return name.removeprefix("www.")


def _in_url(found: re.Match[str]) -> str:
    return found[0] if found["key"] in {"unsubscribe", "preferences"} else f"-nl{found['key']}u-"
