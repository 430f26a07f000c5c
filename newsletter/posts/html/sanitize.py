"""Sanitize HTML from any source so that it is safe in an email."""

import re
from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import urlsplit

import nh3

from newsletter.errors import Location, PostError
from newsletter.posts.html.nesting_limit import check_nesting_depth
from newsletter.posts.html.normalize.marked_elements import (
    LINE_ATTRIBUTE,
    REASON_ATTRIBUTE,
    remove_marked_elements,
)
from newsletter.posts.html.normalize.prepare import prepare_html
from newsletter.posts.html.normalize.svg_mathml import replace_svg_and_mathml
from newsletter.posts.html.safe_styles import sanitize_style
from newsletter.posts.removed_line import RemovedLine

_ALLOWED_TAGS = frozenset(
    """
    a abbr article aside audio b bdi bdo blockquote br caption cite code col colgroup dd del
    details dfn div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i iframe img ins kbd li mark ol
    p picture pre q rp rt ruby s samp section small source span strike strong sub summary sup table
    tbody td tfoot th thead time tr tt u ul var video wbr
    """.split()
)
_TAGS_DROPPED_WITH_CONTENT = frozenset(
    "script style svg math noscript template form textarea select".split()
)
_MARKS = {LINE_ATTRIBUTE, REASON_ATTRIBUTE}
_GLOBAL_ATTRIBUTES = {"class", "dir", "id", "lang", "style", "title", *_MARKS}
_SIZE_ATTRIBUTES = {"width", "height"}
_ALIGN_ATTRIBUTES = {"align", "valign"}
_ALLOWED_ATTRIBUTES = {
    "*": _GLOBAL_ATTRIBUTES,
    "a": {"href", "name"},
    "audio": {"src", "controls"},
    "blockquote": {"cite"},
    "col": {"span", "width", *_ALIGN_ATTRIBUTES},
    "colgroup": {"span", "width", *_ALIGN_ATTRIBUTES},
    "del": {"cite", "datetime"},
    "details": {"open"},
    "iframe": {"src", "poster", "data-href", *_SIZE_ATTRIBUTES},
    "img": {"src", "alt", "align", *_SIZE_ATTRIBUTES},
    "ins": {"cite", "datetime"},
    "li": {"value"},
    "ol": {"start", "type", "reversed"},
    "q": {"cite"},
    "source": {"src", "type"},
    "table": {"align", "border", "cellpadding", "cellspacing", "width"},
    "tbody": _ALIGN_ATTRIBUTES,
    "td": {"colspan", "rowspan", "headers", "nowrap", *_ALIGN_ATTRIBUTES, *_SIZE_ATTRIBUTES},
    "tfoot": _ALIGN_ATTRIBUTES,
    "th": {
        "colspan",
        "rowspan",
        "headers",
        "scope",
        "abbr",
        "nowrap",
        *_ALIGN_ATTRIBUTES,
        *_SIZE_ATTRIBUTES,
    },
    "thead": _ALIGN_ATTRIBUTES,
    "time": {"datetime"},
    "tr": _ALIGN_ATTRIBUTES,
    "ul": {"type"},
    "video": {"src", "poster", "controls", *_SIZE_ATTRIBUTES},
}
_URL_ATTRIBUTES = frozenset({"cite", "data-href", "href", "poster", "src"})
_ALLOWED_SCHEMES = {"http", "https", "mailto", "tel", "sms"}
_PRE_START = re.compile(r"(<pre(?:\s[^>]*)?>)\n")
# Invalid in XML, so later tools reject them; a character reference can still insert them.
_CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MAX_PASSES = 10


class SanitizedHtml(NamedTuple):
    """HTML that is safe in an email, and what was left out of it that readers might miss."""

    html: str
    removed: tuple[RemovedLine, ...] = ()


def sanitize_html(html: str) -> str:
    """Return the HTML of ``sanitize_article``, without the list of what was left out."""
    return sanitize_article(html).html


def sanitize_article(
    html: str, path: str | None = None, first_line: int = 1, *, keep: Collection[int] = ()
) -> SanitizedHtml:
    """Remove everything that an article doesn't need: scripts, forms, handlers, unsafe URLs.

    Hidden text is removed too; all removed text is listed. ``iframe``, ``video`` and ``audio``
    with a safe ``src`` are kept; rendering turns them into cards. SVG and MathML: see
    ``newsletter.posts.html.normalize.svg_mathml``. Relative URLs and tokens are not changed. The
    function is idempotent.

    Args:
        html: a fragment.
        path: its file, for messages.
        first_line: 1-based line of the source on which it begins.
        keep: lines of the source where no hidden text is removed.

    Raises:
        PostError: the HTML nests too deeply.
    """
    removed: tuple[RemovedLine, ...] = ()
    html = replace_svg_and_mathml(prepare_html(html, first_line, keep=keep))
    check_nesting_depth(html, path)
    # HTML without the dropped elements can parse differently (a link in a link): repeat until
    # nothing changes.
    for _ in range(_MAX_PASSES):
        cleaned = _PRE_START.sub(r"\1\n\n", _CONTROL_CHARACTERS.sub("", _CLEANER.clean(html)))
        cleaned, more = remove_marked_elements(cleaned)
        removed += more
        if cleaned == html:
            return SanitizedHtml(html, removed)
        html = cleaned
    raise PostError(
        "the HTML is too malformed to be sanitized",
        where=Location(path) if path else None,
        remedy="Close each element inside the element in which it was opened.",
    )


def _filter_attribute(tag: str, name: str, value: str) -> str | None:  # noqa: ARG001 - nh3's signature
    if name == "style":
        return sanitize_style(value)
    return value if name not in _URL_ATTRIBUTES or _is_parsable_url(value) else None


def _is_parsable_url(value: str) -> bool:
    try:
        urlsplit(value)
    except ValueError:  # brackets that don't contain an IPv6 address
        return False
    return True


_CLEANER = nh3.Cleaner(
    tags=_ALLOWED_TAGS,
    clean_content_tags=_TAGS_DROPPED_WITH_CONTENT,
    attributes=_ALLOWED_ATTRIBUTES,
    attribute_filter=_filter_attribute,
    link_rel=None,
    url_schemes=_ALLOWED_SCHEMES,
)
