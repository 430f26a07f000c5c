"""Resolve the URLs of links and images; add UTM parameters."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urljoin, urlsplit

import idna
from anyascii import anyascii

from newsletter.config import Config
from newsletter.config.urls import build_image_url, build_issue_url
from newsletter.posts.issue import Issue
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN
from newsletter.render.article.dom import Element, get_visible_text

_MAX_COMPARED_ANCHORS = 1_000
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_WEB_SCHEMES = ("http", "https")
_PERSONAL_LINK_TOKEN = re.compile(r"-nl(?:unsubscribe|preferences)[htu]-")
_IGNORED_CHARACTERS = re.compile(r"[\t\n\r]")  # browsers drop them inside URLs (URL Standard)


@dataclass(frozen=True, slots=True)
class UrlResolver:
    """Resolver of a post's URLs into URLs that work in an email.

    Attributes:
        base_url: the absolute URL that relative ones are resolved against (RFC 3986): of the
            post on the web, else of the newsletter's site, wherever the issue itself is published.
        page_url: the URL of a page with the article, for links to a place on it.
        image_urls: path of a local image, as written in the post -> its published URL.
        own_hosts: the newsletter's own hosts, lower case, without ``www.``.
        utm_parameters: query parameters for links to these hosts, in order.
    """

    base_url: str
    page_url: str
    image_urls: Mapping[str, str]
    own_hosts: frozenset[str]
    utm_parameters: tuple[tuple[str, str], ...]

    @classmethod
    def for_issue(cls, issue: Issue, config: Config) -> "UrlResolver":
        """Return the resolver for one issue."""
        site = config.site_url.rstrip("/") + "/"
        published = config.issue_url or config.public_url
        utm = (
            ("utm_source", config.utm.source),
            ("utm_medium", config.utm.medium),
            ("utm_campaign", config.utm.campaign),
        )
        return cls(
            base_url=issue.post.canonical_url or site,
            page_url=issue.post.canonical_url
            or (build_issue_url(config, issue.slug) if published else site),
            image_urls={
                path: build_image_url(config, issue.slug, image.name)
                for path, image in issue.post.images.items()
            },
            own_hosts=frozenset(
                get_host(url) for url in (config.site_url, config.public_url) if url
            ),
            utm_parameters=tuple(
                (name, value.replace("{slug}", issue.slug)) for name, value in utm if value
            ),
        )

    def resolve_image(self, src: str) -> str | None:
        """Return the URL of an image; ``None`` if a mail client can't fetch it."""
        url = self._resolve(src)
        return url if url and url.lower().startswith(("http:", "https:")) else None

    def resolve_link(self, href: str) -> str | None:
        """Return the URL of a link with UTM parameters; ``None`` if it can't be used in email."""
        url = self._resolve(href)
        if url is None or _PERSONAL_LINK_TOKEN.search(url):
            return url
        is_own = url.lower().startswith(("http:", "https:")) and get_host(url) in self.own_hosts
        return add_parameters(url, self.utm_parameters) if is_own else url

    def _resolve(self, source_url: str) -> str | None:
        url = _IGNORED_CHARACTERS.sub("", source_url.strip())
        if url in self.image_urls:
            return self.image_urls[url]
        if _PERSONAL_LINK_TOKEN.match(url):
            return url
        try:
            if not _SCHEME.match(url):
                url = urljoin(self.page_url if url.startswith("#") else self.base_url, url)
            parts = urlsplit(url)
        except ValueError:  # brackets without a valid IPv6 address
            return None
        usable = parts.netloc if parts.scheme in _WEB_SCHEMES else parts.scheme in {"mailto", "tel"}
        url = _encode_host(url, parts.netloc)
        return MERGE_TOKEN_PATTERN.sub(_to_url_token, url) if usable else None


def _encode_host(url: str, netloc: str) -> str:
    """Return a URL with the ASCII form of an international domain name (RFC 3986, 3.2.2).

    Not every mail client knows the name itself, or the percent-encoded form that lxml makes of it.
    """
    host = netloc.rpartition("@")[2].partition(":")[0]
    name = unquote(host)
    if name.isascii():
        return url
    try:
        encoded = idna.encode(name, uts46=True).decode()
    except idna.IDNAError:
        try:
            encoded = name.encode("idna").decode()  # IDNA 2003, which allows emoji
        except UnicodeError:
            return url
    return url.replace(netloc, netloc.replace(host, encoded), 1)


def add_parameters(url: str, parameters: tuple[tuple[str, str], ...]) -> str:
    """Add the query parameters that ``url`` lacks; every other byte of it stays."""
    address, hash_, fragment = url.partition("#")
    path, _, query = address.partition("?")
    present = {unquote(part.partition("=")[0]).casefold() for part in query.split("&")}
    added = [f"{name}={quote(value, safe='')}" for name, value in parameters if name not in present]
    if not added:
        return url
    separator = "" if query.endswith("&") or not query else "&"
    return f"{path}?{query}{separator}{'&'.join(added)}{hash_}{fragment}"


def get_parameter(url: str, name: str) -> str:
    """Return the value of a query parameter, decoded; empty if there is none."""
    query = url.partition("#")[0].partition("?")[2]
    return parse_qs(query, errors="replace").get(name, [""])[0]


def is_same_address(text: str, url: str) -> bool:
    """Return whether a link's text is its URL, apart from UTM parameters and encoding."""
    untracked = re.sub(r"(?<=[?&])utm_\w+=[^&#]*&?", "", url).rstrip("?&/")
    return text.strip().rstrip("/") in {
        untracked,
        unquote(untracked),
        re.sub("^(mailto|tel):", "", untracked),
    }


def spell_anchors(root: Element) -> dict[str, str]:
    """Return the ids of headings that are not ASCII, by their letters as other tools spell them.

    Zola makes ``crates-crab`` of "Crates 🦀", where GitHub leaves the emoji out.
    """
    spelled: dict[str, str] = {}
    for heading in root.iter("h1", "h2", "h3", "h4", "h5", "h6"):
        text, anchor = get_visible_text(heading), heading.get("id")
        if anchor and not text.isascii():
            named = "".join(map(_name_symbol, text))
            for spelling in (anyascii(text), anyascii(named), named):
                spelled.setdefault(_get_letters(spelling), anchor)
    return spelled


def _name_symbol(char: str) -> str:
    return f" {unicodedata.name(char, '')} " if unicodedata.category(char) == "So" else char


def find_anchor(
    name: str, anchors: Collection[str | None], spelled: Mapping[str, str] | None = None
) -> str:
    """Return the anchor that a link means; empty if there is none.

    It may be percent-encoded, in other case, with the prefix that GitHub gives its ids, or with the
    hyphens of another tool: Zola makes ``what-s-next`` of "What's next", GitHub ``whats-next``.

    Args:
        name: the fragment of the link, without ``#``.
        anchors: all ids and names.
        spelled: those of headings by their letters, as ``spell_anchors`` returns them.
    """
    plain = unquote(name)
    forms = (name, plain, plain.lower(), plain.lower().removeprefix("user-content-"))
    if found := next((form for form in forms if form in anchors), ""):
        return found
    if len(anchors) > _MAX_COMPARED_ANCHORS:
        return ""
    letters = _get_letters(plain)
    similar = [anchor for anchor in anchors if anchor and _get_letters(anchor) == letters]
    if letters and len(similar) == 1:
        return similar[0]
    return "" if similar else (spelled or {}).get(letters, "")


def _get_letters(anchor: str) -> str:
    return "".join(filter(str.isalnum, anchor)).casefold()


def get_host(url: str) -> str:
    """Return the host in lower case, without port and ``www.``; empty if there is none."""
    try:
        name = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return name.removeprefix("www.")


def _to_url_token(found: re.Match[str]) -> str:
    return found[0] if found["key"] in {"unsubscribe", "preferences"} else f"-nl{found['key']}u-"
