"""Write an imported post as an issue's folder, or update an earlier import.

A manifest beside the post records what an import wrote, so that a later import can detect whether
the source changed, whether the editor changed the post, or both. No edit is ever lost.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from uuid import uuid4

from newsletter.errors import Problem
from newsletter.posts.importing.imported_post import ImportedPost
from newsletter.posts.importing.issue_folder.existing_issue import BACKUP_SUFFIX, make_refusal_error
from newsletter.posts.importing.issue_folder.front_matter_writer import format_post_file
from newsletter.posts.importing.issue_folder.manifest import (
    MANIFEST_FILE_NAME,
    ImportManifest,
    hash_file,
    read_manifest,
    write_manifest,
)
from newsletter.posts.importing.post_identity import PostIdentity
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
        not_copied: the images that were not copied, each with its remedy.
        source_format: syntax of ``source_text`` if it is not a file's; its name tells it then.
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
    source_format: Literal["html", "md", ""] = ""


@dataclass(frozen=True, slots=True)
class IssueFiles:
    """An imported post and the files that become its issue.

    Attributes:
        imported_post: the post.
        images: path inside the issue's folder (with ``/``) -> file to copy there, or its bytes.
        not_copied: the images that were not copied, each with its remedy.
        source_text: the post before its import.
        source_hash: SHA-256 of its source, hex.
        source_name: the source's file and folder; empty if it is not a file.
        source_format: syntax of ``source_text`` if it is not a file's.
        identity: by what a later import recognizes the post, if it is one of many.
    """

    imported_post: ImportedPost
    images: Mapping[str, Path | bytes]
    not_copied: tuple[Problem, ...]
    source_text: str
    source_hash: str
    source_name: str = ""
    source_format: Literal["html", "md", ""] = ""
    identity: PostIdentity | None = None


def write_issue_folder(  # noqa: PLR0913 - the files, and what may be done with an issue that is there
    project: Project,
    files: IssueFiles,
    folder: Path,
    *,
    free_slug: str = "",
    update: bool = False,
    has_kept_lines: bool = False,
    is_durable: bool = True,
) -> ImportResult:
    """Write an issue's folder at once, or update it.

    Args:
        project: the editor's folder.
        files: what is written.
        folder: the issue's folder; if it exists, it is updated.
        free_slug: another slug, for the remedy if the folder is another post's.
        update: whether an existing issue may be overwritten.
        has_kept_lines: whether lines are kept that an earlier import removed.
        is_durable: whether a new issue must survive a power cut when this returns; otherwise the
            caller sees to that.

    Raises:
        NewsletterError: it would overwrite an issue; nothing is written.
    """
    is_new = not folder.exists()
    durable = is_durable or not is_new
    with _stage_issue(project, files, durable=durable) as staging_folder:
        result = ImportResult(
            post_path=folder / f"post.{files.imported_post.body_format}",
            state="new",
            imported_post=files.imported_post,
            image_names=tuple(files.images),
            source_text=files.source_text,
            not_copied=files.not_copied,
            source_format=files.source_format,
        )
        if is_new:
            staging_folder.rename(folder)
            return result
        return _update_issue(
            result, staging_folder, free_slug, update=update, has_kept_lines=has_kept_lines
        )


@contextmanager
def _stage_issue(project: Project, files: IssueFiles, *, durable: bool) -> Iterator[Path]:
    """Yield a temporary folder with all files of the issue; it is deleted unless renamed."""
    imported_post = files.imported_post
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
            write_public_file(folder / name, text.encode(), durable=durable)
        for name, image in files.images.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(image, bytes):
                write_public_file(folder / name, image)
            else:
                shutil.copyfile(image, folder / name)
        write_manifest(
            folder, files.source_hash, files.source_name, files.identity, durable=durable
        )
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _update_issue(
    result: ImportResult,
    staging_folder: Path,
    free_slug: str,
    *,
    update: bool,
    has_kept_lines: bool,
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
    if not update:
        same_source = old_manifest and old_manifest.source_hash == new_manifest.source_hash
        if post_file and same_source and not has_kept_lines:
            return replace(
                result, state="unchanged", post_path=post_file, edited_files=edited_files
            )
        brings_back_post = same_source and not post_file
        if edited_files or not (has_kept_lines or brings_back_post):
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
