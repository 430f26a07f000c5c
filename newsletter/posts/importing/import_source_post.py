"""Import one post of a feed, an export or a folder as an issue's folder."""

import datetime
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from newsletter.errors import Problem
from newsletter.posts.front_matter.parse import FrontMatter
from newsletter.posts.importing.copy_images import collect_images
from newsletter.posts.importing.find_image import ImageFinder
from newsletter.posts.importing.images.copy_remote_images import CopiedImages
from newsletter.posts.importing.imported_post import (
    ImportContext,
    ImportedPost,
    parse_imported_post,
    parse_split_post,
)
from newsletter.posts.importing.issue_folder.issue_index import IssueIndex
from newsletter.posts.importing.issue_folder.write_issue import (
    ImportResult,
    IssueFiles,
    write_issue_folder,
)
from newsletter.posts.importing.opening import clip_to_sentence
from newsletter.posts.importing.plain_settings import make_plain_text
from newsletter.posts.importing.post_identity import identify_post
from newsletter.posts.importing.read_file import PostSource, read_post_source
from newsletter.posts.importing.settings.notes import SettingNote
from newsletter.posts.importing.settings.split_foreign import ForeignPost
from newsletter.posts.importing.source_post import SourcePost
from newsletter.posts.merge_tags.compiler import escape_braces
from newsletter.posts.slug import SHORT_SLUG_LENGTH, slugify
from newsletter.project import Project

_MAX_TITLE_LENGTH = 60  # characters of a title made from a text
_SHORT_ID = re.compile(r"[A-Za-z0-9-]{1,12}")
_TAG_OR_COMMENT = re.compile(r"<!--.*?-->|<[^>]*>", re.DOTALL)

# Fields of a post that may differ though the post is the same.
_NOT_CONTENT = frozenset({"removed", "notes", "file", "date", "image_folders", "post_urls"})

# Ends the hash of a post whose whole text was fetched where its source has its beginning.
_FULL_MARK = "+full"

CopyImages = Callable[[ImportedPost, SourcePost], CopiedImages]


@dataclass(frozen=True, slots=True)
class SourceImportOptions:
    """Options of an import of many posts.

    Attributes:
        source_name: the source as the user typed it, for messages.
        today: the date of an issue whose post has none.
        timezone: the newsletter's.
        update: whether posts that have changed since their import are imported again.
        images: folders in which a path that begins with ``/`` is looked up.
        is_durable: whether each issue must survive a power cut before the next one is written;
            otherwise all do at the end, which is several times as fast.
        as_draft: whether the issues are drafts, which can't be sent.
        copy_images: copies a post's images from the web; ``None`` leaves them there.
        fetch_full: returns a post with all of its text, of which the source has the beginning;
            ``None`` leaves it as it is.
    """

    source_name: str
    today: datetime.date
    timezone: ZoneInfo
    update: bool = False
    images: tuple[Path, ...] = ()
    is_durable: bool = True
    as_draft: bool = False
    copy_images: CopyImages | None = None
    fetch_full: Callable[[SourcePost], SourcePost] | None = None


@dataclass(frozen=True, slots=True)
class SourceImport:
    """The result of importing one post of many.

    Attributes:
        post: the post.
        state: whether its issue is new, unchanged or updated; ``changed`` if the post differs from
            what was imported and was left; ``repeated`` if it differs from an earlier one of the
            same source with its id or URL and its title, whose issue this is.
        folder: the issue's folder.
        result: what was written; ``None`` if nothing was.
    """

    post: SourcePost
    state: Literal["new", "unchanged", "updated", "changed", "repeated"]
    folder: Path
    result: ImportResult | None = None


def import_source_post(
    project: Project,
    post: SourcePost,
    index: IssueIndex,
    options: SourceImportOptions,
    *,
    waits_if_ambiguous: bool = False,
) -> SourceImport | None:
    """Import a post, unless it was imported before.

    Args:
        project: the editor's folder.
        post: the post.
        index: the issues of the project; the new one is added.
        options: options of the import.
        waits_if_ambiguous: whether ``None`` is returned and nothing done if only the other posts of
            the source can tell whether an issue is this one's.

    Raises:
        NewsletterError: the post can't be read; nothing is written.
    """
    source = (
        read_post_source(str(post.file), project.config.limits.post_bytes) if post.file else None
    )
    identity = identify_post(replace(post, content=source.text) if source else post)
    parsed = parse_source_post(project, post, source, options) if post.is_page else None
    source_hash = (
        source.sha256 if source else _hash_page(parsed.post) if parsed else _hash_post(post)
    )
    gets_full = post.is_teaser and bool(post.url) and options.fetch_full is not None
    existing = index.find(identity)
    if existing is not None:
        if waits_if_ambiguous and index.is_ambiguous(existing, identity):
            return None
        is_repeated = index.is_claimed(existing)
        index.claim(existing, identity)
        manifest = index.get_manifest(existing)
        known_hash, _, known_full = manifest.source_hash.partition("+") if manifest else ("",) * 3
        is_same = known_hash == source_hash and (bool(known_full) or not gets_full)
        if not manifest or not manifest.identity or is_same:
            return SourceImport(post, "unchanged", existing)
        if is_repeated:
            return SourceImport(post, "repeated", existing)
        if not options.update:
            return SourceImport(post, "changed", existing)
    if gets_full and options.fetch_full:
        post = options.fetch_full(post)
        source_hash += _FULL_MARK
    parsed = parsed or parse_source_post(project, post, source, options)
    imported, files, not_copied = parsed
    if options.copy_images:
        copied = options.copy_images(imported, post)
        imported = copied.imported_post
        files = {**files, **copied.files}
        not_copied = (*not_copied, *copied.not_copied)
    date = _get_date(post, options.timezone) or imported.date or options.today
    imported = replace(
        imported,
        front_matter={**imported.front_matter, "date": imported.front_matter.get("date") or date},
    )
    folder = existing or index.find_free_folder(project, date, _make_slug(post, imported))
    result = write_issue_folder(
        project,
        IssueFiles(
            imported,
            files,
            not_copied,
            source.text if source else post.original or post.content,
            source_hash,
            source.file_name if source else "",
            "" if source else post.content_format,
            identity,
        ),
        folder,
        update=True,
        is_durable=options.is_durable,
    )
    index.add(folder)
    index.claim(folder, identity)
    return SourceImport(post, "new" if result.state == "new" else "updated", folder, result)


class ParsedSourcePost(NamedTuple):
    """A parsed post, its images on disk, and those that were not copied."""

    post: ImportedPost
    files: Mapping[str, Path | bytes]
    not_copied: tuple[Problem, ...]


def parse_source_post(
    project: Project,
    post: SourcePost,
    source: PostSource | None,
    options: SourceImportOptions,
) -> ParsedSourcePost:
    """Parse and clean up a post, and find its images on disk.

    Args:
        project: the editor's folder.
        post: the post.
        source: its own file, read; ``None`` if it has none.
        options: options of the import.

    Raises:
        NewsletterError: the post can't be read.
    """
    templates = {path.stem for path in project.templates_dir.glob("*.mjml")}
    settings = {key: value for key, value in _iter_settings(post, options) if value}
    language = project.config.language
    if source is None:
        foreign = ForeignPost(FrontMatter(data=settings, body=post.content), "")
        notes = _note_made_title(post, settings)
        parsed = parse_split_post(
            "html" if post.content_format == "html" else "markdown",
            foreign,
            options.source_name,
            language=language,
            context=ImportContext(
                template_names=templates,
                is_file=False,
                is_scraped=post.is_page,
                post_urls=post.post_urls,
                is_titled=True,
                selector=(project.config.blog.article or "") if post.is_page else "",
            ),
        )
        # A line of the content is no line of a file that the editor could open. In a page, it tells
        # the comparison with the email which of several equal texts was removed.
        removed = (
            *post.removed,
            *(entry if parsed.place else entry._replace(line=0) for entry in parsed.removed),
        )
        set_aside = tuple(entry._replace(line=0) for entry in parsed.set_aside)
        parsed = replace(
            parsed,
            removed=removed,
            set_aside=set_aside,
            setting_notes=(*post.notes, *notes, *parsed.setting_notes),
        )
        return ParsedSourcePost(parsed, {}, ())
    finder = ImageFinder(
        source,
        project.config.limits.image_bytes,
        tuple(folder.resolve() for folder in (*post.image_folders, *options.images)),
    )
    parsed = parse_imported_post(
        source.text,
        source.name,
        language=language,
        context=ImportContext(
            source.folder,
            templates,
            finder.can_show,
            defaults=settings,
            post_urls=post.post_urls,
            is_titled=True,
        ),
    )
    images = collect_images(parsed, finder, is_one_of_many=True)
    parsed = replace(
        images.imported_post,
        removed=(*post.removed, *parsed.removed),
        setting_notes=(*post.notes, *parsed.setting_notes),
    )
    return ParsedSourcePost(parsed, images.files, images.not_copied)


def _iter_settings(post: SourcePost, options: SourceImportOptions) -> Iterator[tuple[str, Any]]:
    """Yield a post's settings as an issue's front matter has them."""
    yield "title", post.title or _make_title(post)
    yield "subject", post.subject
    yield "preheader", post.preheader or clip_to_sentence(post.summary)
    yield "author", post.author
    yield "date", _get_date(post, options.timezone)
    yield "canonical_url", post.url
    yield "language", post.language
    yield "tags", list(post.tags)
    if post.hero:
        about = {"alt": escape_braces(post.hero_alt), "caption": escape_braces(post.hero_caption)}
        about = {key: value for key, value in about.items() if value}
        yield "hero", {"src": post.hero, **about} if about else post.hero
    yield "draft", options.as_draft or post.status != "published"


def _make_title(post: SourcePost) -> str:
    """Return the first words of a post without a title, as feeds of short notes have them."""
    text = " ".join(_TAG_OR_COMMENT.sub(" ", post.content).split())
    text = make_plain_text(clip_to_sentence(text))
    if len(text) <= _MAX_TITLE_LENGTH:
        return text.rstrip(".")
    return text[:_MAX_TITLE_LENGTH].rpartition(" ")[0].rstrip(",;:.- ") + "\u2026"


def _note_made_title(post: SourcePost, settings: Mapping[str, Any]) -> tuple[SettingNote, ...]:
    if post.title or "title" not in settings:
        return ()
    return (SettingNote("title", f"'{settings['title']}' (its first words; the post has none)"),)


def _make_slug(post: SourcePost, parsed: ImportedPost) -> str:
    """Return a slug; without a word in the title, it is made from a short id: ``post-17``."""
    if slug := slugify(post.slug, SHORT_SLUG_LENGTH) or parsed.slug:
        return slug
    post_id = post.post_id if _SHORT_ID.fullmatch(post.post_id) else ""
    return slugify(f"post {post_id}")


def _get_date(post: SourcePost, timezone: ZoneInfo) -> datetime.date | None:
    return post.date.astimezone(timezone).date() if post.date else None


def _hash_post(post: SourcePost) -> str:
    """Return a hash that changes when a post's content or settings do."""
    values = [
        repr(getattr(post, entry.name)) for entry in fields(post) if entry.name not in _NOT_CONTENT
    ]
    stamp = post.date.astimezone(datetime.UTC).isoformat() if post.date else ""
    return hashlib.sha256("\0".join([*values, stamp]).encode(errors="surrogatepass")).hexdigest()


def _hash_page(post: ImportedPost) -> str:
    """Return a hash of a web page's article; the page around it changes with each request."""
    return hashlib.sha256(f"{post.title}\n{post.body}".encode(errors="surrogatepass")).hexdigest()
