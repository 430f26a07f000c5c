"""Read the posts of a Substack export: posts.csv and a file a post."""

import datetime
import html
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from newsletter.errors import Location, PostError, Problem, display_path
from newsletter.posts.html.title import is_empty_body
from newsletter.posts.importing.settings.dates import parse_zoned_date
from newsletter.posts.importing.settings.notes import SettingNote
from newsletter.posts.importing.source_post import SourcePost, SourceSettings, UnreadablePost
from newsletter.posts.importing.sources.blocks.format_blocks import format_player
from newsletter.posts.importing.sources.blocks.replace_elements import ElementReplacer
from newsletter.posts.importing.sources.csv_rows import decode_export, iter_csv_rows
from newsletter.posts.importing.sources.export_folder import (
    EMPTY_DRAFTS,
    NO_TEXT,
    ExportFolder,
    list_export_names,
    make_wrong_export_error,
    open_export_folder,
    strip_common_folder,
)
from newsletter.posts.importing.sources.substack_widgets import (
    SUBSTACK_WIDGETS,
    remove_note_numbers,
    rewrite_substack_widgets,
    unlink_pictures,
)

_TABLE = "posts.csv"
_COLUMNS = frozenset({"post_id", "title"})
_POST_FILE = re.compile(r"posts/(?P<id>\d+)(?:\.(?P<slug>[^/]*))?\.html", re.IGNORECASE)
_KINDS = {"newsletter": "post", "": "post"}
_NO_FILE = "the text of the post is not in the export"
_TRUE = frozenset({"true", "1", "yes"})


@dataclass(slots=True)
class SubstackExport:
    """The posts of a Substack export, a ZIP or the folder that it was unpacked to."""

    path: Path
    settings: SourceSettings
    _others: dict[str, int] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """What it is."""
        return "Substack export"

    def iter_posts(self) -> Iterator[SourcePost | UnreadablePost]:
        """Yield the posts in the order of posts.csv, then those that are not in it."""
        with open_export_folder(self.path, self.settings.max_post_bytes) as folder:
            names = strip_common_folder(folder.list_names())
            if _TABLE not in names:
                raise make_wrong_export_error(self.path, list(names), "Substack", _TABLE)
            self._others = _count_other_files(names, folder.count_ignored())
            files = {name: full for name, full in names.items() if _POST_FILE.fullmatch(name)}
            table = io.BytesIO(folder.read(names[_TABLE]))
            where = Location(f"{display_path(self.path)}/{_TABLE}")
            for row, damage in iter_csv_rows(table, where, _COLUMNS):
                name = f"posts/{row['post_id'].strip()}.html"
                full_name = files.pop(name, "")
                if damage:
                    problem = Problem(damage, where, "Export the posts again.")
                    yield UnreadablePost(_find_title(row), problem)
                    continue
                post = self._read_post(folder, row, name, full_name)
                if isinstance(post, UnreadablePost) and _is_empty_draft(row, post):
                    self._others[EMPTY_DRAFTS] = self._others.get(EMPTY_DRAFTS, 0) + 1
                else:
                    yield post
            for name, full_name in files.items():
                row = {"post_id": PurePosixPath(name).stem, "title": ""}
                yield self._read_post(folder, row, name, full_name)

    def list_other_items(self) -> Mapping[str, int]:
        """Return how many files are not posts; lists of subscribers are not read."""
        return self._others

    def _read_post(
        self, folder: ExportFolder, row: Mapping[str, str], name: str, full_name: str
    ) -> SourcePost | UnreadablePost:
        title = html.unescape(row["title"]).strip()
        where = Location(f"{display_path(self.path)}/{name}")
        if not full_name:
            return UnreadablePost(_find_title(row), Problem(_NO_FILE, where))
        try:
            return self._make_post(row, title, decode_export(folder.read(full_name)))
        except PostError as error:
            return UnreadablePost(title or name, error.problems[0]._replace(where=where))

    def _make_post(self, row: Mapping[str, str], title: str, source: str) -> SourcePost:
        post_id, _, slug = row["post_id"].strip().partition(".")
        kind = row.get("type", "").strip().lower()
        original = unlink_pictures(source)
        replacer = ElementReplacer(SUBSTACK_WIDGETS)
        content = rewrite_substack_widgets(original, replacer)
        original = remove_note_numbers(original)
        if podcast := row.get("podcast_url", "").strip():
            content = f"{format_player('audio', podcast, title)}\n{content}"
        if is_empty_body(content):
            raise PostError(NO_TEXT)
        return SourcePost(
            title=title,
            content=content,
            original=original if content != original else "",
            post_id=post_id,
            url=f"{self.settings.base_url}/p/{slug}" if self.settings.base_url and slug else "",
            slug=slug,
            date=parse_zoned_date(row.get("post_date", ""), datetime.UTC),
            status="published" if _is_published(row) else "draft",
            kind=_KINDS.get(kind, kind[:20]),
            summary=html.unescape(row.get("subtitle", "")).strip(),
            removed=tuple(replacer.removed),
            notes=tuple(_list_substack_notes(row, source)),
        )


def is_substack_export(path: Path) -> bool:
    """Return whether a ZIP or folder has the files of a Substack export.

    Raises:
        OSError: it can't be read.
    """
    names = strip_common_folder(list_export_names(path))
    return _TABLE in names and any(map(_POST_FILE.fullmatch, names))


def open_substack_export(path: Path, settings: SourceSettings) -> SubstackExport:
    """Open the ZIP that Substack exports, or the folder that it was unpacked to."""
    return SubstackExport(path, settings)


def _find_title(row: Mapping[str, str]) -> str:
    """Return what to call a post that can't be read."""
    return html.unescape(row["title"]).strip() or row["post_id"].strip() or "without a title"


def _is_empty_draft(row: Mapping[str, str], post: UnreadablePost) -> bool:
    return not _is_published(row) and post.problem.message in {_NO_FILE, NO_TEXT}


def _is_published(row: Mapping[str, str]) -> bool:
    return row.get("is_published", "true").strip().lower() in _TRUE


def _list_substack_notes(row: Mapping[str, str], source: str) -> Iterator[SettingNote]:
    audience = row.get("audience", "").strip()
    if audience not in {"", "everyone"}:
        yield SettingNote("audience", f"'{audience[:40]}': on Substack it is not for everybody")
    if "paywall-jump" in source:
        yield SettingNote("paywall", "what is below the paywall is in the issue, too")


def _count_other_files(names: Mapping[str, str], ignored: int) -> dict[str, int]:
    others = [name for name in names if name != _TABLE and not _POST_FILE.fullmatch(name)]
    lists = sum(name.lower().endswith(".csv") for name in others)
    counts = {"lists of subscribers": lists, "other files": len(others) - lists + ignored}
    return {kind: count for kind, count in counts.items() if count}
