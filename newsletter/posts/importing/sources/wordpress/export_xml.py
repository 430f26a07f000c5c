"""Parse the header and the items of a WordPress export."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from lxml import etree

from newsletter.posts.importing.sources.wordpress.export_text import ExportPart

MAX_TEXT_BYTES = 10_000_000  # of one text: libxml2's limit (XML_MAX_TEXT_LENGTH)
_DEFAULT_NAMESPACES = {
    "wp": "http://wordpress.org/export/1.2/",
    "excerpt": "http://wordpress.org/export/1.2/excerpt/",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "wfw": "http://wellformedweb.org/CommentAPI/",
    "dc": "http://purl.org/dc/elements/1.1/",
}
_EXPORT_NAMESPACE = re.compile(r"\{https?://wordpress\.org/export/")  # the version follows
_DECLARATION = re.compile(r"""\sxmlns:([\w.-]{1,40})\s{0,9}=\s{0,9}(["'])([^"'<>]{0,300})\2""")
_ROOT_TAG = re.compile(r"<rss(?:\s[^>]*)?>")
# Up to the last end tag: an article on exports may have some in its text.
_CONTENT = re.compile(r"(<content:encoded>)(.*)(</content:encoded>)", re.DOTALL)
_TITLE = re.compile(r"<title>\s*(?:<!\[CDATA\[)?(.{0,500}?)(?:\]\]>|</title>)", re.DOTALL)
_KEPT_META = frozenset(
    """
    _thumbnail_id _wp_attachment_image_alt _yoast_wpseo_metadesc rank_math_description
    _aioseop_description _aioseo_description footnotes
    """.split()
)


class ItemTerm(NamedTuple):
    """A category, a tag or another term of an item."""

    taxonomy: str
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class ExportItem:
    """A post, a page, an attachment or another item of an export.

    Attributes:
        fields: its elements with their text: ``wp:post_id``, ``content:encoded``, ``title``.
        line: 1-based line of the file on which it begins.
        content_line: line on which its content begins.
        terms: its categories, tags and other terms.
        meta: the custom fields that an import needs.
        comment_count: the number of its readers' comments.
        xml_errors: what is wrong in its XML, each with its line; empty for most.
    """

    fields: Mapping[str, str]
    line: int
    content_line: int
    terms: Sequence[ItemTerm] = ()
    meta: Mapping[str, str] = field(default_factory=dict)
    comment_count: int = 0
    xml_errors: Sequence[tuple[int, str]] = ()

    def get(self, name: str) -> str:
        """Return the text of an element without spaces around it; empty if it isn't there."""
        return self.fields.get(name, "").strip()


@dataclass(frozen=True, slots=True)
class ExportHeader:
    """What an export says before its items.

    Attributes:
        root_tag: the start tag of an ``<rss>`` that declares all prefixes of the items.
        fields: elements of the channel with their text.
        author_names: display names by login.
    """

    root_tag: str
    fields: Mapping[str, str]
    author_names: Mapping[str, str]


def parse_export_header(part: ExportPart) -> ExportHeader:
    """Parse the header; what is damaged in it is left out."""
    root_tag = _make_root_tag(part.text)
    body = _ROOT_TAG.sub("", part.text, count=1)
    end = "" if "</rss" in body else "</channel></rss>"
    root, _ = _parse_leniently(root_tag + body + end)
    fields: dict[str, str] = {}
    names: dict[str, str] = {}
    for element in root.iterfind("*/*") if root is not None else ():
        name = _get_name(element.tag)
        if name == "wp:author":
            author = {_get_name(child.tag): _get_text(child).strip() for child in element}
            names[author.get("wp:author_login", "")] = author.get("wp:author_display_name", "")
        elif name:
            fields.setdefault(name, _get_text(element).strip())
    return ExportHeader(root_tag, fields, names)


def parse_export_item(part: ExportPart, header: ExportHeader) -> ExportItem | None:
    """Parse an item; if its XML is damaged, as far as that goes.

    Returns:
        ``None`` if nothing can be read, or a text in it is larger than ``MAX_TEXT_BYTES``.
    """
    root, errors = _parse_leniently(f"{header.root_tag}{part.text}</rss>")
    element = root.find("item") if root is not None else None
    if element is None:
        return None
    fields: dict[str, str] = {}
    terms: list[ItemTerm] = []
    meta: dict[str, str] = {}
    comments, content_line = 0, part.line
    for child in element:
        name = _get_name(child.tag)
        if name == "category":
            slug = child.get("nicename") or ""
            terms.append(ItemTerm(child.get("domain") or "", slug, _get_text(child).strip()))
        elif name == "wp:postmeta":
            key = _find_text(child, "wp:meta_key").strip()
            if key in _KEPT_META:
                meta.setdefault(key, _find_text(child, "wp:meta_value"))
        elif name == "wp:comment":
            comments += 1
        elif name:
            fields.setdefault(name, _get_text(child))
            if name == "content:encoded":
                content_line = part.line + _get_line(child) - 1
    return ExportItem(
        fields,
        part.line,
        content_line,
        terms,
        meta,
        comments,
        [(part.line + line - 1, message) for line, message in errors],
    )


def find_item_title(part: ExportPart) -> str:
    """Return the title of an item that can't be parsed; empty if there is none."""
    found = _TITLE.search(part.text)
    return " ".join(html.unescape(found[1]).split()) if found else ""


def _make_root_tag(text: str) -> str:
    namespaces = {found[1]: found[3] for found in _DECLARATION.finditer(text[:50_000])}
    return "".join(
        (
            '<rss version="2.0"',
            *(
                f' xmlns:{prefix}="{uri}"'
                for prefix, uri in {**_DEFAULT_NAMESPACES, **namespaces}.items()
            ),
            ">",
        )
    )


def _parse_leniently(
    document: str,
) -> tuple[etree._Element | None, Sequence[tuple[int, str]]]:
    """Parse XML; if it is damaged, with its content quoted again, or else as far as that goes."""
    try:
        return etree.fromstring(document, _make_parser()), ()
    except etree.XMLSyntaxError:
        if len(document) > MAX_TEXT_BYTES:  # the limit, most likely; recovery would cut the text
            return None, ()
    document = _CONTENT.sub(_quote_content, document)
    try:
        return etree.fromstring(document, _make_parser()), ()
    except etree.XMLSyntaxError:
        parser = _make_parser(recover=True)
        root = etree.fromstring(document, parser)
        return root, [(error.line, error.message) for error in parser.error_log]


def _quote_content(found: re.Match[str]) -> str:
    """Quote the content in CDATA as WordPress does; other tools forget that it may hold its end."""
    content = found[2].strip()
    if not content.startswith("<![CDATA["):
        return found[0]
    content = content.removeprefix("<![CDATA[").removesuffix("]]>")
    content = content.replace("]]]]><![CDATA[>", "]]>").replace("]]>", "]]]]><![CDATA[>")
    return f"{found[1]}<![CDATA[{content}]]>{found[3]}"


def _make_parser(*, recover: bool = False) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, recover=recover
    )


@lru_cache(maxsize=500)
def _get_name(tag: object) -> str:
    """Return an element's name with the usual prefix; empty for comments."""
    if not isinstance(tag, str):
        return ""
    namespace, _, name = tag.rpartition("}")
    if _EXPORT_NAMESPACE.match(namespace):
        return f"excerpt:{name}" if namespace.rstrip("/").endswith("excerpt") else f"wp:{name}"
    prefixes = {f"{{{uri}": prefix for prefix, uri in _DEFAULT_NAMESPACES.items()}
    return f"{prefixes[namespace]}:{name}" if namespace in prefixes else name


def _get_line(element: etree._Element) -> int:
    line: Any = element.sourceline  # its stubs don't know its type
    return int(line or 1)


def _find_text(element: etree._Element, name: str) -> str:
    return next((_get_text(child) for child in element if _get_name(child.tag) == name), "")


def _get_text(element: etree._Element) -> str:
    """Return the text of an element, and tags in it as text: the content is HTML.

    They are there if a ``]]>`` in the content was not escaped, so that what follows is outside of
    CDATA.
    """
    return "".join((element.text or "", *_iter_markup(element)))


def _iter_markup(element: etree._Element) -> Iterator[str]:
    for child in element:
        markup = etree.tostring(child, encoding="unicode", method="html")
        yield _DECLARATION.sub("", markup)
