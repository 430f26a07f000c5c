"""Open a Ghost export, and make a post of each of its rows."""

import datetime
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import orjson

from newsletter.errors import Location, PostError, display_path
from newsletter.posts.html.normalize.marked_elements import get_text, list_urls
from newsletter.posts.html.title import is_empty_body
from newsletter.posts.importing.settings.dates import parse_zoned_date
from newsletter.posts.importing.settings.notes import SettingNote
from newsletter.posts.importing.source_post import (
    PostStatus,
    SourcePost,
    SourceSettings,
    UnreadablePost,
)
from newsletter.posts.importing.sources.export_folder import EMPTY_DRAFTS, NO_TEXT
from newsletter.posts.importing.sources.ghost.cards import (
    CardRenderer,
    get_string,
)
from newsletter.posts.importing.sources.ghost.html_cards import rewrite_html_cards
from newsletter.posts.importing.sources.ghost.lexical import render_lexical
from newsletter.posts.importing.sources.ghost.mobiledoc import render_mobiledoc
from newsletter.posts.importing.sources.ghost.read_tables import (
    GhostTables,
    Row,
    get_row_id,
    read_ghost_tables,
)

_SITE = "__GHOST_URL__"
_STATUSES: Mapping[str, PostStatus] = {
    "published": "published",
    "sent": "published",
    "draft": "draft",
    "scheduled": "scheduled",
}
_CONTENT_KEYS = ("html", "lexical", "mobiledoc")
# Content on the site's own server, as old versions name it; in attributes, also of escaped HTML.
_OWN_FILE = re.compile(r"""\\?["'(]/content/(?:images|media|files)/""")
_RELATIVE_URL = re.compile(
    r"""(?P<start>\s(?:src|href|poster)=["'])(?P<path>/(?!/)[^"'\s]*)""", re.IGNORECASE
)
_EMAIL_CARD = re.compile(r"""\\?"(?:type\\?"\s*:\s*\\?"|\s*)(?:email|email-cta)\\?\"""")


@dataclass(slots=True)
class GhostExport:
    """The posts and pages of a Ghost export.

    Attributes:
        path: the JSON file.
        tables: what was read of it.
        settings: the newsletter's settings.
        lacks_base_url: whether its posts can be listed only, as their images have no host.
    """

    path: Path
    tables: GhostTables
    settings: SourceSettings
    lacks_base_url: bool = False
    _others: dict[str, int] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """What it is."""
        newer = f" of a newer version ({self.tables.version})" if self.tables.is_newer else ""
        needed = ", to be imported with --base-url URL" if self.lacks_base_url else ""
        return f"Ghost export{newer}{needed}"

    def iter_posts(self) -> Iterator[SourcePost | UnreadablePost]:
        """Yield its posts and pages, in its order; drafts without text are only counted."""
        empty = sum(map(_is_empty_draft, self.tables.posts))
        self._others = {EMPTY_DRAFTS: empty} if empty else {}
        for number, row in enumerate(self.tables.posts, 1):
            if _is_empty_draft(row):
                continue
            try:
                yield self._make_post(row)
            except PostError as error:
                problem = error.problems[0]
                title = _get_line(row, "title") or _get_line(row, "slug") or f"post {number}"
                where = problem.where or Location(display_path(self.path))
                yield UnreadablePost(title, problem._replace(where=where))

    def list_other_items(self) -> Mapping[str, int]:
        """Return the count of drafts without text; whatever else is in the file is not read."""
        return self._others

    def _make_post(self, row: Row) -> SourcePost:
        post_id = get_row_id(row)
        meta = self.tables.metas.get(post_id, {})
        cards = CardRenderer()
        content, original = self._render_content(row, cards)
        for text in (content, original):
            if len(text.encode(errors="replace")) > self.settings.max_post_bytes:
                raise PostError(
                    f"the post has more than {self.settings.max_post_bytes:,} bytes",
                    remedy="If that is expected, raise limits.post_bytes in newsletter.yml.",
                )
        if is_empty_body(content):
            raise PostError(NO_TEXT)
        hero = self._resolve_url(_get_line(row, "feature_image") or _get_line(row, "image"))
        caption = _get_line(meta, "feature_image_caption") if hero else ""
        cards.list_removed(" ".join(list_urls(caption)), "link in the caption of the main image")
        slug = _get_line(row, "slug")
        return SourcePost(
            title=_get_line(row, "title"),
            content=content,
            original=original if original != content else "",
            post_id=_get_line(row, "uuid") or post_id,
            url=_get_line(row, "canonical_url")
            or _get_line(meta, "canonical_url")
            or self._build_url(slug),
            slug=slug,
            date=_get_date(row),
            status=_STATUSES.get(get_string(row, "status"), "draft"),
            kind="page" if row.get("type") == "page" or row.get("page") == 1 else "post",
            author=", ".join(self.tables.authors.get(post_id, ())),
            tags=self.tables.tags.get(post_id, ()),
            language=_get_line(row, "locale"),
            summary=_get_line(row, "custom_excerpt")
            or _get_line(meta, "meta_description")
            or _get_line(row, "meta_description"),
            subject=_get_line(meta, "email_subject"),
            hero=hero,
            hero_alt=_get_line(meta, "feature_image_alt"),
            hero_caption=get_text(caption),
            removed=tuple(cards.removed),
            notes=(*cards.notes, *_list_notes(row)),
        )

    def _render_content(self, row: Row, cards: CardRenderer) -> tuple[str, str]:
        """Return the content, and the HTML as the export has it; empty if it has none.

        Cards for emails only are not in the HTML, but in the editor's format.
        """
        source = get_string(row, "html")
        structured = get_string(row, "lexical") or get_string(row, "mobiledoc")
        has_email_card = bool(structured) and _EMAIL_CARD.search(structured) is not None
        if source.strip() and not has_email_card:
            return (
                self._resolve_urls(rewrite_html_cards(source, cards)),
                self._resolve_urls(source),
            )
        if not structured:
            return "", ""
        try:
            parsed = orjson.loads(structured)
        except orjson.JSONDecodeError:
            raise PostError("its text is damaged: it is not complete JSON") from None
        render = render_lexical if get_string(row, "lexical") else render_mobiledoc
        return self._resolve_urls(render(parsed, cards)), self._resolve_urls(source)

    def _resolve_urls(self, text: str) -> str:
        """Return HTML in which URLs of the site are absolute, if its URL is known."""
        base_url = self.settings.base_url
        if not base_url:
            return text
        text = text.replace(_SITE, html.escape(base_url))
        return _RELATIVE_URL.sub(
            lambda found: (
                found["start"] + html.escape(self._resolve_url(html.unescape(found["path"])))
            ),
            text,
        )

    def _resolve_url(self, url: str) -> str:
        base_url = self.settings.base_url
        if url.startswith(_SITE):
            return base_url + url.removeprefix(_SITE)
        if url.startswith("/content/"):
            return base_url + url
        try:
            return urljoin(f"{base_url}/", url) if base_url and url.startswith("/") else url
        except ValueError:  # brackets that don't contain an IPv6 address
            return url

    def _build_url(self, slug: str) -> str:
        """Return the URL of a post on a site with Ghost's own routes; empty if unknown."""
        known = self.settings.base_url and slug and not self.settings.permalink
        return f"{self.settings.base_url}/{slug}/" if known else ""


def open_ghost_export(path: Path, settings: SourceSettings) -> GhostExport:
    """Open the JSON file that Ghost exports.

    Raises:
        PostError: it is too large, damaged, not an export of Ghost; or to import it needs the
            site's URL, which is not in it.
        OSError: it can't be read.
    """
    tables = read_ghost_tables(path)
    count = 0 if settings.base_url else sum(map(_needs_base_url, tables.posts))
    if count and not settings.lists_only:
        raise PostError(
            f"images and links of {count:,} of its {len(tables.posts):,} posts have no host: a "
            "Ghost export doesn't hold the site's URL",
            where=Location(display_path(path)),
            remedy="Add it: --base-url https://blog.example.com",
        )
    return GhostExport(path, tables, settings, lacks_base_url=count > 0)


def _is_empty_draft(row: Row) -> bool:
    is_empty = not any(get_string(row, key).strip() for key in _CONTENT_KEYS)
    return is_empty and row.get("status") == "draft"


def _needs_base_url(row: Row) -> bool:
    texts = [get_string(row, key) for key in (*_CONTENT_KEYS, "feature_image", "image")]
    return any(
        _SITE in text or text.startswith("/content/") or _OWN_FILE.search(text) for text in texts
    )


def _get_line(row: Row, key: str) -> str:
    return " ".join(get_string(row, key).split())


def _get_date(row: Row) -> datetime.datetime | None:
    keys = ("published_at", "updated_at", "created_at")
    dates = (parse_zoned_date(row.get(key), datetime.UTC) for key in keys)
    return next(filter(None, dates), None)


def _list_notes(row: Row) -> Iterator[SettingNote]:
    visibility = get_string(row, "visibility")
    if visibility not in {"", "public"}:
        yield SettingNote("visibility", f"'{visibility[:40]}': on the site it is not for everybody")
    if get_string(row, "status") == "sent":
        yield SettingNote("status", "it was sent by email only, and is not on the site")
    if _get_line(row, "codeinjection_head") or _get_line(row, "codeinjection_foot"):
        yield SettingNote("codeinjection", "code for the site's page is left out")
