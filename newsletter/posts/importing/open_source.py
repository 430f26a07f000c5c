"""Open a source that may hold several posts: export, feed, folder."""

from collections.abc import Sequence
from pathlib import Path

from newsletter.errors import Location, PostError, UsageError, display_path
from newsletter.posts.importing.source_post import PostCollection, SourceSettings
from newsletter.zip_files import is_zip_file

# The readers are imported where they are used: all of them take longer than reading a feed.
_HEAD_BYTES = 65_536
_MAX_ZIP_BYTES = 4_000_000_000  # unpacked; entries are read one by one


def open_source(names: Sequence[str], settings: SourceSettings) -> PostCollection | None:
    """Open files or a folder as a source of several posts; ``None`` if it is one post.

    Args:
        names: paths; several only for an export of WordPress that has several files.
        settings: what its reader needs.

    Raises:
        NewsletterError: it can't be read.
    """
    paths = [Path(name) for name in names]
    if len(paths) > 1:
        return _open_parts(paths, settings)
    (path,) = paths
    if path.is_dir() or (path.is_file() and is_zip_file(path)):
        return _open_folder(path, settings)
    return _open_file(path, settings) if path.is_file() else None


def _open_file(path: Path, settings: SourceSettings) -> PostCollection | None:
    from newsletter.posts.importing.sources.feeds.parse_feed import is_feed, open_feed_file
    from newsletter.posts.importing.sources.wordpress.export_text import is_wordpress_export

    head = _read_head(path)
    if is_wordpress_export(head):
        return _open_wordpress([path], settings)
    return open_feed_file(path, settings) if is_feed(head) else _open_other_file(path, settings)


def _open_other_file(path: Path, settings: SourceSettings) -> PostCollection | None:
    from newsletter.posts.importing.sources.beehiiv import is_beehiiv_export, open_beehiiv_export
    from newsletter.posts.importing.sources.buttondown import (
        is_buttondown_export,
        open_buttondown_export,
    )
    from newsletter.posts.importing.sources.ghost.open_export import open_ghost_export
    from newsletter.posts.importing.sources.ghost.read_tables import is_ghost_export

    if is_ghost_export(path):
        return open_ghost_export(path, settings)
    if is_beehiiv_export(path):
        return open_beehiiv_export(path, settings)
    return open_buttondown_export(path, settings) if is_buttondown_export(path) else None


def _open_wordpress(paths: Sequence[Path], settings: SourceSettings) -> PostCollection:
    from newsletter.posts.importing.sources.wordpress.open_export import open_wordpress_export

    return open_wordpress_export(paths, settings)


def _open_parts(paths: Sequence[Path], settings: SourceSettings) -> PostCollection:
    from newsletter.posts.importing.sources.wordpress.export_text import is_wordpress_export

    for path in paths:
        if not path.is_file() or not (is_zip_file(path) or is_wordpress_export(_read_head(path))):
            raise UsageError(
                f"several files are imported together only if they are parts of one WordPress "
                f"export; {path} is not",
                remedy="Import one file at a time.",
            )
    return _open_wordpress(paths, settings)


def _open_folder(path: Path, settings: SourceSettings) -> PostCollection | None:
    """Open the ZIP of an export, the folder that it was unpacked to, or a content folder."""
    from newsletter.posts.importing.sources.buttondown import (
        is_buttondown_export,
        open_buttondown_export,
    )
    from newsletter.posts.importing.sources.content_folder.folder import (
        is_content_folder,
        open_content_folder,
    )
    from newsletter.posts.importing.sources.medium import is_medium_export, open_medium_export
    from newsletter.posts.importing.sources.substack import is_substack_export, open_substack_export
    from newsletter.posts.importing.sources.wordpress.open_export import is_wordpress_zip
    from newsletter.posts.importing.sources.zip_guard import open_zip

    if is_substack_export(path):
        return open_substack_export(path, settings)
    if is_medium_export(path):
        return open_medium_export(path, settings)
    if is_buttondown_export(path):
        return open_buttondown_export(path, settings)
    if path.is_dir():
        return open_content_folder(path, settings) if is_content_folder(path) else None
    with open_zip(path, max_total_bytes=_MAX_ZIP_BYTES, max_entry_bytes=_MAX_ZIP_BYTES) as folder:
        is_wordpress = is_wordpress_zip(folder)
    if is_wordpress:
        return _open_wordpress([path], settings)
    raise PostError(
        "there is no export in the ZIP that is understood",
        where=Location(display_path(path)),
        remedy="Exports of WordPress, Substack, Medium and Buttondown are. Unpack another one, and "
        "import its folder.",
    )


def _read_head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError:
        return b""
