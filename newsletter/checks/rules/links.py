"""Rules on links, as far as they can be judged without following them."""

import re
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN
from newsletter.render.article.dom import get_visible_text
from newsletter.render.article.links import get_host, is_same_address

rule = Topic("Links").rule

_SHORTENERS = frozenset(
    """
    bit.ly tinyurl.com t.co goo.gl ow.ly is.gd v.gd buff.ly rebrand.ly cutt.ly t.ly rb.gy
    shorturl.at lnkd.in tiny.cc s.id bl.ink dlvr.it
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".test", ".home.arpa", ".invalid")
_STAGING_HOST = re.compile(
    r"(?:^|\.)(?:staging|stage|preprod|preview|uat|dev|test)\d*\."
    r"|\.(?:ngrok\.io|ngrok-free\.app|vercel\.app|netlify\.app|pages\.dev)$"
)
_EMAIL_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]{2,}")
_PHONE_NUMBER = re.compile(r"\+?[\d().\s-]{3,}(?:;.*)?")
_WEB_ADDRESS = re.compile(
    r"(?:https?://)?(?:[a-z0-9-]+\.)+(?P<top>[a-z]{2,})(?:[/:?#]\S*)?", re.IGNORECASE
)
# Last parts of names of things, which are no addresses: Node.js, ASP.net.
_FILE_SUFFIXES = frozenset({"js", "py", "md", "html", "css", "txt", "pdf", "net", "rs", "sh", "ts"})


@rule(
    "empty-link", "warning",
    meaning="What looks like a link in your source is mere text in the mail, or does nothing.",
    remedy="Say where it leads, or take the link away.",
)  # fmt: skip
def empty_link(context: CheckContext) -> Iterator[Match]:
    """A link to nowhere: empty, or ``#`` alone."""
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
    meaning="It leads to your own site, which may not be what you meant.",
    remedy="Write the whole address.",
)  # fmt: skip
def relative_link(context: CheckContext) -> Iterator[Match]:
    """A link without https:// and host."""
    for link in context.body_tree.iter("a"):
        href = (link.get("href") or "").strip()
        bare = not re.match(r"[a-z][a-z0-9+.-]*:|#|-nl", href, re.IGNORECASE)
        if href and bare and href not in context.issue.post.images:
            message = f"{href} was taken to be on your own site"
            yield Match(message, context.source_map.locate_url(href), href)


@rule(
    "insecure-link", "warning",
    meaning="Others on the way can read and change the page; browsers warn of it.",
    remedy="Write https:// if the site has it.",
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
    remedy="Put the public address there.",
)  # fmt: skip
def private_link(context: CheckContext) -> Iterator[Match]:
    """A link or an image on this machine or in a private network."""
    urls = [link.url for link in context.links] + [
        image.get("src") or "" for image in context.images
    ]
    for url in dict.fromkeys(urls):
        if is_private_url(url) and not _is_own_host(context, url):
            where = context.source_map.locate_url(url, "button", "further", "hero")
            yield Match(f"{url[:80]} can be reached from nowhere else", where, url)


@rule(
    "staging-link", "warning",
    meaning="Readers may meet a password, an old copy, or nothing at all.",
    remedy="Put the public address there.",
)  # fmt: skip
def staging_link(context: CheckContext) -> Iterator[Match]:
    """A link to a host that looks like a trial copy of a site."""
    for url in dict.fromkeys(link.url for link in context.links):
        if (
            url.startswith("http")
            and _STAGING_HOST.search(_get_web_host(url))
            and not _is_own_host(context, url)
        ):
            yield Match(
                f"{url[:80]} looks like a trial copy", context.source_map.locate_url(url), url
            )


@rule(
    "bad-address", "warning",
    meaning="The mail program or the phone can do nothing with it.",
    remedy="Write mailto:name@host or tel:+4712345678.",
)  # fmt: skip
def bad_address(context: CheckContext) -> Iterator[Match]:
    """A mailto: or tel: link that holds no address or number."""
    for url in dict.fromkeys(link.url for link in context.links):
        scheme, _, rest = url.partition(":")
        bare = rest.partition("?")[0].replace("%20", " ").strip()
        pattern = {"mailto": _EMAIL_ADDRESS, "tel": _PHONE_NUMBER}.get(scheme.lower())
        if (
            pattern is None
            or MERGE_TOKEN_PATTERN.search(url)
            or (scheme == "mailto" and not bare and "?" in url)
        ):
            continue
        parts = bare.split(",") if pattern is _EMAIL_ADDRESS else [bare]
        if not all(pattern.fullmatch(part.strip()) for part in parts):
            yield Match(f"{url[:80]} holds no address", context.source_map.locate_url(url), url)


@rule(
    "missing-anchor", "warning",
    meaning="The link leaves the mail, for a page that may not have the place either.",
    remedy="Correct it, or give the place that name.",
)  # fmt: skip
def missing_anchor(context: CheckContext) -> Iterator[Match]:
    """A link to a place in the mail that isn't there."""
    names = {one.get(key) for one in context.body_tree.iter() for key in ("id", "name")}
    for link in context.body_tree.iter("a"):
        href = (link.get("href") or "").strip()
        if href.startswith("#") and href.strip("#") and href[1:] not in names:
            text = get_visible_text(link)
            yield Match(
                f"{href} is nowhere in the post", context.source_map.locate_text(text), href
            )


@rule(
    "shortened-link", "warning",
    meaning="Readers can't see where it leads, and filters distrust it: spammers use it.",
    remedy="Put the address there that it leads to.",
)  # fmt: skip
def shortened_link(context: CheckContext) -> Iterator[Match]:
    """A link by a shortener of addresses."""
    for url in dict.fromkeys(link.url for link in context.links):
        if _get_web_host(url) in _SHORTENERS:
            yield Match(
                f"{url[:80]} hides where it leads",
                context.source_map.locate_url(url, "button"),
                url,
            )


@rule(
    "mismatched-link", "warning",
    meaning="The link says one address and leads to another: so does phishing, and filters know.",
    remedy="Let the words be the address, or no address at all.",
)  # fmt: skip
def mismatched_link(context: CheckContext) -> Iterator[Match]:
    """A link whose words are an address of another site."""
    for link in context.links:
        said = link.text.strip().rstrip(".,")
        found = _WEB_ADDRESS.fullmatch(said)
        if found is None or not link.url.startswith("http") or is_same_address(said, link.url):
            continue
        if "//" not in said and found["top"].lower() in _FILE_SUFFIXES:
            continue
        told = get_host(said if "//" in said else f"https://{said}")
        if not _are_related_hosts(told, get_host(link.url)):
            message = f"'{said[:40]}' leads to {get_host(link.url)}"
            yield Match(message, context.source_map.locate_text(said), link.url)


@rule(
    "doubled-parameter", "warning",
    meaning="Your statistics, or the page itself, may take the wrong one.",
    remedy="Leave one of them.",
)  # fmt: skip
def doubled_parameter(context: CheckContext) -> Iterator[Match]:
    """A link that has a tracking parameter twice, or two question marks."""
    for url in dict.fromkeys(link.url for link in context.links):
        query = url.partition("#")[0].partition("?")[2]
        names = Counter(name.casefold() for name, _ in _parse_parameters(query))
        twice = [name for name, count in names.items() if count > 1 and name.startswith("utm_")]
        if twice or "?utm_" in query:
            yield Match(
                f"{twice[0] if twice else '?'} is there twice",
                context.source_map.locate_url(url),
                url,
            )


def _parse_parameters(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True, errors="replace")


def _get_web_host(url: str) -> str:
    """As in the address; empty where there is none."""
    return get_host(url) if url.lower().startswith("http") else ""


def is_private_url(url: str) -> bool:
    """Whether the address says itself that it is in no public network."""
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


def _is_own_host(context: CheckContext, url: str) -> bool:
    """Whether it is on a host of the newsletter's settings, which are judged elsewhere."""
    config = context.config
    own = (config.site_url, config.public_url, config.issue_url, config.image_url)
    return get_host(url) in {get_host(one) for one in own if one}


def _are_related_hosts(first: str, second: str) -> bool:
    """Whether one host is the other or below it, or both are below one domain."""
    same = first.split(".")[-2:] == second.split(".")[-2:]
    return same or first.endswith(f".{second}") or second.endswith(f".{first}")
