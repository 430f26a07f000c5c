"""Make the relative links of a post's HTML absolute."""

import re

from newsletter.posts.html.normalize.tags import Tag, format_start_tag, iter_html_tags
from newsletter.posts.importing.sources.feeds.url_identity import join_url

_URL_ATTRIBUTES = frozenset(
    "href src poster data cite longdesc background data-src data-lazy-src data-original".split()
)
_SOURCE_SETS = frozenset({"srcset", "data-srcset", "data-lazy-srcset"})
_CANDIDATE = re.compile(r"(\s*,?\s*)([^\s,]\S*[^\s,]|[^\s,])([^,]*)")
# Not relative: a scheme, a part of the same page.
_COMPLETE = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:|#|$)", re.IGNORECASE)
_MIGHT_BE_RELATIVE = re.compile(
    r"(?:href|src|srcset|poster|data|cite|longdesc|background|original)\s*=\s*"
    r"""(?!["']?\s*(?:[a-z][a-z0-9+.-]*:|\#))""",
    re.IGNORECASE,
)


def make_links_absolute(html: str, base: str) -> str:
    """Return HTML whose links and media have absolute URLs; everything else stays as it is.

    Links within the post (``#notes``) stay, too.
    """
    if not base or not (_MIGHT_BE_RELATIVE.search(html) or "srcset" in html):
        return html
    parts: list[str] = []
    position = 0
    for tag in iter_html_tags(html):
        if tag.is_end or not tag.attribute_text:
            continue
        attributes = tag.attributes
        changed = {
            name: absolute
            for name, value in attributes.items()
            if (absolute := _make_absolute(name, value, base)) != value
        }
        if changed:
            parts += (html[position : tag.start], _format_tag(tag, attributes | changed))
            position = tag.end
    return "".join((*parts, html[position:]))


def _format_tag(tag: Tag, attributes: dict[str, str]) -> str:
    attributes.pop("/", None)
    formatted = format_start_tag(tag.name, attributes)
    return f"{formatted[:-1]} />" if tag.is_self_closed else formatted


def _make_absolute(name: str, value: str, base: str) -> str:
    if name in _SOURCE_SETS:
        return _CANDIDATE.sub(
            lambda found: found[1] + _make_absolute("src", found[2], base) + found[3], value
        )
    if name not in _URL_ATTRIBUTES or _COMPLETE.match(value):
        return value
    return join_url(base, value)
