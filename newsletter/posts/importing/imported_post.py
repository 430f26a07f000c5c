"""Parse a post from any source, clean it up and complete its settings."""

import datetime
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any, Literal

from newsletter.errors import Location, PostError
from newsletter.posts.extracted_article import ArticlePlace
from newsletter.posts.front_matter.parse import FrontMatter
from newsletter.posts.front_matter.schema import FrontMatterFields
from newsletter.posts.html.title import is_empty_body
from newsletter.posts.importing.blocks import ArticleOutline, outline_html
from newsletter.posts.importing.cleanup.paragraph import SetAsideLine
from newsletter.posts.importing.markup.page import find_no_post
from newsletter.posts.importing.opening import (
    choose_summary,
    clip_to_sentence,
    find_html_opening,
)
from newsletter.posts.importing.parse_body import parse_body, render_body, sanitize_rendered
from newsletter.posts.importing.plain_settings import make_plain_settings, make_plain_text
from newsletter.posts.importing.read_file import STDIN
from newsletter.posts.importing.settings.file_name import FileNameSettings, parse_file_name
from newsletter.posts.importing.settings.notes import SettingNote
from newsletter.posts.importing.settings.split_foreign import (
    ForeignPost,
    split_foreign_front_matter,
)
from newsletter.posts.importing.settings.translate import translate_front_matter
from newsletter.posts.importing.source_kind import (
    SourceKind,
    detect_source_kind,
    is_export,
    is_table,
)
from newsletter.posts.importing.sources.draft import ParsedSource
from newsletter.posts.markup_limits import check_markup_limits
from newsletter.posts.removed_line import RemovedLine
from newsletter.posts.slug import SHORT_SLUG_LENGTH, slugify

_JEKYLL_FOLDERS = frozenset({"_posts", "_drafts"})


@dataclass(frozen=True, slots=True)
class ImportedPost:
    """A post parsed and cleaned up, ready to be written as an issue.

    Attributes:
        title: plain text.
        front_matter: the settings, in the order in which they are written; ``date`` may be
            ``None``.
        body: the article in its own syntax.
        body_format: syntax of ``body``, which is also the file's suffix.
        outline: text blocks and images of ``body``.
        front_matter_source: the source's YAML, to be kept as written; empty for other formats.
        date: publication date, if the post or its file's name has one.
        slug: from the post's settings, its file's name, or its title; may be empty.
        removed: boilerplate that was removed.
        set_aside: passages for the editor to check.
        setting_notes: what was taken from other tools' settings, and what was not.
        prose_outside: words of running text on a web page that are not in its article.
        place: where the article is in a web page, if all that is kept is in it.
        copied_urls: file name of each image that was copied from the web -> its URLs.
    """

    title: str
    front_matter: Mapping[str, Any]
    body: str
    body_format: Literal["md", "html"]
    outline: ArticleOutline
    front_matter_source: str = ""
    date: datetime.date | None = None
    slug: str = ""
    removed: tuple[RemovedLine, ...] = ()
    set_aside: tuple[SetAsideLine, ...] = ()
    setting_notes: tuple[SettingNote, ...] = ()
    prose_outside: int = 0
    place: ArticlePlace | None = None
    copied_urls: Mapping[str, Collection[str]] = field(default_factory=dict)

    def with_body(self, body: str) -> "ImportedPost":
        """Return the post with another body in the same syntax."""
        return replace(self, body=body, outline=outline_html(render_body(body, self.body_format)))


@dataclass(frozen=True, slots=True)
class ImportContext:
    """What is around a source.

    Attributes:
        folder: the source's folder, for ``2026-10-02-gulls/index.md``; that of its path if
            ``None``.
        template_names: the templates that ``template`` may name; ``None`` for any.
        has_image: returns whether a path or URL is an image that an issue can show.
        is_file: whether the source is a file, whose name may tell the post's date and title.
        is_scraped: whether HTML may have a page's boilerplate around the post.
        defaults: settings that the post has if it doesn't set them itself.
        post_urls: returns the URL of another post by what a link calls it, or an empty text.
        selector: CSS selector of the article of a whole page, or empty.
        is_titled: whether its source tells what is a title, even if that has no word.
    """

    folder: PurePath | None = None
    template_names: Collection[str] | None = None
    has_image: Callable[[str], bool] = bool
    is_file: bool = True
    is_scraped: bool = True
    defaults: Mapping[str, Any] = field(default_factory=dict)
    post_urls: Callable[[str], str] = find_no_post
    selector: str = ""
    is_titled: bool = False


_NO_CONTEXT = ImportContext()


def parse_imported_post(
    text: str,
    path: str,
    *,
    language: str,
    keep: Collection[int] = (),
    context: ImportContext = _NO_CONTEXT,
) -> ImportedPost:
    r"""Parse a post, clean it up, and complete its settings.

    Args:
        text: the whole source, with ``\n`` line ends.
        path: its name, for messages and to detect its kind; ``-`` for standard input.
        language: BCP 47 tag if the post has none.
        keep: lines (1-based) that are kept, whatever they look like.
        context: what is around the source.

    Raises:
        PostError: the post is empty, without a title, or its front matter has invalid syntax.
        UsageError: ``keep`` has a line from which nothing was removed.
    """
    where = Location(path)
    if not text.strip():
        raise PostError("the post is empty; nothing was imported", where=where)
    kind = detect_source_kind(text, path)
    if is_export(text):
        raise PostError(
            "this is an export or a feed, not a post; nothing was imported",
            where=where,
            remedy="Import one post at a time: save its web page, or its text as Markdown or "
            "HTML, as a file.",
        )
    if kind == "text" and is_table(text, path):
        raise PostError(
            "this is a table, not a post; nothing was imported",
            where=where,
            remedy="To add a list of readers: newsletter subscribers import FILE",
        )
    foreign = (
        ForeignPost(FrontMatter(body=text), "")
        if kind == "text"
        else split_foreign_front_matter(text, path)
    )
    return parse_split_post(kind, foreign, path, language=language, keep=keep, context=context)


def parse_split_post(  # noqa: PLR0913 - what a post is, and what is around it
    kind: SourceKind,
    foreign: ForeignPost,
    path: str,
    *,
    language: str,
    keep: Collection[int] = (),
    context: ImportContext = _NO_CONTEXT,
) -> ImportedPost:
    """Parse a post that is split into settings and body, clean it up, and complete its settings.

    Args:
        kind: the body's syntax.
        foreign: the post.
        path: its name, for messages, and for what a file's name tells.
        language: BCP 47 tag if the post has none.
        keep: lines (1-based) that are kept, whatever they look like.
        context: what is around the source.

    Raises:
        PostError: the post is empty, or without a title.
        UsageError: ``keep`` has a line from which nothing was removed.
    """
    body, body_line = foreign.front_matter.body, foreign.front_matter.body_line
    check_markup_limits(body, path, body_line, is_html=kind == "html")
    file_path = PurePath(
        context.folder or "", path if context.folder is None else PurePath(path).name
    )
    name = parse_file_name(file_path) if context.is_file and path != STDIN else FileNameSettings()
    translated = translate_front_matter(
        add_defaults(foreign.front_matter, context.defaults),
        language=language,
        is_jekyll=not _JEKYLL_FOLDERS.isdisjoint(file_path.parts),
        template_names=context.template_names,
        has_image=context.has_image,
    )
    front_matter, fields = translated.front_matter, translated.fields
    parsed = parse_body(
        kind,
        front_matter,
        path,
        keep,
        is_scraped=context.is_scraped,
        post_urls=context.post_urls,
        selector=context.selector,
    )
    body_format: Literal["md", "html"] = "html" if kind == "html" else "md"
    rendered = render_body(parsed.body, body_format)
    html = rendered if body_format == "html" else sanitize_rendered(rendered, path)
    if is_empty_body(html):
        removed_lines = parsed.removed or parsed.set_aside
        raise PostError(
            "the post has no text; nothing was imported",
            where=Location(path),
            remedy="Keep removed lines with --keep LINE." if removed_lines else "",
        )
    title = make_plain_text(fields.title)
    if not (title and context.is_titled):
        title = title or parsed.title or make_plain_text(fields.subject) or name.title
        title = _resolve_title(title, path)
    if not choose_summary(title, parsed.opening):
        parsed = replace(parsed, opening=find_html_opening(html, title))
    date = fields.date or parsed.date or name.date
    fields = fields.model_copy(update={"date": date})
    # The names of emoji say nothing in a folder's name.
    slug = slugify(str(front_matter.data.get("slug") or "")) or slugify(
        name.slug or (title if _has_word(title) else name.title), SHORT_SLUG_LENGTH
    )
    settings = make_plain_settings(
        _complete_settings(front_matter, fields, parsed, title, language),
        is_markdown=kind == "markdown",
    )
    return ImportedPost(
        title=title,
        front_matter=settings,
        body=parsed.body,
        body_format=body_format,
        outline=outline_html(rendered),
        front_matter_source=foreign.yaml_source,
        date=date,
        slug=slug,
        removed=parsed.removed,
        set_aside=parsed.set_aside,
        setting_notes=(*foreign.notes, *translated.notes),
        prose_outside=parsed.prose_outside,
        place=parsed.place,
    )


def add_defaults(front_matter: FrontMatter, defaults: Mapping[str, Any]) -> FrontMatter:
    """Return front matter with the settings that it lacks and its folder or source has."""
    missing = {key: value for key, value in defaults.items() if key not in front_matter.data}
    return replace(front_matter, data={**front_matter.data, **missing}) if missing else front_matter


def _has_word(title: str) -> bool:
    return any(char.isalnum() for char in title)


def _resolve_title(title: str, path: str) -> str:
    if _has_word(title) or any(unicodedata.category(char) == "So" for char in title):
        return title
    raise PostError(
        "the post has no title",
        where=Location(path),
        remedy="Add a heading as its first line, or front matter with: title: Spring",
    )


def _complete_settings(
    front_matter: FrontMatter,
    fields: FrontMatterFields,
    parsed_source: ParsedSource,
    title: str,
    language: str,
) -> dict[str, Any]:
    """Return all settings that an editor expects, then the post's other settings."""
    summary = fields.preheader or fields.description or fields.summary or fields.excerpt
    settings = {
        "title": title,
        "subject": title,
        "preheader": clip_to_sentence(
            choose_summary(
                title,
                make_plain_text(summary or ""),
                parsed_source.description,
                parsed_source.opening,
            )
        ),
        "author": parsed_source.author or None,
        "date": fields.date,
        "canonical_url": parsed_source.canonical_url or None,
        "language": parsed_source.language or language,
        "tags": list(parsed_source.tags),
    }
    values = {key: value for key, value in front_matter.data.items() if value not in (None, "")}
    extra = values.pop("extra", None)
    return {**settings, **values, **({"extra": extra} if extra else {})}
