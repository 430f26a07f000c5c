"""Rules on links, without following them: empty, private, mismatched."""

import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote

from newsletter.checks.analysis.domain_names import find_shown_host, is_same_site, is_staging_host
from newsletter.checks.analysis.private_urls import is_company_url, is_private_url
from newsletter.checks.check_context import CheckContext, EmailLink
from newsletter.checks.rule import Match, Topic
from newsletter.checks.rules.content import is_sample_url
from newsletter.fetch.request_url import is_loopback_url
from newsletter.render.article.dom import get_visible_text
from newsletter.render.article.links import find_anchor, get_host, is_same_address, spell_anchors

rule = Topic("Links").rule

_SHORTENERS = frozenset(
    """
    bit.ly tinyurl.com t.co goo.gl ow.ly is.gd v.gd buff.ly rebrand.ly cutt.ly t.ly rb.gy
    shorturl.at lnkd.in tiny.cc s.id bl.ink dlvr.it
    """.split()
)
_EMAIL_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]{2,}")
# With pauses (RFC 3601: p, w; phones take commas), and the keys * and #.
_PHONE_NUMBER = re.compile(r"(?=\D*\d)\+?[\d().\s*#,pw-]{3,}(?:;.*)?")
_BROKEN_URL = re.compile(
    r"(?>(?:%20)+)(?:www\.|https?:)|www\.[\w-]+\.\w|https?(?:[;:]?//?https?[:/]|://(?:https?[:/]|/|[^/?#]*,)"
    r"|;/|//|:(?!//))",
    re.IGNORECASE,
)
# What has a host, or stays in the email: all other links are relative to the post's page.
_ABSOLUTE_URL = re.compile(r"[a-z][a-z0-9+.-]*:|//|/|#|-nl", re.IGNORECASE)


@rule(
    "empty-link",
    "warning",
    meaning="What looks like a link in your source is plain text in the email, or does nothing.",
    remedy="Give it a URL, or remove the link.",
)
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
    "broken-url",
    "warning",
    meaning="The link leads to a page that doesn't exist, or is plain text in the email.",
    remedy="Write the full URL, as in https://harbournotes.example/spring.",
)
def broken_url(context: CheckContext) -> Iterator[Match]:
    """A link that is meant as a web address, but isn't one: www.… alone, https//…, two schemes."""
    for link in context.body_tree.iter("a"):
        href = (link.get("href") or "").strip()
        if is_broken_url(href):
            yield Match(
                f"{href[:80]} is not a URL that works", context.source_map.locate_url(href), href
            )


@rule(
    "relative-link",
    "hint",
    meaning="It was resolved against the address of your site, which may not be the page's own.",
    remedy="Write the full URL, or a path that begins with /, or set canonical_url: to the post's "
    "address on your site.",
)
def relative_link(context: CheckContext) -> Iterator[Match]:
    """A link whose target depends on the address of the post, which isn't known."""
    if context.issue.post.canonical_url:
        return
    for link in context.body_tree.iter("a"):
        href = (link.get("href") or "").strip()
        is_relative = href and not _ABSOLUTE_URL.match(href) and not is_broken_url(href)
        if is_relative and href not in context.issue.post.images:
            message = f"{href} was resolved against your own site"
            yield Match(message, context.source_map.locate_url(href), href)


@rule(
    "insecure-link",
    "warning",
    meaning="Others on the network can read and change the page; browsers warn about it.",
    remedy="Write https:// if the site supports it.",
)
def insecure_link(context: CheckContext) -> Iterator[Match]:
    """A link or an image with http://, which is not encrypted."""
    links = (link.url for link in context.links if not (link.shows_url and is_sample_url(link.url)))
    images = (image.get("src") or "" for image in context.images)
    for url in dict.fromkeys((*links, *images)):
        if (
            url.lower().startswith("http://")
            and not _is_own_host(context, url)
            and not is_private_url(url)
        ):
            yield Match(
                f"{url[:80]} is not encrypted",
                context.source_map.locate_url(url, "button", "further", "digest"),
                url,
            )


@rule(
    "private-link",
    "error",
    meaning="Nobody but you can open it.",
    remedy="Use the public URL.",
)
def private_link(context: CheckContext) -> Iterator[Match]:
    """A link or an image on this machine or in a private network.

    An address of a reader's own machine or network that the text shows, as instructions do, is
    none.
    """
    urls = [link.url for link in context.links if not _is_shown_instruction(link)] + [
        image.get("src") or "" for image in context.images
    ]
    for url in dict.fromkeys(urls):
        if is_private_url(url) and not _is_own_host(context, url):
            where = context.source_map.locate_url(url, "button", "further", "digest", "hero")
            yield Match(f"{url[:80]} is not publicly reachable", where, url)


@rule(
    "private-address",
    "warning",
    meaning="It opens only for readers who have such a machine in their own network.",
    remedy="Use the public URL; if it is an instruction, write it in `code`.",
)
def private_address(context: CheckContext) -> Iterator[Match]:
    """The address of a private network, shown as it is: a router's, for instance."""
    for link in context.links:
        if (
            _is_shown_instruction(link)
            and not is_loopback_url(link.url)
            and not _is_own_host(context, link.url)
        ):
            where = context.source_map.locate_url(link.url)
            yield Match(f"{link.url[:80]} is an address in a private network", where, link.url)


@rule(
    "staging-link",
    "warning",
    meaning="Readers may get a password prompt, an old copy, or nothing at all.",
    remedy="Use the public URL.",
)
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
    "bad-address",
    "warning",
    meaning="The mail client or the phone can't use it.",
    remedy="Write mailto:name@host or tel:+4712345678.",
)
def bad_address(context: CheckContext) -> Iterator[Match]:
    """A mailto: or tel: link without a valid address or number."""
    for url in dict.fromkeys(link.url for link in context.links):
        scheme, _, rest = url.partition(":")
        target = unquote(rest.partition("?")[0]).strip()
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
    "missing-anchor",
    "warning",
    meaning="The link opens a page outside the email, which may not have the anchor either.",
    remedy="Correct it, or give its target that id.",
)
def missing_anchor(context: CheckContext) -> Iterator[Match]:
    """A link to an anchor that isn't in the email."""
    anchors = {element.get(key) for element in context.tree.iter() for key in ("id", "name")}
    spelled = spell_anchors(context.tree)
    for link in context.body_tree.iter("a"):
        href = (link.get("href") or "").strip()
        fragment = href[1:] if href.startswith("#") else ""
        # The top of the document needs no anchor (HTML Standard), whatever the case of its name.
        is_named = fragment.strip("#") and fragment.lower() != "top"
        if is_named and not find_anchor(fragment, anchors, spelled):
            text = get_visible_text(link)
            yield Match(
                f"the post has no anchor {href}", context.source_map.locate_text(text), href
            )


@rule(
    "shortened-link",
    "warning",
    meaning="Readers can't see where it leads, and filters distrust it: spammers use it.",
    remedy="Use the URL that it leads to.",
)
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
    "mismatched-link",
    "warning",
    meaning="The link shows one URL and leads to another, as in phishing; filters look for that.",
    remedy="Make the link text the URL that it leads to, or not a URL.",
)
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
    "doubled-parameter",
    "warning",
    meaning="Your analytics, or the page itself, may use the wrong one.",
    remedy="Keep only one of them.",
)
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


def is_broken_url(url: str) -> bool:
    """Return whether a URL is meant as a web address, but isn't one."""
    return bool(_BROKEN_URL.match(url))


def _parse_parameters(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True, errors="replace")


def _is_shown_instruction(link: EmailLink) -> bool:
    """Return whether a link shows as its text a URL of the reader's own machine or network."""
    return link.shows_url and is_private_url(link.url) and not is_company_url(link.url)


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
