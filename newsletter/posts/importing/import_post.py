"""Import a post as an issue's folder, or update an earlier import.

A manifest beside the post records what an import wrote, so that a later import can detect whether
the source changed, whether the editor changed the post, or both. No edit is ever lost.
"""

import datetime
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from uuid import uuid4

from newsletter.errors import Location, PostError, Problem, UsageError
from newsletter.posts.importing.copy_images import collect_images
from newsletter.posts.importing.existing_issue import (
    BACKUP_SUFFIX,
    find_free_slug,
    find_issue_by_slug,
    find_issue_by_source,
    get_folder_date,
    list_issues_of_file,
    make_refusal_error,
)
from newsletter.posts.importing.find_image import ImageFinder
from newsletter.posts.importing.front_matter_writer import format_post_file
from newsletter.posts.importing.imported_post import (
    ImportContext,
    ImportedPost,
    parse_imported_post,
)
from newsletter.posts.importing.manifest import (
    MANIFEST_FILE_NAME,
    ImportManifest,
    hash_file,
    read_manifest,
    write_manifest,
)
from newsletter.posts.importing.read_file import PostSource, read_post_source
from newsletter.posts.slug import MAX_SLUG_LENGTH, SLUG_PATTERN, slugify
from newsletter.project import Project
from newsletter.public_files import write_public_file

SET_ASIDE_FILE_NAME = "set-aside.txt"
_POST_FILE_NAMES = ("post.md", "post.html")


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of an import.

    Attributes:
        post_path: the post's file in the issue's folder.
        state: whether the folder was created, left unchanged, or updated.
        imported_post: the parsed post.
        image_names: names of the images beside the post.
        source_text: the post before its import.
        edited_files: files that the editor changed since they were imported.
        backup_files: copies of edited files that were overwritten.
        same_file_issues: for a new issue, others of its day from a file of the same name.
        not_copied: the images that are on disk and were not copied, each with its remedy.
    """

    post_path: Path
    state: Literal["new", "unchanged", "updated"]
    imported_post: ImportedPost
    image_names: tuple[str, ...]
    source_text: str
    edited_files: tuple[str, ...] = ()
    backup_files: tuple[str, ...] = ()
    same_file_issues: tuple[str, ...] = ()
    not_copied: tuple[Problem, ...] = ()


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
    with _stage_issue(project, imported_post, images.files, source) as staging_folder:
        result = ImportResult(
            post_path=(existing_folder or project.issues_dir / f"{date}-{slug}")
            / f"post.{imported_post.body_format}",
            state="new",
            imported_post=imported_post,
            image_names=tuple(images.files),
            source_text=source.text,
            not_copied=images.not_copied,
        )
        if existing_folder is None:
            others = () if options.slug else list_issues_of_file(project, source, date)
            staging_folder.rename(result.post_path.parent)
            return replace(result, same_file_issues=others)
        return _update_issue(result, staging_folder, options, find_free_slug(project, slug))


@contextmanager
def _stage_issue(
    project: Project,
    imported_post: ImportedPost,
    image_files: Mapping[str, Path],
    source: PostSource,
) -> Iterator[Path]:
    """Yield a temporary folder with all files of the issue; it is deleted unless renamed."""
    folder = project.issues_dir / f".importing-{uuid4().hex}"
    try:
        folder.mkdir(parents=True)
        texts = {f"post.{imported_post.body_format}": format_post_file(imported_post)}
        if imported_post.set_aside:
            texts[SET_ASIDE_FILE_NAME] = "\n".join(
                f"line {entry.line}: {entry.why}; keep it with --keep {entry.line}\n"
                f"    {entry.text}\n"
                for entry in imported_post.set_aside
            )
        for name, text in texts.items():
            write_public_file(folder / name, text.encode(), durable=True)
        for name, file in image_files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / name)
        write_manifest(folder, source.sha256, source.file_name)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _update_issue(
    result: ImportResult, staging_folder: Path, options: ImportOptions, free_slug: str
) -> ImportResult:
    """Move the staged files into an existing issue, if the options allow that."""
    folder = result.post_path.parent
    old_manifest = read_manifest(folder)
    new_manifest = read_manifest(staging_folder)
    assert new_manifest is not None  # written by _stage_issue
    edited_files = _find_edited_files(folder, old_manifest, new_manifest)
    # None if the editor has deleted it.
    post_file = next(
        (folder / name for name in _POST_FILE_NAMES if (folder / name).is_file()), None
    )
    if not options.update:
        same_source = old_manifest and old_manifest.source_hash == new_manifest.source_hash
        if post_file and same_source and not options.keep:
            return replace(
                result, state="unchanged", post_path=post_file, edited_files=edited_files
            )
        brings_back_post = same_source and not post_file
        if edited_files or not (options.keep or brings_back_post):
            raise make_refusal_error(result.post_path, staging_folder, edited_files, free_slug)
    if post_file and old_manifest == new_manifest and not edited_files:
        return replace(result, state="unchanged")
    backups = tuple(_back_up_file(folder, name, staging_folder) for name in edited_files)
    for name in sorted(
        new_manifest.file_hashes, key=lambda name: name in _POST_FILE_NAMES
    ):  # the post last, so that a failed update can be repeated
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (staging_folder / name).replace(folder / name)
    for name in _find_obsolete_files(folder, old_manifest, new_manifest):
        (folder / name).unlink(missing_ok=True)
    (staging_folder / MANIFEST_FILE_NAME).replace(folder / MANIFEST_FILE_NAME)
    return replace(result, state="updated", edited_files=edited_files, backup_files=backups)


def _find_edited_files(
    folder: Path, old_manifest: ImportManifest | None, new_manifest: ImportManifest
) -> tuple[str, ...]:
    """Return the edited files that an update would overwrite or delete."""
    names = dict.fromkeys(
        (*new_manifest.file_hashes, *_find_obsolete_files(folder, old_manifest, new_manifest))
    )
    old_hashes = old_manifest.file_hashes if old_manifest else {}
    return tuple(
        name
        for name in names
        if (folder / name).is_file()
        and hash_file(folder / name)
        not in {old_hashes.get(name), new_manifest.file_hashes.get(name)}
    )


def _find_obsolete_files(
    folder: Path, old_manifest: ImportManifest | None, new_manifest: ImportManifest
) -> list[str]:
    """Return the files of an earlier import that are not part of this one."""
    names = dict.fromkeys((*(old_manifest.file_hashes if old_manifest else ()), *_POST_FILE_NAMES))
    return [
        name for name in names if name not in new_manifest.file_hashes and (folder / name).is_file()
    ]


def _back_up_file(folder: Path, name: str, staging_folder: Path) -> str:
    backup = f"{name}{BACKUP_SUFFIX}"
    number = 2
    while (folder / backup).exists():
        backup = f"{name}{BACKUP_SUFFIX}-{number}"
        number += 1
    copy = staging_folder / f"{uuid4().hex}"
    shutil.copyfile(folder / name, copy)
    copy.replace(folder / backup)
    return backup
