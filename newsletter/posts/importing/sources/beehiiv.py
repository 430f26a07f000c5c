"""Read the posts of a beehiiv export: CSV with an email in a cell."""

import datetime
import html
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import lxml.html
from lxml.etree import LxmlError, strip_elements
from lxml.html import HtmlElement

from newsletter.errors import Location, PostError, Problem, display_path
from newsletter.posts.html.nesting_limit import check_nesting_depth
from newsletter.posts.html.normalize.marked_elements import describe_content
from newsletter.posts.html.title import is_empty_body
from newsletter.posts.importing.settings.dates import parse_zoned_date
from newsletter.posts.importing.settings.notes import SettingNote
from newsletter.posts.importing.source_post import (
    PostStatus,
    SourcePost,
    SourceSettings,
    UnreadablePost,
)
from newsletter.posts.importing.sources.blocks.replace_elements import (
    get_inner_html,
    get_outer_html,
)
from newsletter.posts.importing.sources.csv_rows import iter_csv_rows, read_csv_header
from newsletter.posts.importing.sources.export_folder import NO_TEXT
from newsletter.posts.removed_line import RemovedLine
from newsletter.zip_files import is_zip_file

_COLUMNS = frozenset({"id", "web_title", "content_html"})
_STATUSES: Mapping[str, PostStatus] = {
    "confirmed": "published",
    "published": "published",
    "archived": "private",
    "scheduled": "scheduled",
}
_CONTENT_ID = "content-blocks"
_LAYOUT_TAGS = ("table", "tbody", "thead", "tfoot", "tr", "td", "th")
_LAYOUT_ATTRIBUTES = (
    "align", "bgcolor", "border", "cellpadding", "cellspacing", "colspan", "height", "role",
    "rowspan", "valign", "width",
)  # fmt: skip


@dataclass(slots=True)
class BeehiivExport:
    """The posts of a beehiiv export."""

    path: Path
    settings: SourceSettings
    _others: dict[str, int] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """What it is."""
        return "beehiiv export"

    def iter_posts(self) -> Iterator[SourcePost | UnreadablePost]:
        """Yield its posts, in its order; the file is read row by row."""
        where = Location(display_path(self.path))
        with self.path.open("rb") as file:
            for row, damage in iter_csv_rows(file, where, _COLUMNS):
                title = _get_cell(row, "web_title") or _get_cell(row, "id") or "untitled"
                if damage:
                    yield UnreadablePost(title, Problem(damage, where, "Export the posts again."))
                    continue
                try:
                    yield self._make_post(row)
                except PostError as error:
                    yield UnreadablePost(title, error.problems[0]._replace(where=where))

    def list_other_items(self) -> Mapping[str, int]:
        """Return nothing: all rows are posts."""
        return self._others

    def _make_post(self, row: Mapping[str, str]) -> SourcePost:
        source = row["content_html"].strip()
        if len(source.encode(errors="replace")) > self.settings.max_post_bytes:
            raise PostError(
                f"the post has more than {self.settings.max_post_bytes:,} bytes",
                remedy="If that is expected, raise limits.post_bytes in newsletter.yml.",
            )
        content, removed = extract_mail_content(source)
        if is_empty_body(content):
            raise PostError(NO_TEXT)
        url = _get_cell(row, "url")
        url = url if url.startswith(("https://", "http://")) else ""
        thumbnail = _get_cell(row, "thumbnail_url")
        date = _get_cell(row, "publish_date") or _get_cell(row, "created_at")
        return SourcePost(
            title=_get_cell(row, "web_title"),
            content=content,
            original=source if content != source else "",
            post_id=_get_cell(row, "id"),
            url=url,
            slug=url.rstrip("/").rsplit("/", 1)[-1] if url else "",
            date=parse_zoned_date(date, datetime.UTC),
            status=_STATUSES.get(_get_cell(row, "status").lower(), "draft"),
            tags=tuple(filter(None, map(str.strip, _get_cell(row, "content_tags").split(";")))),
            summary=_get_cell(row, "web_subtitle"),
            subject=_get_cell(row, "email_subject_line"),
            preheader=_get_cell(row, "email_preview_text"),
            hero=thumbnail if thumbnail.startswith("https://") else "",
            removed=removed,
            notes=tuple(_list_beehiiv_notes(row)),
        )


def is_beehiiv_export(path: Path) -> bool:
    """Return whether a file begins with the columns of a beehiiv export.

    Raises:
        OSError: it can't be read.
    """
    if not path.is_file() or is_zip_file(path):
        return False
    with path.open("rb") as file:
        return read_csv_header(file) >= _COLUMNS


def open_beehiiv_export(path: Path, settings: SourceSettings) -> BeehiivExport:
    """Open the CSV file that beehiiv exports."""
    return BeehiivExport(path, settings)


def extract_mail_content(source: str) -> tuple[str, tuple[RemovedLine, ...]]:
    """Return the content of a mail made of nested tables, and what is around it.

    The cells of tables for the layout become blocks, one after the other.

    Raises:
        PostError: it can't be parsed, or nests too deeply.
    """
    if "<table" not in source.lower() and _CONTENT_ID not in source:
        return source, ()
    check_nesting_depth(source)
    parser = lxml.html.HTMLParser(no_network=True, huge_tree=False, remove_comments=True)
    try:
        root = lxml.html.document_fromstring(source, parser=parser)
    except (LxmlError, ValueError) as error:
        raise PostError(f"could not parse the HTML: {error}") from error
    body = root.find("body")
    body = root if body is None else body
    strip_elements(body, "style", "script", with_tail=False)
    content = next((part for part in body.iter() if _is_content(part)), body)
    data = {
        part for table in content.iter("table") if _is_data_table(table) for part in table.iter()
    }
    removed = tuple(_list_surroundings(body, content))
    layout: list[HtmlElement] = [part for part in content.iter(*_LAYOUT_TAGS) if part not in data]
    for part in layout:
        part.tag = "div"
        for name in _LAYOUT_ATTRIBUTES:
            part.attrib.pop(name, "")
        if "display" not in (part.get("style") or ""):  # else it may be hidden
            part.attrib.pop("style", "")
    blocks = set(layout)
    for part in layout:
        if part is not content and not part.attrib and _only_wraps(part, blocks):
            part.drop_tag()
    return get_inner_html(content).strip(), removed


def _is_content(element: HtmlElement) -> bool:
    return bool(element.get("id") == _CONTENT_ID)


def _only_wraps(element: HtmlElement, blocks: Collection[HtmlElement]) -> bool:
    """Return whether an element has nothing beside other blocks."""
    texts = (element.text, *(child.tail for child in element))
    has_text = any(text and text.strip() for text in texts)
    return not has_text and len(element) > 0 and all(child in blocks for child in element)


def _is_data_table(table: HtmlElement) -> bool:
    """Return whether a table is one of data: it has headings, or rows with several texts."""
    if next(table.iterdescendants("table"), None) is not None:
        return False
    if next(table.iter("th"), None) is not None:
        return True
    if next(table.iter("img"), None) is not None:
        return False
    rows = [
        [cell for cell in row.iter("td") if str(cell.text_content()).strip()]
        for row in table.iter("tr")
    ]
    return sum(len(row) > 1 for row in rows) > 1


def _list_surroundings(body: HtmlElement, content: HtmlElement) -> Iterator[RemovedLine]:
    """Yield what is in a mail beside its content: its header and its footer."""
    if content is body:
        return
    for ancestor in (content, *content.iterancestors()):
        if ancestor is body:
            return
        parts = (
            *((part, "header") for part in reversed(list(ancestor.itersiblings(preceding=True)))),
            *((part, "footer") for part in ancestor.itersiblings()),
        )
        for part, place in parts:
            if isinstance(part.tag, str) and (text := describe_content(get_outer_html(part))):
                yield RemovedLine(0, text, f"{place} of the email")


def _get_cell(row: Mapping[str, str], key: str) -> str:
    return " ".join(html.unescape(row.get(key, "")).split())


def _list_beehiiv_notes(row: Mapping[str, str]) -> Iterator[SettingNote]:
    audience = _get_cell(row, "audience").lower()
    if audience not in {"", "free", "both", "all"}:
        yield SettingNote("audience", f"'{audience[:40]}': in beehiiv it is not for everybody")
    thumbnail = _get_cell(row, "thumbnail_url")
    if thumbnail and not thumbnail.startswith("https://"):
        yield SettingNote("thumbnail_url", f"'{thumbnail[:80]}' has no host, so it is not taken")
