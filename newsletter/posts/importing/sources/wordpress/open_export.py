"""Open a WordPress export: one or several files, or a ZIP of them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import BinaryIO

from newsletter.errors import Location, PostError, Problem
from newsletter.posts.importing.settings.notes import DAMAGE_NOTE, SettingNote, clip_value
from newsletter.posts.importing.source_post import SourcePost, SourceSettings, UnreadablePost
from newsletter.posts.importing.sources.wordpress.export_index import ExportIndex, build_index
from newsletter.posts.importing.sources.wordpress.export_text import (
    ExportFile,
    ExportPart,
    is_wordpress_export,
    iter_export_parts,
)
from newsletter.posts.importing.sources.wordpress.export_xml import (
    MAX_TEXT_BYTES,
    ExportHeader,
    ExportItem,
    find_item_title,
    parse_export_header,
    parse_export_item,
)
from newsletter.posts.importing.sources.wordpress.make_post import find_other_kind, make_post
from newsletter.posts.importing.sources.zip_guard import ZipFolder, open_zip
from newsletter.wording import format_count
from newsletter.zip_files import is_zip_file

_HEAD_BYTES = 65_536
# A ZIP is read piece by piece, like a file; this only stops bombs.
_MAX_ZIP_BYTES = 4_000_000_000
# Readers' comments and other fields may be several times as large as the post.
_ITEM_SIZE_FACTOR = 2
_KNOWN_VERSIONS = frozenset({"", "1.0", "1.1", "1.2"})


def is_wordpress_zip(folder: ZipFolder) -> bool:
    """Return whether a ZIP holds an export of WordPress."""
    return any(True for _ in _iter_zip_names(folder))


def open_wordpress_export(paths: Sequence[Path], settings: SourceSettings) -> "WordPressExport":
    """Open an export of WordPress (WXR).

    Args:
        paths: its files, or ZIPs of them.
        settings: the newsletter's settings.

    Raises:
        PostError: a ZIP is unsafe, or holds no export.
        OSError: a file can't be read.
    """
    files: list[ExportFile] = []
    other_count = 0
    for path in paths:
        if is_zip_file(path):
            in_zip, others = _list_zip(path)
            files += in_zip
            other_count += others
        else:
            files.append(ExportFile(str(path), partial(_open_file, path)))
    return WordPressExport(files, settings, other_count)


class WordPressExport:
    """An export of WordPress, of one or several files that refer to each other.

    Args:
        files: its files.
        settings: the newsletter's settings.
        other_count: how many other files are in a ZIP with them.
    """

    def __init__(
        self, files: Sequence[ExportFile], settings: SourceSettings, other_count: int = 0
    ) -> None:
        self._files = files
        self._other_count = other_count
        self._settings = settings
        self._max_item_characters = _ITEM_SIZE_FACTOR * max(settings.max_post_bytes, 1_000_000)
        self._other_items: Counter[str] = Counter()

    @cached_property
    def _index(self) -> ExportIndex:
        return build_index(self._files, self._max_item_characters)

    @cached_property
    def _versions(self) -> set[str]:
        parts = (next(iter_export_parts(file, self._max_item_characters)) for file in self._files)
        return {parse_export_header(part).fields.get("wp:wxr_version", "") for part in parts}

    @property
    def description(self) -> str:
        """What it is, for messages."""
        unknown = sorted(self._versions - _KNOWN_VERSIONS)
        if not unknown:
            return "WordPress export"
        return f"WordPress export (version {clip_value(unknown[0])}, read as 1.2)"

    def iter_posts(self) -> Iterator[SourcePost | UnreadablePost]:
        """Yield the posts, pages and other articles, file by file.

        Raises:
            PostError: a file is no export.
            OSError: a file can't be read.
        """
        other_items = Counter({"other files": self._other_count})
        index = self._index
        for file in self._files:
            header = ExportHeader("<rss>", {}, {})
            title = ""  # of the last post
            for part in iter_export_parts(file, self._max_item_characters):
                if part.kind == "header":
                    header = parse_export_header(part)
                    continue
                if part.kind != "item":
                    yield self._make_unreadable(file, part, title)
                    continue
                item = parse_export_item(part, header)
                title = item.get("title") if item else find_item_title(part)
                if item is None or self._is_too_large(item) or _lacks_fields(item):
                    yield self._make_unreadable(file, part, title)
                    continue
                other_items["comments"] += item.comment_count
                kind = find_other_kind(item)
                if kind:
                    other_items[kind] += 1
                else:
                    notes = tuple(_iter_damage(file, part, item))
                    post = make_post(item, header, index, self._settings)
                    yield replace(post, notes=(*notes, *post.notes))
        self._other_items = other_items

    def list_other_items(self) -> Mapping[str, int]:
        """Return what is in it and is not imported, by its kind."""
        return {kind: count for kind, count in self._other_items.items() if count}

    def _is_too_large(self, item: ExportItem) -> bool:
        content = item.fields.get("content:encoded", "")
        return len(content) > self._settings.max_post_bytes

    def _make_unreadable(self, file: ExportFile, part: ExportPart, before: str) -> UnreadablePost:
        where = Location(file.name, part.line)
        title = find_item_title(part) or f"the item in line {part.line}"
        if part.kind == "end":
            behind = f" after '{clip_value(before)}'" if before else ""
            return UnreadablePost(
                f"the end of {Path(file.name).name}",
                Problem(
                    f"the export breaks off{behind}: posts may be missing",
                    where,
                    "Export the blog again; what was read so far is complete.",
                ),
            )
        if part.kind == "cut off":
            return UnreadablePost(
                title,
                Problem(
                    "the export breaks off in this post",
                    where,
                    "Export the blog again; the posts before this one are complete.",
                ),
            )
        if part.kind == "too large" or len(part.text) > min(
            self._settings.max_post_bytes, MAX_TEXT_BYTES
        ):
            limit = min(self._settings.max_post_bytes, MAX_TEXT_BYTES)
            return UnreadablePost(
                title,
                Problem(f"the post has more than {limit:,} bytes", where, "Shorten or split it."),
            )
        return UnreadablePost(
            title, Problem("the XML of this post can't be read", where, "Export the blog again.")
        )


def _lacks_fields(item: ExportItem) -> bool:
    """Return whether damage in an item's XML hides what every item has, and so perhaps its text."""
    return bool(item.xml_errors) and not item.get("wp:post_type") and not item.get("wp:status")


def _open_file(path: Path) -> BinaryIO:
    return path.open("rb")


def _list_zip(path: Path) -> tuple[list[ExportFile], int]:
    """Return the files of an export in a ZIP, and how many others are in it."""
    with open_zip(path, max_total_bytes=_MAX_ZIP_BYTES, max_entry_bytes=_MAX_ZIP_BYTES) as folder:
        names = sorted(_iter_zip_names(folder))
        other_count = len(folder.list_names()) - len(names) + folder.count_ignored()
    if not names:
        raise PostError(
            "there is no export of WordPress in the ZIP",
            where=Location(str(path)),
            remedy="Use the .xml files of Tools > Export in WordPress.",
        )
    files = [ExportFile(f"{path}:{name}", partial(_open_in_zip, path, name)) for name in names]
    return files, other_count


def _iter_zip_names(folder: ZipFolder) -> Iterator[str]:
    for name in folder.list_names():
        if name.lower().endswith(".xml"):
            with closing(folder.open(name)) as file:
                if is_wordpress_export(file.read(_HEAD_BYTES)):
                    yield name


@contextmanager
def _open_in_zip(path: Path, name: str) -> Iterator[BinaryIO]:
    with (
        open_zip(path, max_total_bytes=_MAX_ZIP_BYTES, max_entry_bytes=_MAX_ZIP_BYTES) as folder,
        closing(folder.open(name)) as file,
    ):
        yield file


def _iter_damage(file: ExportFile, part: ExportPart, item: ExportItem) -> Iterator[SettingNote]:
    """Yield what was wrong in a post's text, and what was done about it."""
    if part.control_characters:
        count = format_count(part.control_characters, "control character")
        yield SettingNote(DAMAGE_NOTE, f"{count} removed, which XML doesn't allow")
    if part.invalid_bytes:
        count = format_count(part.invalid_bytes, "byte")
        yield SettingNote(DAMAGE_NOTE, f"{count} read as Windows-1252: not in the file's encoding")
    if item.xml_errors:
        line, message = item.xml_errors[0]
        where = Location(file.name, line)
        yield SettingNote(
            DAMAGE_NOTE, f"{where}: the XML is damaged, compare with the blog ({message})"
        )
