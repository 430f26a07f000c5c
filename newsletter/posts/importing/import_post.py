"""Import a post from a file or standard input as an issue's folder."""

import datetime
from dataclasses import dataclass, replace
from pathlib import Path

from newsletter.errors import Location, PostError, UsageError
from newsletter.posts.importing.copy_images import collect_images
from newsletter.posts.importing.find_image import ImageFinder
from newsletter.posts.importing.imported_post import (
    ImportContext,
    parse_imported_post,
)
from newsletter.posts.importing.issue_folder.existing_issue import (
    find_free_slug,
    find_issue_by_slug,
    find_issue_by_source,
    get_folder_date,
    list_issues_of_file,
)
from newsletter.posts.importing.issue_folder.write_issue import (
    ImportResult,
    IssueFiles,
    write_issue_folder,
)
from newsletter.posts.importing.read_file import read_post_source
from newsletter.posts.slug import MAX_SLUG_LENGTH, SLUG_PATTERN, slugify
from newsletter.project import Project


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of an import.

    Attributes:
        today: the date of an issue whose post has none.
        slug: the issue's name without its date; made from the title if empty.
        date: the issue's date; the post's own if ``None``.
        keep: lines (1-based) of the source that are kept, whatever they look like.
        update: whether an existing issue may be overwritten.
        images: folders from which images may be copied, besides the post's own; a path that begins
            with ``/`` is looked up below them.
    """

    today: datetime.date
    slug: str = ""
    date: datetime.date | None = None
    keep: tuple[int, ...] = ()
    update: bool = False
    images: tuple[Path, ...] = ()


def import_post(project: Project, source_name: str, options: ImportOptions) -> ImportResult:
    """Import a post as ``issues/<date>-<slug>/``.

    Args:
        project: the editor's folder.
        source_name: the post's path, or ``-`` for standard input.
        options: options of the import.

    Raises:
        NewsletterError: the post can't be read or would overwrite an issue; nothing is written.
    """
    limits = project.config.limits
    slug = options.slug
    if slug and (not SLUG_PATTERN.fullmatch(slug) or len(slug) > MAX_SLUG_LENGTH):
        example = slugify(slug) or "spring-in-the-harbour"
        raise UsageError(
            f"--slug '{slug}' is not a valid slug",
            remedy=f"Use lowercase letters, digits and hyphens, at most {MAX_SLUG_LENGTH}: "
            f"--slug {example}",
        )
    source = read_post_source(source_name, limits.post_bytes)
    folders = tuple(folder.resolve() for folder in options.images)
    finder = ImageFinder(source, limits.image_bytes, folders)
    parsed = parse_imported_post(
        source.text,
        source_name,
        language=project.config.language,
        keep=options.keep,
        context=ImportContext(
            source.folder,
            {path.stem for path in project.templates_dir.glob("*.mjml")},
            finder.can_show,
            selector=project.config.blog.article or "",
        ),
    )
    images = collect_images(parsed, finder)
    slug = slug or parsed.slug
    if not slug:
        raise PostError(
            f"could not make a folder name from the title '{parsed.title}'",
            where=Location(source_name),
            remedy="Set one with --slug, such as: --slug spring-in-the-harbour",
        )
    existing_folder = find_issue_by_source(
        project, source, slug if options.slug else ""
    ) or find_issue_by_slug(
        project, slug, source, options.date or parsed.date, allow_number=not options.slug
    )
    date = (
        get_folder_date(existing_folder)
        if existing_folder
        else options.date or parsed.date or options.today
    )
    imported_post = replace(
        images.imported_post,
        front_matter={
            **images.imported_post.front_matter,
            "date": images.imported_post.front_matter.get("date") or date,
        },
    )
    files = IssueFiles(
        imported_post,
        images.files,
        images.not_copied,
        source.text,
        source.sha256,
        source.file_name,
    )
    others = () if existing_folder or options.slug else list_issues_of_file(project, source, date)
    result = write_issue_folder(
        project,
        files,
        existing_folder or project.issues_dir / f"{date}-{slug}",
        free_slug=find_free_slug(project, slug),
        update=options.update,
        has_kept_lines=bool(options.keep),
    )
    return replace(result, same_file_issues=others)
