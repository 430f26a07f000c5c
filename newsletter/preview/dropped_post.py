"""Import a dropped post, as ``newsletter import`` does."""

import datetime
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.checks.import_comparison import compare_import
from newsletter.errors import Location, NewsletterError, PostError, display_path
from newsletter.posts.content_loss.describe import summarize_losses
from newsletter.posts.importing.import_post import ImportOptions, import_post
from newsletter.project import Project

MAX_DROPPED_BYTES = 5_000_000
# The name of its folder, by which a later import recognizes the same file.
_FOLDER_NAME = "dropped"
_SUFFIXES = (".md", ".markdown", ".mdx", ".html", ".htm", ".xhtml", ".txt")
_MAX_NAME_BYTES = 200


def import_dropped_post(project: Project, file_name: str, data: bytes) -> dict[str, Any]:
    """Import a post's file; return the issue's name and what the page tells about it.

    Images beside it are not at hand: the issue's own problems tell where to save them.

    Raises:
        NewsletterError: the file is not a post, or would overwrite an issue; nothing is written.
    """
    name = PurePosixPath(file_name.replace("\\", "/")).name
    if not name.lower().endswith(_SUFFIXES) or name.startswith("."):
        raise PostError(
            f"'{name}' is not a post",
            remedy="Drop a Markdown, HTML or text file: .md, .html or .txt.",
        )
    if "\0" in name or len(name.encode()) > _MAX_NAME_BYTES:
        raise PostError("the file's name is too long or not valid", remedy="Rename the file.")
    today = datetime.datetime.now(ZoneInfo(project.config.timezone)).date()
    with tempfile.TemporaryDirectory(prefix="newsletter-") as work:
        path = Path(work).resolve() / _FOLDER_NAME / name
        path.parent.mkdir()
        path.write_bytes(data)
        try:
            result = import_post(project, str(path), ImportOptions(today))
        except NewsletterError as error:
            raise _hide_folder(error, path) from error
    comparison = compare_import(result, name, project.config)
    return {
        "issue": result.post_path.parent.name,
        "path": display_path(result.post_path),
        "state": result.state,
        "title": result.imported_post.title,
        "settings": [note._asdict() for note in result.imported_post.setting_notes],
        "removed": [
            entry._asdict() for entry in (*result.imported_post.removed, *comparison.removed)
        ],
        "set_aside": [entry._asdict() for entry in result.imported_post.set_aside],
        "lost": [*summarize_losses(comparison.losses)],
    }


def _hide_folder(error: NewsletterError, path: Path) -> NewsletterError:
    """Return the error with the file's own name instead of its temporary path."""
    problems = [
        problem._replace(
            where=Location(path.name, problem.where.line)
            if problem.where and problem.where.path == str(path)
            else problem.where
        )
        for problem in error.problems
    ]
    return PostError.from_problems(problems)
