"""Read the emails of a Buttondown export: a table, and a file an email."""

import datetime
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import orjson

from newsletter.errors import Location, PostError, Problem, display_path
from newsletter.posts.html.title import is_empty_body
from newsletter.posts.importing.settings.dates import parse_zoned_date
from newsletter.posts.importing.settings.notes import SettingNote
from newsletter.posts.importing.settings.split_foreign import split_foreign_front_matter
from newsletter.posts.importing.source_post import (
    PostStatus,
    SourcePost,
    SourceSettings,
    UnreadablePost,
)
from newsletter.posts.importing.sources.csv_rows import (
    CsvRow,
    decode_export,
    iter_csv_rows,
)
from newsletter.posts.importing.sources.export_folder import (
    ExportFolder,
    list_export_names,
    make_wrong_export_error,
    open_export_folder,
    strip_common_folder,
)

_TABLES = ("emails.csv", "emails.json")
_COLUMNS = frozenset({"subject", "slug"})
_EMAIL_FILE = re.compile(r"emails/(?P<slug>[^/]+)\.(?:md|html|txt)", re.IGNORECASE)
_EDITOR_MODE = re.compile(r"\s*<!--\s*buttondown-editor-mode:\s*(?P<mode>\w+)\s*-->\s*")
_STATUSES: Mapping[str, PostStatus] = {
    **dict.fromkeys(("sent", "imported", "published", "in_flight", "resending"), "published"),
    **dict.fromkeys(("scheduled", "about_to_send"), "scheduled"),
}
_PUBLIC_TYPES = frozenset({"", "public", "archival"})


@dataclass(slots=True)
class ButtondownExport:
    """The emails of a Buttondown export, a ZIP or the folder that it was unpacked to."""

    path: Path
    settings: SourceSettings
    _others: dict[str, int] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """What it is."""
        return "Buttondown export"

    def iter_posts(self) -> Iterator[SourcePost | UnreadablePost]:
        """Yield the emails in the order of the table, then those that are not in it."""
        with open_export_folder(self.path, self.settings.max_post_bytes) as folder:
            names = strip_common_folder(folder.list_names())
            table = next((name for name in _TABLES if name in names), "")
            if not table:
                raise make_wrong_export_error(self.path, list(names), "Buttondown", _TABLES[0])
            files = {
                found["slug"]: name for name in names if (found := _EMAIL_FILE.fullmatch(name))
            }
            others = len(names) - len(files) - sum(name in names for name in _TABLES)
            others += folder.count_ignored()
            self._others = {"other files": others} if others else {}
            where = Location(f"{display_path(self.path)}/{table}")
            rows = _iter_rows(folder.read(names[table]), where, is_csv=table == _TABLES[0])
            for row, damage in rows:
                name = files.pop(row["slug"].strip(), "")
                if damage:
                    problem = Problem(damage, where, "Export the emails again.")
                    yield UnreadablePost(_find_title(row), problem)
                    continue
                yield self._read_email(folder, row, name, names.get(name, ""))
            for slug, name in files.items():
                yield self._read_email(folder, {"slug": slug}, name, names[name])

    def list_other_items(self) -> Mapping[str, int]:
        """Return how many files are not emails."""
        return self._others

    def _read_email(
        self, folder: ExportFolder, row: Mapping[str, str], name: str, full_name: str
    ) -> SourcePost | UnreadablePost:
        slug = row.get("slug", "").strip()
        title = _find_title(row)
        where = Location(f"{display_path(self.path)}/{name or f'emails/{slug}.md'}")
        if not full_name:
            problem = Problem("the text of the email is not in the export", where)
            return UnreadablePost(title, problem)
        try:
            text = decode_export(folder.read(full_name))
            return self._make_post(row, text, str(where), PurePosixPath(name).suffix.lower())
        except PostError as error:
            return UnreadablePost(title, error.problems[0]._replace(where=where))

    def _make_post(self, row: Mapping[str, str], text: str, path: str, suffix: str) -> SourcePost:
        front_matter = split_foreign_front_matter(text, path).front_matter
        own = {key: value for key, value in row.items() if value.strip()}
        values = {**{k: str(v) for k, v in front_matter.data.items() if v is not None}, **own}
        mode = _EDITOR_MODE.match(front_matter.body)
        content = front_matter.body[mode.end() :] if mode else front_matter.body
        is_html = suffix == ".html" or (mode is not None and mode["mode"] == "fancy")
        content_format: Literal["html", "md"] = "html" if is_html else "md"
        if is_empty_body(content):
            raise PostError("the email has no text")
        slug = values.get("slug", "").strip()
        date = parse_zoned_date(values.get("publish_date", ""), datetime.UTC)
        return SourcePost(
            title=values.get("subject", "").strip(),
            content=content,
            content_format=content_format,
            post_id=values.get("id", "").strip() or slug,
            url=_get_url(values, "canonical_url", "absolute_url") or self._build_url(slug),
            slug=slug,
            date=date,
            status=_get_status(values, has_date=date is not None),
            summary=values.get("description", "").strip(),
            subject=values.get("subject", "").strip(),
            hero=_get_url(values, "image"),
            notes=tuple(_list_notes(values)),
        )

    def _build_url(self, slug: str) -> str:
        return f"{self.settings.base_url}/archive/{slug}/" if self.settings.base_url else ""


def is_buttondown_export(path: Path) -> bool:
    """Return whether a ZIP or folder has the files of a Buttondown export.

    Raises:
        OSError: it can't be read.
    """
    names = strip_common_folder(list_export_names(path))
    return any(map(names.__contains__, _TABLES)) and any(map(_EMAIL_FILE.fullmatch, names))


def open_buttondown_export(path: Path, settings: SourceSettings) -> ButtondownExport:
    """Open the ZIP that Buttondown exports, or the folder that it was unpacked to."""
    return ButtondownExport(path, settings)


def _iter_rows(content: bytes, where: Location, *, is_csv: bool) -> Iterator[CsvRow]:
    if is_csv:
        yield from iter_csv_rows(io.BytesIO(content), where, _COLUMNS)
        return
    try:
        rows = orjson.loads(decode_export(content))
    except orjson.JSONDecodeError:
        raise PostError("the table of emails is damaged", where=where) from None
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            yield CsvRow({"slug": "", **{key: _get_cell(value) for key, value in row.items()}})


def _find_title(row: Mapping[str, str]) -> str:
    """Return what to call an email that can't be read."""
    return row.get("subject", "").strip() or row.get("slug", "").strip() or "without a subject"


def _get_cell(value: Any) -> str:
    return str(value) if isinstance(value, str | int | float) else ""


def _get_url(values: Mapping[str, str], *keys: str) -> str:
    urls = (values.get(key, "").strip() for key in keys)
    return next((url for url in urls if url.startswith(("https://", "http://"))), "")


def _get_status(values: Mapping[str, str], *, has_date: bool) -> PostStatus:
    status = values.get("status", "").strip().lower()
    if not status:
        return "published" if has_date else "draft"
    return _STATUSES.get(status, "draft")


def _list_notes(values: Mapping[str, str]) -> Iterator[SettingNote]:
    kind = values.get("email_type", "").strip()
    if kind not in _PUBLIC_TYPES:
        yield SettingNote("email_type", f"'{kind[:40]}': in Buttondown it is not for everybody")
