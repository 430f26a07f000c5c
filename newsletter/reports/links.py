"""Extract the links of a sent issue and match clicks to them. Pure."""

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
        url: without campaign parameters; may contain substitution tokens.
        text: its text, or the alternative text of its image.
    """

    url: str
    text: str


def extract_issue_links(html: str, tags: Sequence[MergeTag]) -> tuple[IssueLink, ...]:
    """Return the links in an email, each URL once, in the order of their first occurrence.

    Personal links (unsubscribe, preferences) are not included: a click on them shows no interest in
    the issue's content.

    Args:
        html: the frozen email.
        tags: its merge tags; the links' texts have their default values.
    """
    if not html.strip():
        return ()
    texts: dict[str, str] = {}
    for element in lxml_html.document_fromstring(html).iter("a"):
        url = str(element.get("href", "")).strip()
        if not url.lower().startswith(("http:", "https:")) or _PERSONAL_TOKEN.search(url):
            continue
        url = strip_utm_parameters(url)
        texts[url] = texts.get(url) or _link_text(element)
    return tuple(IssueLink(url, fill_defaults(text, tags)) for url, text in texts.items())


def fill_defaults(text: str, tags: Sequence[MergeTag]) -> str:
    """Return ``text`` with the default values of its merge tags."""
    defaults = {tag.key: tag.default for tag in tags}
    return MERGE_TOKEN_PATTERN.sub(lambda token: defaults.get(token["key"], ""), text)


def strip_utm_parameters(url: str) -> str:
    """Return ``url`` without ``utm_`` parameters, scheme and host in lower case."""
    address, hash_, fragment = url.partition("#")
    address, _, query = address.partition("?")
    try:
        parts = urlsplit(address)
    except ValueError:  # brackets without an IPv6 address
        return url
    kept = "&".join(part for part in query.split("&") if part and not _UTM_PARAMETER.match(part))
    bare = f"{parts.scheme.lower()}://{parts.netloc.lower()}{parts.path or '/'}"
    return bare + (f"?{kept}" if kept else "") + hash_ + fragment


class LinkMatcher:
    """Matcher that finds the link of an issue to which a clicked URL belongs.

    Args:
        links: the links of the issue.
        personal_url_prefixes: prefixes of recipients' personal URLs: the unsubscribe and
            preferences pages.
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
        """Return whether ``url`` is a recipient's unsubscribe or preferences link."""
        return url.startswith(self._personal_url_prefixes)

    def match(self, url: str) -> str:
        """Return the ``url`` of the matching link, or ``""`` if the issue has no such link."""
        stripped = strip_utm_parameters(url)
        exact = self._exact_urls.get(stripped)
        if exact is not None:
            return exact
        return next((link for pattern, link in self._patterns if pattern.fullmatch(stripped)), "")


def _link_pattern(url: str) -> re.Pattern[str]:
    """Return a pattern for a link with merge tags, whose values are URL-encoded."""
    literals = MERGE_TOKEN_PATTERN.split(url)[:: MERGE_TOKEN_PATTERN.groups + 1]
    return re.compile("[^/?#&]*".join(map(re.escape, literals)))


def _link_text(element: lxml_html.HtmlElement) -> str:
    text = " ".join(str(element.text_content()).split())
    if text:
        return text
    return next((alt for image in element.iter("img") if (alt := str(image.get("alt", "")))), "")
