"""Import a post: file it as an issue's folder, and know it again when it comes back.

What an import wrote is recorded beside the post, so that a later one can tell whether the source
changed, whether the editor did, or both. Nothing that an editor wrote is lost.
"""

import datetime
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from uuid import uuid4

from newsletter.errors import Location, PostError, UsageError
from newsletter.posts.importing.cleanup.paragraph import SetAsideLine
from newsletter.posts.importing.copy_images import collect_images
from newsletter.posts.importing.front_matter_writer import format_post_file
from newsletter.posts.importing.imported_post import ImportedPost, parse_imported_post
from newsletter.posts.importing.manifest import (
    MANIFEST_FILE_NAME,
    ImportManifest,
    diff_files,
    hash_file,
    read_manifest,
    write_manifest,
)
from newsletter.posts.importing.read_file import PostSource, read_post_source
from newsletter.posts.slug import MAX_SLUG_LENGTH, SLUG_PATTERN, slugify
from newsletter.project import ISSUE_NAME_PATTERN, Project, display_path, list_issue_folders

SET_ASIDE_FILE_NAME = "set-aside.txt"
BACKUP_SUFFIX = ".before-update"
_POST_FILE_NAMES = ("post.md", "post.html")


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did.

    Attributes:
        post_path: the file that holds the post now.
        state: whether the folder was made, left as it was, or written again.
        imported_post: what was read.
        image_names: names of the pictures beside the post.
        edited_files: files that the editor changed since they were imported.
        backup_files: copies of them, where they were written over.
    """

    post_path: Path
    state: Literal["new", "unchanged", "updated"]
    imported_post: ImportedPost
    image_names: tuple[str, ...]
    edited_files: tuple[str, ...] = ()
    backup_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the editor asked for.

    Attributes:
        slug: the issue's name without its date; made from the title where empty.
        date: the issue's date; the post's own where ``None``.
        today: the date of an issue whose post tells none.
        keep: lines (1-based) of the source that stay, whatever they look like.
        update: whether an issue that is there may be written again.
    """

    today: datetime.date
    slug: str = ""
    date: datetime.date | None = None
    keep: tuple[int, ...] = ()
    update: bool = False


def import_post(project: Project, source_name: str, options: ImportOptions) -> ImportResult:
    """Read a post and file it as ``issues/<date>-<slug>/``.

    Args:
        project: the editor's folder.
        source_name: the post's path, or ``-`` for standard input.
        options: what the editor asked for.

    Raises:
        NewsletterError: the post cannot be read, or would write over something; nothing is written.
    """
    limits = project.config.limits
    _check_slug(options.slug)
    source = read_post_source(source_name, limits.post_bytes)
    read = parse_imported_post(
        source.text, source_name, language=project.config.language, keep=options.keep
    )
    pictures = collect_images(read, source, limits.image_bytes)
    slug = options.slug or read.slug
    if not slug:
        raise PostError(
            f"no folder can be named after '{read.title}'",
            where=Location(source_name),
            remedy="Name it with --slug, such as: --slug spring-in-the-harbour",
        )
    found = _find_issue_by_source(
        project, source, slug if options.slug else ""
    ) or _find_issue_by_slug(project, slug)
    date = _get_date(found) if found else options.date or read.date or options.today
    manuscript = replace(
        pictures.imported_post,
        front_matter={**pictures.imported_post.front_matter, "date": read.date or date},
    )
    with _stage_issue(project, manuscript, pictures.files, source) as staged:
        filed = ImportResult(
            post_path=(found or project.issues_dir / f"{date}-{slug}")
            / f"post.{manuscript.body_format}",
            state="new",
            imported_post=manuscript,
            image_names=tuple(pictures.files),
        )
        if found is None:
            staged.rename(filed.post_path.parent)
            return filed
        return _update_issue(filed, staged, options)


def _check_slug(slug: str) -> None:
    if slug and (not SLUG_PATTERN.fullmatch(slug) or len(slug) > MAX_SLUG_LENGTH):
        example = slugify(slug) or "spring-in-the-harbour"
        raise UsageError(
            f"--slug '{slug}' cannot name an issue",
            remedy=(
                f"Small letters, digits and hyphens, {MAX_SLUG_LENGTH} at most: --slug {example}"
            ),
        )


def _find_issue_by_source(project: Project, source: PostSource, slug: str) -> Path | None:
    """The newest issue made from this very source, whatever it is called now."""
    for folder in reversed(list_issue_folders(project)):
        record = read_manifest(folder)
        if record and record.source_hash == source.sha256 and slug in {"", _get_slug(folder)}:
            return folder
    return None


def _find_issue_by_slug(project: Project, slug: str) -> Path | None:
    """The newest issue of that slug: a post imported on another day is still the same issue."""
    folders = [folder for folder in list_issue_folders(project) if _get_slug(folder) == slug]
    return folders[-1] if folders else None


def _get_slug(folder: Path) -> str:
    named = ISSUE_NAME_PATTERN.match(folder.name)
    return named["slug"] if named else ""


def _get_date(folder: Path) -> datetime.date:
    return datetime.date.fromisoformat(folder.name[:10])


@contextmanager
def _stage_issue(
    project: Project,
    imported_post: ImportedPost,
    image_files: Mapping[str, Path],
    source: PostSource,
) -> Iterator[Path]:
    """A folder beside the issues with all that the issue will hold; gone if it was not taken."""
    folder = project.issues_dir / f".importing-{uuid4().hex}"
    try:
        folder.mkdir(parents=True)
        post = f"post.{imported_post.body_format}"
        _write_text(folder / post, format_post_file(imported_post))
        if imported_post.set_aside:
            _write_text(folder / SET_ASIDE_FILE_NAME, _format_set_aside(imported_post.set_aside))
        for name, file in image_files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / name)
        write_manifest(folder, source.sha256)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _format_set_aside(set_aside: Collection[SetAsideLine]) -> str:
    return "\n".join(
        f"line {entry.line}: {entry.why}; keep it with --keep {entry.line}\n    {entry.text}\n"
        for entry in set_aside
    )


def _update_issue(
    result: ImportResult, staging_folder: Path, options: ImportOptions
) -> ImportResult:
    """Bring what was staged into an issue that is there, if that is what the editor wants."""
    folder = result.post_path.parent
    record = read_manifest(folder)
    new = read_manifest(staging_folder)
    assert new is not None  # written a moment ago
    edited = _find_edited_files(folder, record, new)
    if not options.update:
        if record and record.source_hash == new.source_hash and not options.keep:
            return replace(
                result, state="unchanged", post_path=_find_post_file(folder), edited_files=edited
            )
        if edited or not options.keep:
            raise _refusal_error(result, staging_folder, record, edited)
    if record == new and not edited:
        return replace(result, state="unchanged")
    backups = tuple(_back_up_file(folder, name, staging_folder) for name in edited)
    for name in sorted(
        new.file_hashes, key=lambda name: name in _POST_FILE_NAMES
    ):  # the post comes last
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (staging_folder / name).replace(folder / name)
    for name in _find_obsolete_files(folder, record, new):
        (folder / name).unlink(missing_ok=True)
    (staging_folder / MANIFEST_FILE_NAME).replace(folder / MANIFEST_FILE_NAME)
    return replace(result, state="updated", edited_files=edited, backup_files=backups)


def _find_edited_files(
    folder: Path, old_manifest: ImportManifest | None, new_manifest: ImportManifest
) -> tuple[str, ...]:
    """Files that an update would write over or remove and that no import wrote so."""
    names = dict.fromkeys(
        (*new_manifest.file_hashes, *_find_obsolete_files(folder, old_manifest, new_manifest))
    )
    known = old_manifest.file_hashes if old_manifest else {}
    return tuple(
        name
        for name in names
        if (folder / name).is_file()
        and hash_file(folder / name) not in {known.get(name), new_manifest.file_hashes.get(name)}
    )


def _find_obsolete_files(
    folder: Path, old_manifest: ImportManifest | None, new_manifest: ImportManifest
) -> list[str]:
    """Files of an earlier import that this one has no use for."""
    names = dict.fromkeys((*(old_manifest.file_hashes if old_manifest else ()), *_POST_FILE_NAMES))
    return [
        name for name in names if name not in new_manifest.file_hashes and (folder / name).is_file()
    ]


def _find_post_file(folder: Path) -> Path:
    return next(folder / name for name in _POST_FILE_NAMES if (folder / name).is_file())


def _refusal_error(
    result: ImportResult,
    staging_folder: Path,
    old_manifest: ImportManifest | None,
    edited_files: tuple[str, ...],
) -> PostError:
    where = Location(display_path(result.post_path))
    another = "To file the post as another issue, give it a name of its own with --slug."
    if old_manifest is None:
        message = "there is an issue by this name that no import made"
    elif edited_files:
        message = f"{', '.join(edited_files)} was edited since it was imported"
    else:
        return PostError(
            "the post is another one than was imported here",
            where=where,
            remedy=f"Take it over with --update. {another}",
        )
    changes = diff_files(result.post_path, staging_folder / result.post_path.name)
    return PostError(
        f"{message}; nothing was changed" + (f"\n{changes}\n" if changes else ""),
        where=where,
        remedy=(
            "With --update it is replaced, and kept as "
            f"{result.post_path.name}{BACKUP_SUFFIX}. {another}"
        ),
    )


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
