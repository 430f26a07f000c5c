"""Say what something is that was taken for a feed or a web page."""

import re
from typing import NamedTuple

from newsletter.errors import Location
from newsletter.posts.importing.sources.feeds.feed import NotAFeedError

WORDPRESS_EXPORT = "http://wordpress.org/export/"
HEAD_LENGTH = 4_000  # characters

_HTML_ROOT = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)


class _Kind(NamedTuple):
    """A kind of file, and what to do with one."""

    name: str
    remedy: str


_USE_PAGE = "Use the URL of the post's page or of the blog's feed."
_IMAGE = _Kind("an image", f"{_USE_PAGE} An image of an issue goes into the issue's folder.")
_MEDIA = _Kind("a recording", _USE_PAGE)
_DOCUMENT = _Kind(
    "a word processor's document",
    "Export it as HTML, Markdown or plain text, and import that file.",
)
_OFFICE_PARTS = (b"word/", b"mimetypeapplication/vnd.oasis", b"[Content_Types].xml")
_ZIP = _Kind(
    "a ZIP",
    "If it is an export of a blog, download it and import the file: newsletter import FILE.zip",
)
_KINDS_BY_SIGNATURE: tuple[tuple[re.Pattern[bytes], _Kind], ...] = tuple(
    (re.compile(pattern, re.DOTALL), kind)
    for pattern, kind in (
        (rb"%PDF-", _Kind("a PDF", f"{_USE_PAGE} Or copy its text into a file, and import that.")),
        (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|RIFF.{4}WEBP|.{4}ftypavi[fs]|BM.{4}\0{4}", _IMAGE),
        (rb"ID3|\xff[\xfb\xf3\xf2]|OggS|RIFF.{4}WAVE|fLaC|\x1aE\xdf\xa3|.{4}ftyp", _MEDIA),
        (rb"\xd0\xcf\x11\xe0|{\\rtf", _DOCUMENT),
        (
            rb"\x1f\x8b|7z\xbc\xaf|Rar!|BZh\d1AY&SY|\xfd7zXZ",
            _Kind("a compressed file", "Unpack it, and import what is in it."),
        ),
    )
)
_KINDS_BY_ROOT = {
    "svg": _IMAGE,
    "urlset": _Kind("a sitemap", _USE_PAGE),
    "sitemapindex": _Kind("a sitemap", _USE_PAGE),
}
_DOWNLOAD_IT = "If it is a post or an export of a blog, download it and import the file."


def refuse_binary_file(data: bytes, where: str) -> None:
    """Refuse a file that is no text, and say what it is.

    Args:
        data: the file.
        where: its URL or path, for messages.

    Raises:
        NotAFeedError: it is an image, a PDF, an archive or the like.
    """
    kind = next((kind for pattern, kind in _KINDS_BY_SIGNATURE if pattern.match(data)), None)
    if data.startswith(b"PK\x03\x04"):
        kind = _DOCUMENT if any(part in data[:HEAD_LENGTH] for part in _OFFICE_PARTS) else _ZIP
    if kind:
        raise _make_error(kind, where)


def describe_other_text(text: str, root_name: str, where: str) -> NotAFeedError:
    """Return the error for a text that is no feed; it has the page if it is HTML.

    Args:
        text: the text, without white space at its beginning.
        root_name: the name of its root element, lower case; empty if it is not XML.
        where: its URL or path, for messages.
    """
    if _HTML_ROOT.search(text[:HEAD_LENGTH]):
        error = NotAFeedError(
            "this is a web page, not a feed",
            where=Location(where),
            remedy="Use the address of the site's feed (RSS, Atom or JSON Feed).",
        )
        error.page = text
        return error
    if WORDPRESS_EXPORT in text[:HEAD_LENGTH]:
        return NotAFeedError(
            "this is an export of WordPress, not a feed",
            where=Location(where),
            remedy="Download it, and import the file: newsletter import FILE.xml",
        )
    if kind := _KINDS_BY_ROOT.get(root_name):
        return _make_error(kind, where)
    return NotAFeedError(
        "this is neither a web page nor a feed (RSS, Atom or JSON Feed)",
        where=Location(where),
        remedy=_DOWNLOAD_IT,
    )


def _make_error(kind: _Kind, where: str) -> NotAFeedError:
    return NotAFeedError(
        f"this is {kind.name}, not a web page or a feed", where=Location(where), remedy=kind.remedy
    )
