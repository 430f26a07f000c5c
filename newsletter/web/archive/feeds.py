"""Build the Atom feed, the JSON feed, the sitemap and robots.txt.

Atom: RFC 4287; JSON Feed 1.1: jsonfeed.org; sitemap 0.9: sitemaps.org; robots.txt: RFC 9309.
"""

import datetime
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from lxml import etree

from newsletter.config import Config
from newsletter.config.urls import get_public_url
from newsletter.render.article.links import get_host
from newsletter.web.archive.archived_issue import ArchivedIssue

MAX_FEED_ENTRIES = 20
_ATOM = "http://www.w3.org/2005/Atom"
_XML = "http://www.w3.org/XML/1998/namespace"
_SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def make_entry_id(config: Config, issue: ArchivedIssue) -> str:
    """Return a tag URI (RFC 4151), an id that doesn't depend on the page's URL or title."""
    return f"tag:{get_host(config.site_url)},{issue.name[:10]}:{quote(issue.slug)}"


def build_atom_feed(config: Config, issues: Sequence[ArchivedIssue]) -> bytes:
    """Return an Atom feed of the latest issues in full.

    Args:
        config: the newsletter's settings.
        issues: the listed issues, the latest first.
    """
    base = get_public_url(config)
    feed = etree.Element(f"{{{_ATOM}}}feed", nsmap=_default_namespace(_ATOM))
    feed.set(f"{{{_XML}}}lang", config.language)
    _add_child(feed, "title", config.name)
    if config.description:
        _add_child(feed, "subtitle", config.description)
    _add_child(feed, "id", config.site_url)
    _add_child(feed, "updated", _format_time(issues[0].at if issues else _EPOCH))
    _add_child(feed, "link", rel="self", type="application/atom+xml", href=f"{base}/feed.atom")
    _add_child(feed, "link", rel="alternate", type="text/html", href=f"{base}/")
    _add_child(_add_child(feed, "author"), "name", config.sender.name)
    for issue in issues[:MAX_FEED_ENTRIES]:
        _add_entry(feed, config, issue, base)
    return _serialize_document(feed)


def build_json_feed(config: Config, issues: Sequence[ArchivedIssue]) -> bytes:
    """Return a JSON Feed (version 1.1, jsonfeed.org) of the same issues."""
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
                "id": make_entry_id(config, issue),
                "url": issue.address,
                "title": issue.title,
                "summary": issue.summary,
                "content_html": issue.html_with_base(base),
                "date_published": _format_time(issue.at),
                "language": issue.lang,
                **({"authors": [{"name": author}]} if (author := issue.view.author_name) else {}),
                **({"tags": list(issue.view.tags)} if issue.view.tags else {}),
            }
            for issue in issues[:MAX_FEED_ENTRIES]
        ],
    }
    return (json.dumps(feed, ensure_ascii=False, indent=1) + "\n").encode()


def build_sitemap(config: Config, issues: Sequence[ArchivedIssue]) -> bytes:
    """Return the URLs of all listed pages (sitemaps.org 0.9)."""
    urls = etree.Element(f"{{{_SITEMAP}}}urlset", nsmap=_default_namespace(_SITEMAP))
    for address in (f"{get_public_url(config)}/", *(issue.address for issue in issues)):
        url = etree.SubElement(urls, f"{{{_SITEMAP}}}url")
        etree.SubElement(url, f"{{{_SITEMAP}}}loc").text = address
    return _serialize_document(urls)


def build_robots_txt(config: Config) -> bytes:
    """Return a robots.txt that allows everything; private pages are marked ``noindex``."""
    return f"User-agent: *\nAllow: /\n\nSitemap: {get_public_url(config)}/sitemap.xml\n".encode()


def _add_entry(feed: etree._Element, config: Config, issue: ArchivedIssue, base: str) -> None:
    entry = _add_child(feed, "entry")
    if issue.lang != config.language:
        entry.set(f"{{{_XML}}}lang", issue.lang)
    _add_child(entry, "title", issue.title)
    _add_child(entry, "id", make_entry_id(config, issue))
    _add_child(entry, "published", _format_time(issue.at))
    _add_child(entry, "updated", _format_time(issue.at))
    _add_child(entry, "link", rel="alternate", type="text/html", href=issue.address)
    if issue.view.author_name:
        _add_child(_add_child(entry, "author"), "name", issue.view.author_name)
    for tag in issue.view.tags:
        _add_child(entry, "category", term=tag)
    _add_child(entry, "summary", issue.summary)
    _add_child(entry, "content", issue.html_with_base(base), type="html")


def _add_child(
    parent: etree._Element, tag: str, text: str = "", **attributes: str
) -> etree._Element:
    element = etree.SubElement(parent, f"{{{_ATOM}}}{tag}", attributes)
    element.text = text or None
    return element


def _default_namespace(namespace: str) -> Any:
    """Return the namespace of names without a prefix; lxml's stubs don't accept ``None`` here."""
    return {None: namespace}


def _serialize_document(root: etree._Element) -> bytes:
    xml: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True)
    return xml


def _format_time(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
