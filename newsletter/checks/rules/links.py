"""Rules on links, without following them: empty, private, mismatched."""

import re
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from newsletter.checks.analysis.domain_names import find_shown_host, is_same_site, is_staging_host
from newsletter.checks.check_context import CheckContext, EmailLink
from newsletter.checks.rule import Match, Topic
from newsletter.render.article.dom import get_visible_text
from newsletter.render.article.links import find_anchor, get_host, is_same_address

rule = Topic("Links").rule

_SHORTENERS = frozenset(
    """
    bit.ly tinyurl.com t.co goo.gl ow.ly is.gd v.gd buff.ly rebrand.ly cutt.ly t.ly rb.gy
    shorturl.at lnkd.in tiny.cc s.id bl.ink dlvr.it
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".test", ".home.arpa", ".invalid")
_EMAIL_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]{2,}")
_PHONE_NUMBER = re.compile(r"\+?[\d().\s-]{3,}(?:;.*)?")
# What has a host, or stays in the email: all other links are relative to the post's page.
_ABSOLUTE_URL = re.compile(r"[a-z][a-z0-9+.-]*:|//|/|#|-nl", re.IGNORECASE)


@rule(
    "empty-link", "warning",
    meaning="What looks like a link in your source is plain text in the email, or does nothing.",
    remedy="Give it a URL, or remove the link.",
)  # fmt: skip
def empty_link(context: CheckContext) -> Iterator[Match]:
    """A link without a target: empty, or ``#`` alone."""
    for link in context.body_tree.iter("a"):
        href = link.get("href")
        if href is not None and not href.strip(" #"):
            text = get_visible_text(link)
            yield Match(
                f"the link '{text[:40]}' leads nowhere", context.source_map.locate_text(text), text
            )
    for found in context.links:
        if not found.url.strip(" #") or found.url.lower().startswith("javascript:"):
            message = f"the link '{found.text[:40]}' leads nowhere"
            yield Match(message, context.source_map.locate_text(found.text), found.text)


@rule(
    "relative-link", "hint",
    meaning="It was resolved against the address of your site, which may not be the page's own.",
    remedy="Write the full URL, or a path that begins with /, or set canonical_url: to the post's "
    "address on your site.",
)  # fmt: skip
def relative_link(context: CheckContext) -> Iterator[Match]:
    """A link whose target depends on the address of the post, which isn't known."""
    if context.issue.post.canonical_url:
        return
    for link in context.body_tree.iter("a"):
        href = (link.get("href") or "").strip()
        if href and not _ABSOLUTE_URL.match(href) and href not in context.issue.post.images:
            message = f"{href} was resolved against your own site"
            yield Match(message, context.source_map.locate_url(href), href)


@rule(
    "insecure-link", "warning",
    meaning="Others on the network can read and change the page; browsers warn about it.",
    remedy="Write https:// if the site supports it.",
)  # fmt: skip
def insecure_link(context: CheckContext) -> Iterator[Match]:
    """A link or an image with http://, which is not encrypted."""
    urls = [link.url for link in context.links] + [
        image.get("src") or "" for image in context.images
    ]
    for url in dict.fromkeys(urls):
        if (
            url.lower().startswith("http://")
            and not _is_own_host(context, url)
            and not is_private_url(url)
        ):
            yield Match(
                f"{url[:80]} is not encrypted",
                context.source_map.locate_url(url, "button", "further"),
                url,
            )


@rule(
    "private-link", "error",
    meaning="Nobody but you can open it.",
    remedy="Use the public URL.",
)  # fmt: skip
def private_link(context: CheckContext) -> Iterator[Match]:
    """A link or an image on this machine or in a private network.

    An address of the reader's own machine that the text shows, as instructions do, is none.
    """
    urls = [link.url for link in context.links if not _is_shown_loopback(link)] + [
        image.get("src") or "" for image in context.images
    ]
    for url in dict.fromkeys(urls):
        if is_private_url(url) and not _is_own_host(context, url):
            where = context.source_map.locate_url(url, "button", "further", "hero")
            yield Match(f"{url[:80]} is not publicly reachable", where, url)


@rule(
    "staging-link", "warning",
    meaning="Readers may get a password prompt, an old copy, or nothing at all.",
    remedy="Use the public URL.",
)  # fmt: skip
def staging_link(context: CheckContext) -> Iterator[Match]:
    """A link to a host that looks like a staging copy of a site."""
    for url in dict.fromkeys(link.url for link in context.links):
        if (
            url.lower().startswith("http")
            and is_staging_host(get_host(url), _get_own_hosts(context))
            and not _is_own_host(context, url)
        ):
            yield Match(
                f"{url[:80]} looks like a staging site", context.source_map.locate_url(url), url
            )


@rule(
    "bad-address", "warning",
    meaning="The mail client or the phone can't use it.",
    remedy="Write mailto:name@host or tel:+4712345678.",
)  # fmt: skip
def bad_address(context: CheckContext) -> Iterator[Match]:
    """A mailto: or tel: link without a valid address or number."""
    for url in dict.fromkeys(link.url for link in context.links):
        scheme, _, rest = url.partition(":")
        target = rest.partition("?")[0].replace("%20", " ").strip()
        pattern = {"mailto": _EMAIL_ADDRESS, "tel": _PHONE_NUMBER}.get(scheme.lower())
        if pattern is None or (scheme.lower() == "mailto" and not target and "?" in url):
            continue
        if not target and f'href="{url}"' not in context.email.html:
            continue  # a merge tag, which is empty for a reader without attributes
        parts = target.split(",") if pattern is _EMAIL_ADDRESS else [target]
        if not all(pattern.fullmatch(part.strip()) for part in parts):
            yield Match(
                f"{url[:80]} has no valid address or number",
                context.source_map.locate_url(url),
                url,
            )


@rule(
    "missing-anchor", "warning",
    meaning="The link opens a page outside the email, which may not have the anchor either.",
    remedy="Correct it, or give its target that id.",
)  # fmt: skip
def missing_anchor(context: CheckContext) -> Iterator[Match]:
    """A link to an anchor that isn't in the email."""
    anchors = {element.get(key) for element in context.tree.iter() for key in ("id", "name")}
    for link in context.body_tree.iter("a"):
        href = (link.get("href") or "").strip()
        fragment = href[1:] if href.startswith("#") else ""
        # The top of the document needs no anchor (HTML Standard), whatever the case of its name.
        is_named = fragment.strip("#") and fragment.lower() != "top"
        if is_named and not find_anchor(fragment, anchors):
            text = get_visible_text(link)
            yield Match(
                f"the post has no anchor {href}", context.source_map.locate_text(text), href
            )


@rule(
    "shortened-link", "warning",
    meaning="Readers can't see where it leads, and filters distrust it: spammers use it.",
    remedy="Use the URL that it leads to.",
)  # fmt: skip
def shortened_link(context: CheckContext) -> Iterator[Match]:
    """A link through a URL shortener."""
    for url in dict.fromkeys(link.url for link in context.links):
        if get_host(url) in _SHORTENERS:
            yield Match(
                f"{url[:80]} hides where it leads",
                context.source_map.locate_url(url, "button"),
                url,
            )


@rule(
    "mismatched-link", "warning",
    meaning="The link shows one URL and leads to another, as in phishing; filters look for that.",
    remedy="Make the link text the URL that it leads to, or not a URL.",
)  # fmt: skip
def mismatched_link(context: CheckContext) -> Iterator[Match]:
    """A link whose text is a URL of another site."""
    for link in context.links:
        if not link.url.lower().startswith("http") or is_same_address(link.text, link.url):
            continue
        text = link.text.strip()
        shown_host = find_shown_host(text, is_code=_is_code(link))
        if shown_host and not is_same_site(text, shown_host, link.url):
            message = f"'{text[:40]}' leads to {get_host(link.url)}"
            yield Match(message, context.source_map.locate_text(text), link.url)


@rule(
    "doubled-parameter", "warning",
    meaning="Your analytics, or the page itself, may use the wrong one.",
    remedy="Keep only one of them.",
)  # fmt: skip
def doubled_parameter(context: CheckContext) -> Iterator[Match]:
    """A link that has a tracking parameter twice, or two question marks."""
    for url in dict.fromkeys(link.url for link in context.links):
        query = url.partition("#")[0].partition("?")[2]
        names = Counter(name.casefold() for name, _ in _parse_parameters(query))
        doubled = [name for name, count in names.items() if count > 1 and name.startswith("utm_")]
        if doubled or "?utm_" in query:
            yield Match(
                f"{doubled[0] if doubled else '?'} is in the URL twice",
                context.source_map.locate_url(url),
                url,
            )


def _parse_parameters(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True, errors="replace")


def is_private_url(url: str) -> bool:
    """Return whether the URL alone shows that its host is not public."""
    if not url.lower().startswith("http"):
        return False
    try:
        name = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(_PRIVATE_SUFFIXES):
        return True
    try:
        return not ip_address(name).is_global
    except ValueError:
        return False


def _is_shown_loopback(link: EmailLink) -> bool:
    """Return whether a link shows as its text the URL of the reader's own machine."""
    try:
        name = urlsplit(link.url).hostname or ""
    except ValueError:
        return False
    if not is_same_address(link.text, link.url):
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _is_code(link: EmailLink) -> bool:
    code = [element for element in link.element.iter("code") if element is not link.element]
    in_code = next(link.element.iterancestors("code", "pre"), None) is not None
    return in_code or any(get_visible_text(element).strip() == link.text for element in code)


def _is_own_host(context: CheckContext, url: str) -> bool:
    """Return whether the host is in the newsletter's settings, which are checked elsewhere."""
    return get_host(url) in _get_own_hosts(context)


def _get_own_hosts(context: CheckContext) -> frozenset[str]:
    config = context.config
    own_urls = (config.site_url, config.public_url, config.issue_url, config.image_url)
    return frozenset(get_host(own_url) for own_url in own_urls if own_url)
