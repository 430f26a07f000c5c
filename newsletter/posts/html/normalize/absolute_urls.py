"""Make the relative URLs of links and images in HTML absolute. Pure."""

import re
from urllib.parse import urljoin

from newsletter.posts.html.normalize.tags import (
    Tag,
    format_start_tag,
    iter_html_tags,
)
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN

_URL_ATTRIBUTES = frozenset("href src poster cite longdesc background data-href".split())
_LAZY_TAGS = frozenset({"img", "iframe", "video", "audio", "source", "amp-img", "amp-anim"})
_LAZY_ATTRIBUTES = frozenset({"data-original", "data-lazy", "data-echo"})  # and those with -src
_SOURCE_SETS = re.compile(r"(?:^|-)srcset$|^data-original-set$")
_CANDIDATE_URL = re.compile(r"(?P<before>(?:^|,)\s*)(?P<url>[^\s,]\S*)")
# Quick to look for: does an attribute that may hold a URL begin with something else than a scheme?
_MAY_BE_RELATIVE = re.compile(
    r"""(?:href|src|poster|cite|longdesc|background|data|original|lazy|echo)\s*=\s*
        (?!["']?\s*(?:[a-z][a-z0-9+.-]*:|\#)) | srcset | original-set""",
    re.IGNORECASE | re.VERBOSE,
)
_ABSOLUTE_URL = re.compile(r"[a-z][a-z0-9+.-]*:|#|\{\{", re.IGNORECASE)


def make_urls_absolute(text: str, page_url: str) -> str:
    """Return HTML in which each link and image of a page has an absolute URL.

    The page's ``<base>`` counts. A link to a place on the page (``#notes``) stays, and so does all
    else, letter by letter.

    Args:
        text: HTML, whole page or fragment.
        page_url: the page's own URL, absolute; if it is empty, all stays.
    """
    if not page_url or not _MAY_BE_RELATIVE.search(text):
        return text
    base_url = page_url
    parts: list[str] = []
    position = 0
    tags = [tag for tag in iter_html_tags(text) if tag.attribute_text and not tag.is_end]
    for tag in tags:
        if tag.name == "base" and "href" in tag.attributes:
            base_url = _join(page_url, tag.attributes["href"])
            break
    for tag in tags:
        attributes = tag.attributes
        changed = {
            name: value
            for name, old_value in attributes.items()
            if (value := _make_absolute(tag, name, old_value, base_url)) != old_value
        }
        if changed:
            slash = " /" if tag.is_self_closed else ""
            start_tag = format_start_tag(tag.name, {**attributes, **changed})
            parts += (text[position : tag.start], start_tag[:-1], slash, ">")
            position = tag.end
    return "".join((*parts, text[position:]))


def _make_absolute(tag: Tag, name: str, value: str, base_url: str) -> str:
    if _SOURCE_SETS.search(name):
        return _CANDIDATE_URL.sub(
            lambda found: found["before"] + _resolve(found["url"], base_url), value
        )
    is_lazy = name in _LAZY_ATTRIBUTES or (name.startswith("data-") and name.endswith("-src"))
    is_url = name in _URL_ATTRIBUTES or (tag.name == "object" and name == "data")
    return _resolve(value, base_url) if is_url or (is_lazy and tag.name in _LAZY_TAGS) else value


def _resolve(url: str, base_url: str) -> str:
    plain = url.strip()
    if not plain or _ABSOLUTE_URL.match(plain) or MERGE_TOKEN_PATTERN.match(plain):
        return url
    return _join(base_url, plain)


def _join(base_url: str, url: str) -> str:
    try:
        return urljoin(base_url, url.strip())
    except ValueError:  # brackets that don't contain an IPv6 address
        return url
