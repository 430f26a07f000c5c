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
from newsletter.posts.importing.cleanup.paragraph import SetAside
from newsletter.posts.importing.copy_images import gather
from newsletter.posts.importing.front_matter_writer import compose
from newsletter.posts.importing.imported_post import Manuscript, read_manuscript
from newsletter.posts.importing.manifest import (
    RECORD,
    Record,
    difference,
    digest,
    read_record,
    write_record,
)
from newsletter.posts.importing.read_file import Source, read_source
from newsletter.posts.slug import LIMIT, SLUG, slugify
from newsletter.project import ISSUE_NAME_PATTERN, Project, display_path, list_issue_folders

SET_ASIDE = "set-aside.txt"
BACKUP = ".before-update"
_POSTS = ("post.md", "post.html")


@dataclass(frozen=True, slots=True)
class Filed:
    """What an import did.

    Attributes:
        post: the file that holds the post now.
        state: whether the folder was made, left as it was, or written again.
        manuscript: what was read.
        pictures: names of the pictures beside the post.
        edited: files that the editor changed since they were imported.
        backups: copies of them, where they were written over.
    """

    post: Path
    state: Literal["new", "unchanged", "updated"]
    manuscript: Manuscript
    pictures: tuple[str, ...]
    edited: tuple[str, ...] = ()
    backups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
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


def import_post(project: Project, name: str, order: Order) -> Filed:
    """Read a post and file it as ``issues/<date>-<slug>/``.

    Args:
        project: the editor's folder.
        name: the post's path, or ``-`` for standard input.
        order: what the editor asked for.

    Raises:
        NewsletterError: the post cannot be read, or would write over something; nothing is written.
    """
    limits = project.config.limits
    _check_slug(order.slug)
    source = read_source(name, limits.post_bytes)
    read = read_manuscript(source.text, name, language=project.config.language, keep=order.keep)
    pictures = gather(read, source, limits.image_bytes)
    slug = order.slug or read.slug
    if not slug:
        raise PostError(
            f"no folder can be named after '{read.title}'",
            where=Location(name),
            remedy="Name it with --slug, such as: --slug spring-in-the-harbour",
        )
    found = _known(project, source, slug if order.slug else "") or _named(project, slug)
    date = _date_of(found) if found else order.date or read.date or order.today
    manuscript = replace(
        pictures.manuscript, front={**pictures.manuscript.front, "date": read.date or date}
    )
    with _staged(project, manuscript, pictures.files, source) as staged:
        filed = Filed(
            post=(found or project.issues_dir / f"{date}-{slug}") / f"post.{manuscript.format}",
            state="new",
            manuscript=manuscript,
            pictures=tuple(pictures.files),
        )
        if found is None:
            staged.rename(filed.post.parent)
            return filed
        return _settle(filed, staged, order)


def _check_slug(slug: str) -> None:
    if slug and (not SLUG.fullmatch(slug) or len(slug) > LIMIT):
        example = slugify(slug) or "spring-in-the-harbour"
        raise UsageError(
            f"--slug '{slug}' cannot name an issue",
            remedy=f"Small letters, digits and hyphens, {LIMIT} at most: --slug {example}",
        )


def _known(project: Project, source: Source, slug: str) -> Path | None:
    """The newest issue made from this very source, whatever it is called now."""
    for folder in reversed(list_issue_folders(project)):
        record = read_record(folder)
        if record and record.source == source.sha and slug in {"", _slug_of(folder)}:
            return folder
    return None


def _named(project: Project, slug: str) -> Path | None:
    """The newest issue of that slug: a post imported on another day is still the same issue."""
    folders = [folder for folder in list_issue_folders(project) if _slug_of(folder) == slug]
    return folders[-1] if folders else None


def _slug_of(folder: Path) -> str:
    named = ISSUE_NAME_PATTERN.match(folder.name)
    return named["slug"] if named else ""


def _date_of(folder: Path) -> datetime.date:
    return datetime.date.fromisoformat(folder.name[:10])


@contextmanager
def _staged(
    project: Project, manuscript: Manuscript, pictures: Mapping[str, Path], source: Source
) -> Iterator[Path]:
    """A folder beside the issues with all that the issue will hold; gone if it was not taken."""
    folder = project.issues_dir / f".importing-{uuid4().hex}"
    try:
        folder.mkdir(parents=True)
        post = f"post.{manuscript.format}"
        _write(folder / post, compose(manuscript))
        if manuscript.set_aside:
            _write(folder / SET_ASIDE, _account(manuscript.set_aside))
        for name, file in pictures.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / name)
        write_record(folder, source.sha)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _account(entries: Collection[SetAside]) -> str:
    return "\n".join(
        f"line {entry.line}: {entry.why}; keep it with --keep {entry.line}\n    {entry.text}\n"
        for entry in entries
    )


def _settle(filed: Filed, staged: Path, order: Order) -> Filed:
    """Bring what was staged into an issue that is there, if that is what the editor wants."""
    folder = filed.post.parent
    record = read_record(folder)
    new = read_record(staged)
    assert new is not None  # written a moment ago
    edited = _edited(folder, record, new)
    if not order.update:
        if record and record.source == new.source and not order.keep:
            return replace(filed, state="unchanged", post=_post_in(folder), edited=edited)
        if edited or not order.keep:
            raise _refusal(filed, staged, record, edited)
    if record == new and not edited:
        return replace(filed, state="unchanged")
    backups = tuple(_back_up(folder, name, staged) for name in edited)
    for name in sorted(new.files, key=lambda name: name in _POSTS):  # the post comes last
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (staged / name).replace(folder / name)
    for name in _left(folder, record, new):
        (folder / name).unlink(missing_ok=True)
    (staged / RECORD).replace(folder / RECORD)
    return replace(filed, state="updated", edited=edited, backups=backups)


def _edited(folder: Path, record: Record | None, new: Record) -> tuple[str, ...]:
    """Files that an update would write over or remove and that no import wrote so."""
    names = dict.fromkeys((*new.files, *_left(folder, record, new)))
    known = record.files if record else {}
    return tuple(
        name
        for name in names
        if (folder / name).is_file()
        and digest(folder / name) not in {known.get(name), new.files.get(name)}
    )


def _left(folder: Path, record: Record | None, new: Record) -> list[str]:
    """Files of an earlier import that this one has no use for."""
    names = dict.fromkeys((*(record.files if record else ()), *_POSTS))
    return [name for name in names if name not in new.files and (folder / name).is_file()]


def _post_in(folder: Path) -> Path:
    return next(folder / name for name in _POSTS if (folder / name).is_file())


def _refusal(
    filed: Filed, staged: Path, record: Record | None, edited: tuple[str, ...]
) -> PostError:
    where = Location(display_path(filed.post))
    another = "To file the post as another issue, give it a name of its own with --slug."
    if record is None:
        message = "there is an issue by this name that no import made"
    elif edited:
        message = f"{', '.join(edited)} was edited since it was imported"
    else:
        return PostError(
            "the post is another one than was imported here",
            where=where,
            remedy=f"Take it over with --update. {another}",
        )
    changes = difference(filed.post, staged / filed.post.name)
    return PostError(
        f"{message}; nothing was changed" + (f"\n{changes}\n" if changes else ""),
        where=where,
        remedy=f"With --update it is replaced, and kept as {filed.post.name}{BACKUP}. {another}",
    )


def _back_up(folder: Path, name: str, staged: Path) -> str:
    backup = f"{name}{BACKUP}"
    number = 2
    while (folder / backup).exists():
        backup = f"{name}{BACKUP}-{number}"
        number += 1
    copy = staged / f"{uuid4().hex}"
    shutil.copyfile(folder / name, copy)
    copy.replace(folder / backup)
    return backup
