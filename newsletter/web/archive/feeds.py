"""The archive for programs: Atom (RFC 4287), JSON Feed 1.1, a sitemap, robots.txt (RFC 9309)."""

import datetime
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from lxml import etree

from newsletter.config import Config
from newsletter.config.urls import get_public_url
from newsletter.render.article.links import get_host
from newsletter.web.archive.archived_issue import Archived

MOST = 20
_ATOM = "http://www.w3.org/2005/Atom"
_XML = "http://www.w3.org/XML/1998/namespace"
_SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
_NEVER = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def entry_id(config: Config, issue: Archived) -> str:
    """A name that stays, wherever the page moves and whatever its title becomes (RFC 4151)."""
    return f"tag:{get_host(config.site_url)},{issue.name[:10]}:{quote(issue.slug)}"


def atom(config: Config, issues: Sequence[Archived]) -> bytes:
    """The latest issues, whole. ``issues`` are the listed ones, the latest first."""
    base = get_public_url(config)
    feed = etree.Element(f"{{{_ATOM}}}feed", nsmap=_plain(_ATOM))
    feed.set(f"{{{_XML}}}lang", config.language)
    _child(feed, "title", config.name)
    if config.description:
        _child(feed, "subtitle", config.description)
    _child(feed, "id", config.site_url)
    _child(feed, "updated", _time(issues[0].at if issues else _NEVER))
    _child(feed, "link", rel="self", type="application/atom+xml", href=f"{base}/feed.atom")
    _child(feed, "link", rel="alternate", type="text/html", href=f"{base}/")
    _child(_child(feed, "author"), "name", config.sender.name)
    for issue in issues[:MOST]:
        _entry(feed, config, issue, base)
    return _document(feed)


def json_feed(config: Config, issues: Sequence[Archived]) -> bytes:
    """The same as JSON Feed 1.1 (jsonfeed.org)."""
    base = get_public_url(config)
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": config.name,
        "home_page_url": f"{base}/",
        "feed_url": f"{base}/feed.json",
        **({"description": config.description} if config.description else {}),
        "language": config.language,
        "authors": [{"name": config.sender.name}],
        "items": [
            {
                "id": entry_id(config, issue),
                "url": issue.address,
                "title": issue.title,
                "summary": issue.summary,
                "content_html": issue.article(base),
                "date_published": _time(issue.at),
                "language": issue.lang,
                **({"authors": [{"name": author}]} if (author := issue.view.author_name) else {}),
                **({"tags": list(issue.view.tags)} if issue.view.tags else {}),
            }
            for issue in issues[:MOST]
        ],
    }
    return (json.dumps(feed, ensure_ascii=False, indent=1) + "\n").encode()


def sitemap(config: Config, issues: Sequence[Archived]) -> bytes:
    """Every listed page (sitemaps.org 0.9)."""
    urls = etree.Element(f"{{{_SITEMAP}}}urlset", nsmap=_plain(_SITEMAP))
    for address in (f"{get_public_url(config)}/", *(issue.address for issue in issues)):
        url = etree.SubElement(urls, f"{{{_SITEMAP}}}url")
        etree.SubElement(url, f"{{{_SITEMAP}}}loc").text = address
    return _document(urls)


def robots(config: Config) -> bytes:
    """Everybody may look; pages that are nobody's business say so themselves."""
    return f"User-agent: *\nAllow: /\n\nSitemap: {get_public_url(config)}/sitemap.xml\n".encode()


def _entry(feed: etree._Element, config: Config, issue: Archived, base: str) -> None:
    entry = _child(feed, "entry")
    if issue.lang != config.language:
        entry.set(f"{{{_XML}}}lang", issue.lang)
    _child(entry, "title", issue.title)
    _child(entry, "id", entry_id(config, issue))
    _child(entry, "published", _time(issue.at))
    _child(entry, "updated", _time(issue.at))
    _child(entry, "link", rel="alternate", type="text/html", href=issue.address)
    if issue.view.author_name:
        _child(_child(entry, "author"), "name", issue.view.author_name)
    for tag in issue.view.tags:
        _child(entry, "category", term=tag)
    _child(entry, "summary", issue.summary)
    _child(entry, "content", issue.article(base), type="html")


def _child(parent: etree._Element, tag: str, text: str = "", **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{_ATOM}}}{tag}", attributes)
    element.text = text or None
    return element


def _plain(namespace: str) -> Any:
    """The namespace of names without a prefix; lxml's stubs know of no ``None`` here."""
    return {None: namespace}


def _document(root: etree._Element) -> bytes:
    made: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True)
    return made


def _time(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
