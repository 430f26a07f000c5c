"""Open a source that holds several posts: export, feed, folder."""

from collections.abc import Sequence
from pathlib import Path

from newsletter.errors import UsageError
from newsletter.posts.importing.source_post import PostCollection, SourceSettings

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
    if len(paths) == 1 and paths[0].is_dir():
        return None
    if len(paths) > 1:
        raise UsageError(
            "several files are imported together only if they are parts of one export",
            remedy="Import one file at a time.",
        )
    return None
