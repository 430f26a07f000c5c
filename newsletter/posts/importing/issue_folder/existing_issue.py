"""Find the issue of an earlier import; refuse to overwrite it."""

import datetime
import re
from itertools import count
from pathlib import Path

from newsletter.errors import Location, PostError
from newsletter.posts.importing.issue_folder.manifest import diff_files, read_manifest
from newsletter.posts.importing.read_file import PostSource
from newsletter.posts.slug import MAX_SLUG_LENGTH, SHORT_SLUG_LENGTH, slugify
from newsletter.project import ISSUE_NAME_PATTERN, Project, display_path, list_issue_folders

BACKUP_SUFFIX = ".before-update"


def find_issue_by_source(project: Project, source: PostSource, slug: str) -> Path | None:
    """Return the newest issue imported from the same bytes, whatever its name is now."""
    for folder in reversed(list_issue_folders(project)):
        manifest = read_manifest(folder)
        if manifest and manifest.source_hash == source.sha256 and slug in {"", _get_slug(folder)}:
            return folder
    return None


def find_issue_by_slug(
    project: Project,
    slug: str,
    source: PostSource,
    date: datetime.date | None,
    *,
    allow_number: bool,
) -> Path | None:
    """Return the newest issue with a slug: a post imported on another day is the same issue.

    A post with a date of its own, from another file than an issue of another date, is another
    post: two letters may have one title.

    Args:
        project: the project to search.
        slug: the issue's name without its date.
        source: the post.
        date: its own date, if it has one.
        allow_number: whether an issue from the same file may have a number after its slug, or a
            longer slug, as imports of earlier versions made them.
    """
    names = {
        folder: manifest.source_name if (manifest := read_manifest(folder)) else ""
        for folder in list_issue_folders(project)
        if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", _get_slug(folder))
        or (allow_number and _shorten(_get_slug(folder)) == slug)
    }
    folders = [folder for folder in names if _get_slug(folder) == slug]
    for folder in reversed(names if allow_number else folders):
        if source.file_name and names[folder] == source.file_name:
            return folder
    if date is not None:
        folders = [
            folder for folder in folders if get_folder_date(folder) == date or not names[folder]
        ]
    return folders[-1] if folders else None


def list_issues_of_file(
    project: Project, source: PostSource, date: datetime.date
) -> tuple[str, ...]:
    """Return the names of a day's issues that were imported from a file of the same name."""
    return tuple(
        folder.name
        for folder in list_issue_folders(project)
        if get_folder_date(folder) == date
        and source.file_name
        and (manifest := read_manifest(folder))
        and manifest.source_name == source.file_name
    )


def find_free_slug(project: Project, slug: str) -> str:
    """Return ``slug`` with the first number that no issue has."""
    used = {_get_slug(folder) for folder in list_issue_folders(project)}
    stem = slug[: MAX_SLUG_LENGTH - 4].rstrip("-")
    return next(name for n in count(2) if (name := f"{stem}-{n}") not in used)


def _get_slug(folder: Path) -> str:
    match = ISSUE_NAME_PATTERN.match(folder.name)
    return match["slug"] if match else ""


def _shorten(slug: str) -> str:
    return slugify(slug, SHORT_SLUG_LENGTH)


def get_folder_date(folder: Path) -> datetime.date:
    """Return the date in an issue folder's name."""
    return datetime.date.fromisoformat(folder.name[:10])


def make_refusal_error(
    post_path: Path, staging_folder: Path, edited_files: tuple[str, ...], free_slug: str
) -> PostError:
    """Explain why nothing was changed; the first remedy never overwrites another post."""
    old_manifest = read_manifest(post_path.parent)
    new_manifest = read_manifest(staging_folder)
    name = old_manifest.source_name if old_manifest else ""
    is_same_source = bool(name and new_manifest and new_manifest.source_name == name)
    changes = ""
    backup = ""
    if old_manifest is None or edited_files:
        changes = diff_files(post_path, staging_folder / post_path.name)
        backup = f"; your version is kept as {post_path.name}{BACKUP_SUFFIX}"
    if old_manifest is None:
        message = "an issue with this name exists and was not imported; nothing was changed"
    elif edited_files:
        files = ", ".join(edited_files)
        message = f"{files} was edited since it was imported; nothing was changed"
    elif is_same_source or not name:
        message = "the post differs from the one imported here before"
    else:
        message = f"the issue was imported from another post, {name}"
    return PostError(
        message + (f"\n{changes}\n" if changes else ""),
        where=Location(display_path(post_path)),
        remedy=(
            f"Replace it with --update{backup}. "
            f"To import the post as a new issue, use: --slug {free_slug}"
            if is_same_source
            else f"To import the post as a new issue, use: --slug {free_slug}. "
            f"Replace the other one with --update only if it is the same post{backup}."
        ),
    )
