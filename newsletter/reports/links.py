"""The links of an issue as it was sent, in its order, and which of them a click followed. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from lxml import html as lxml_html

from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN, MergeTag

_PERSONAL_TOKEN = re.compile(r"-nl(?:unsubscribe|preferences)[htu]-")
_UTM_PARAMETER = re.compile(r"(?i)utm_[a-z0-9_]*=")


class IssueLink(NamedTuple):
    """One link of an issue.

    Attributes:
        url: without campaign parameters; tokens of merge tags in it.
        text: what it says, or its picture's alternative text.
    """

    url: str
    text: str


def extract_issue_links(html: str, tags: Sequence[MergeTag]) -> tuple[IssueLink, ...]:
    """Where an email leads, each address once, where it first stands.

    A reader's own links (to leave, to preferences) are not among them: they say nothing about
    what the issue was read for.

    Args:
        html: the email as it was frozen.
        tags: its merge tags; a link's words are shown with their defaults.
    """
    if not html.strip():
        return ()
    found: dict[str, str] = {}
    for element in lxml_html.document_fromstring(html).iter("a"):
        url = str(element.get("href", "")).strip()
        if not url.lower().startswith(("http:", "https:")) or _PERSONAL_TOKEN.search(url):
            continue
        url = strip_utm_parameters(url)
        found[url] = found.get(url) or _link_text(element)
    return tuple(IssueLink(url, fill_defaults(text, tags)) for url, text in found.items())


def fill_defaults(text: str, tags: Sequence[MergeTag]) -> str:
    """``text`` as a reader without own values got it."""
    known = {tag.key: tag.default for tag in tags}
    return MERGE_TOKEN_PATTERN.sub(lambda token: known.get(token["key"], ""), text)


def strip_utm_parameters(url: str) -> str:
    """``url`` without ``utm_`` parameters, scheme and host in lower case."""
    address, hash_, fragment = url.partition("#")
    address, _, query = address.partition("?")
    try:
        parts = urlsplit(address)
    except ValueError:  # brackets that hold no IPv6 address
        return url
    kept = "&".join(part for part in query.split("&") if part and not _UTM_PARAMETER.match(part))
    bare = f"{parts.scheme.lower()}://{parts.netloc.lower()}{parts.path or '/'}"
    return bare + (f"?{kept}" if kept else "") + hash_ + fragment


class LinkMatcher:
    """Tells which link of an issue an address belongs to.

    Args:
        links: of the issue.
        personal_url_prefixes: the beginnings of readers' own addresses: the pages to leave and to
            choose.
    """

    def __init__(self, links: Iterable[IssueLink], personal_url_prefixes: tuple[str, ...]) -> None:
        urls = [link.url for link in links]
        self._personal_url_prefixes = personal_url_prefixes
        self._exact_urls: Mapping[str, str] = {
            url: url for url in urls if not MERGE_TOKEN_PATTERN.search(url)
        }
        self._patterns = [
            (_link_pattern(url), url) for url in urls if MERGE_TOKEN_PATTERN.search(url)
        ]

    def is_personal(self, url: str) -> bool:
        """Whether it is a reader's way out or to their preferences."""
        return url.startswith(self._personal_url_prefixes)

    def match(self, url: str) -> str:
        """The link's ``url``; empty if the issue has no such link."""
        bare = strip_utm_parameters(url)
        whole = self._exact_urls.get(bare)
        if whole is not None:
            return whole
        return next((link for pattern, link in self._patterns if pattern.fullmatch(bare)), "")


def _link_pattern(url: str) -> re.Pattern[str]:
    """What a link with merge tags looks like when they are filled in: values are encoded."""
    fixed = MERGE_TOKEN_PATTERN.split(url)[:: MERGE_TOKEN_PATTERN.groups + 1]
    return re.compile("[^/?#&]*".join(map(re.escape, fixed)))


def _link_text(element: lxml_html.HtmlElement) -> str:
    text = " ".join(str(element.text_content()).split())
    if text:
        return text
    return next((alt for image in element.iter("img") if (alt := str(image.get("alt", "")))), "")
