"""Read the posts of a Medium export: a page a post; drafts, comments."""

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import lxml.html
from lxml.etree import LxmlError
from lxml.html import HtmlElement

from newsletter.errors import Location, PostError, display_path
from newsletter.posts.html.nesting_limit import check_nesting_depth
from newsletter.posts.html.normalize.tags import iter_html_tags
from newsletter.posts.html.title import is_empty_body
from newsletter.posts.importing.settings.dates import parse_zoned_date
from newsletter.posts.importing.settings.file_name import parse_file_name
from newsletter.posts.importing.source_post import SourcePost, SourceSettings, UnreadablePost
from newsletter.posts.importing.sources.blocks.replace_elements import (
    ElementReplacer,
    find_by_class,
    get_words,
)
from newsletter.posts.importing.sources.csv_rows import decode_export
from newsletter.posts.importing.sources.export_folder import (
    EMPTY_DRAFTS,
    NO_TEXT,
    ExportFolder,
    list_export_names,
    make_wrong_export_error,
    open_export_folder,
    strip_common_folder,
)
from newsletter.posts.importing.sources.medium_blocks import (
    MEDIUM_BLOCKS,
    fold_words,
    join_code_blocks,
    remove_opening,
)

_POST_FILE = re.compile(r"posts/[^/]*\.html", re.IGNORECASE)
_MEDIUM_ID = re.compile(r"-(?P<id>[0-9a-f]{8,16})$", re.IGNORECASE)
# Of a comment that begins with a sentence in a paragraph of its own.
_MAX_COMMENT_PARAGRAPHS = 2


@dataclass(slots=True)
class MediumExport:
    """The posts of a Medium export, a ZIP or the folder that it was unpacked to."""

    path: Path
    settings: SourceSettings
    _others: dict[str, int] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """What it is."""
        return "Medium export"

    def iter_posts(self) -> Iterator[SourcePost | UnreadablePost]:
        """Yield the posts in the order of their files' names; others are only counted."""
        with open_export_folder(self.path, self.settings.max_post_bytes) as folder:
            names = strip_common_folder(folder.list_names())
            files = {name: full for name, full in names.items() if _POST_FILE.fullmatch(name)}
            if not files:
                raise make_wrong_export_error(
                    self.path, list(names), "Medium", "posts/ with a page a post"
                )
            others = len(names) - len(files) + folder.count_ignored()
            self._others = {"other files": others} if others else {}
            for name, full_name in sorted(files.items()):
                post = self._read_post(folder, name, full_name)
                if isinstance(post, str):
                    self._others[post] = self._others.get(post, 0) + 1
                else:
                    yield post

    def list_other_items(self) -> Mapping[str, int]:
        """Return how many comments and empty drafts there are, and files that are not read."""
        return self._others

    def _read_post(
        self, folder: ExportFolder, name: str, full_name: str
    ) -> SourcePost | UnreadablePost | str:
        """Return the post of a page; what it is if it isn't one."""
        where = Location(f"{display_path(self.path)}/{name}")
        title = PurePosixPath(name).stem.replace("-", " ")
        try:
            page = _parse_page(decode_export(folder.read(full_name)), str(where))
            if _is_comment(page):
                return "comments"
            return _make_medium_post(page, name)
        except PostError as error:
            problem = error.problems[0]
            if problem.message == NO_TEXT and _is_draft(name):
                return EMPTY_DRAFTS
            return UnreadablePost(title, problem._replace(where=where))


class _Page(NamedTuple):
    """A post's page; ``body`` is the HTML of its content as written."""

    root: HtmlElement
    body: str


def is_medium_export(path: Path) -> bool:
    """Return whether a ZIP or folder has the files of a Medium export.

    Raises:
        OSError: it can't be read.
    """
    names = strip_common_folder(list_export_names(path))
    pages = [name for name in names if _POST_FILE.fullmatch(name)]
    named = sum(bool(_MEDIUM_ID.search(PurePosixPath(name).stem)) for name in pages)
    return named > 0 and named * 2 >= len(pages)


def open_medium_export(path: Path, settings: SourceSettings) -> MediumExport:
    """Open the ZIP that Medium exports, or the folder that it was unpacked to."""
    return MediumExport(path, settings)


def _parse_page(text: str, path: str) -> _Page:
    body = _find_body(text)
    if body is None:
        raise PostError("this is not a page of a Medium export: it has no e-content")
    check_nesting_depth(text, path)
    parser = lxml.html.HTMLParser(no_network=True, huge_tree=False, remove_comments=True)
    try:
        return _Page(lxml.html.document_fromstring(text, parser=parser), body)
    except (LxmlError, ValueError) as error:
        raise PostError(f"could not parse the page: {error}") from error


def _is_draft(name: str) -> bool:
    return PurePosixPath(name).name.lower().startswith("draft_")


def _find_body(text: str) -> str | None:
    """Return the HTML inside the element that holds the content; ``None`` without one."""
    start, depth = -1, 0
    for tag in iter_html_tags(text):
        if tag.name != "section":
            continue
        if start < 0:
            if not tag.is_end and "e-content" in tag.attributes.get("class", "").split():
                start, depth = tag.end, 1
            continue
        depth += -1 if tag.is_end else 1
        if depth == 0:
            return text[start : tag.start]
    return None


def _is_comment(page: _Page) -> bool:
    """Return whether a page is a comment: published, its title the first words of its text.

    A post without a heading for its title has the title in a paragraph of its own.
    """
    body = find_by_class(page.root, "e-content")
    if body is None or find_by_class(page.root, "dt-published") is None:
        return False
    if find_by_class(page.root, "graf--title", "p-tags") is not None:
        return False
    if next(body.iter("h1", "h2", "h3", "h4", "img", "pre", "iframe"), None) is not None:
        return False
    title = fold_words(get_words(find_by_class(page.root, "p-name")))
    paragraphs = [words for p in body.iter("p") if (words := fold_words(get_words(p)))]
    first = paragraphs[0] if paragraphs else fold_words(get_words(body))
    has_own_line = first == title and len(paragraphs) > _MAX_COMMENT_PARAGRAPHS
    return bool(first) and first.startswith(title) and not has_own_line


def _make_medium_post(page: _Page, name: str) -> SourcePost:
    root = page.root
    title = get_words(find_by_class(root, "p-name"))
    summary = _find_summary(page)
    replacer = ElementReplacer(MEDIUM_BLOCKS)
    original = join_code_blocks(page.body)
    body, removed = remove_opening(original, title, summary)
    content = replacer.replace(body)
    if is_empty_body(content):
        raise PostError(NO_TEXT)
    found = _MEDIUM_ID.search(PurePosixPath(name).stem)
    url = _get_href(find_by_class(root, "p-canonical"))
    time = find_by_class(root, "dt-published")
    file_name = parse_file_name(PurePosixPath(name))
    slug = _MEDIUM_ID.sub("", url.rsplit("/", 1)[-1]) or file_name.slug
    tags = find_by_class(root, "p-tags")
    date = (time.get("datetime") if time is not None else "") or str(file_name.date or "")
    return SourcePost(
        title=title,
        content=content,
        original=original if content != original else "",
        post_id=found["id"] if found else PurePosixPath(name).stem,
        url=url,
        slug=slug,
        date=parse_zoned_date(date, datetime.UTC),
        status="draft" if _is_draft(name) else "published",
        author=get_words(find_by_class(root, "p-author")),
        tags=() if tags is None else tuple(filter(None, map(get_words, tags.iter("a")))),
        summary=summary,
        removed=(*removed, *replacer.removed),
    )


def _find_summary(page: _Page) -> str:
    """Return the subtitle; not the first words of the text, which Medium puts in its place."""
    summary = get_words(find_by_class(page.root, "p-summary"))
    is_cut = summary.endswith("\u2026")
    text = fold_words(get_words(find_by_class(page.root, "e-content"))) if is_cut else ""
    return "" if is_cut and fold_words(summary) in text else summary


def _get_href(link: HtmlElement | None) -> str:
    return "" if link is None else (link.get("href") or "").strip()
