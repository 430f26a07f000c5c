"""Open a source that may hold several posts: export, feed, folder."""

from collections.abc import Sequence
from pathlib import Path

from newsletter.errors import UsageError
from newsletter.posts.importing.source_post import PostCollection, SourceSettings
from newsletter.posts.importing.sources.content_folder.folder import (
    is_content_folder,
    open_content_folder,
)
from newsletter.posts.importing.sources.feeds.parse_feed import is_feed, open_feed_file
from newsletter.posts.importing.sources.ghost.open_export import open_ghost_export
from newsletter.posts.importing.sources.ghost.read_tables import is_ghost_export

_HEAD_BYTES = 65_536


def open_source(names: Sequence[str], settings: SourceSettings) -> PostCollection | None:
    """Open files or a folder as a source of several posts; ``None`` if it is one post.

    Args:
        names: paths; several only for an export that has several files.
        settings: what its reader needs.

    Raises:
        NewsletterError: it can't be read.
    """
    paths = [Path(name) for name in names]
    if len(paths) > 1:
        raise UsageError(
            "several files are imported together only if they are parts of one WordPress export",
            remedy="Import one file at a time.",
        )
    (path,) = paths
    if is_content_folder(path):
        return open_content_folder(path, settings)
    if not path.is_file():
        return None  # whoever reads it as a post says what is wrong
    if is_feed(_read_head(path)):
        return open_feed_file(path, settings)
    if is_ghost_export(path):
        return open_ghost_export(path, settings)
    return None


def _read_head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError:
        return b""
