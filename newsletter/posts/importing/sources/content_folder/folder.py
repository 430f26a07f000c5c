"""``ContentFolder``, the posts of a content folder or a git checkout."""

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from newsletter.posts.importing.source_post import (
    PostCollection,
    SourcePost,
    SourceSettings,
    UnreadablePost,
)
from newsletter.posts.importing.sources.content_folder.classify_file import (
    POST_SUFFIXES,
    FileClassifier,
)
from newsletter.posts.importing.sources.content_folder.find_post_url import PostUrlFinder
from newsletter.posts.importing.sources.content_folder.find_site import find_site
from newsletter.posts.importing.sources.content_folder.folder_defaults import DefaultsFinder
from newsletter.posts.importing.sources.content_folder.read_post_file import (
    NotPost,
    PostFileReader,
)
from newsletter.posts.importing.sources.content_folder.site import NEVER_SEARCHED, ContentSite
from newsletter.posts.importing.sources.content_folder.walk import walk_files

_MAX_FILES_LOOKED_AT = 2_000


class ContentFolder:
    """The posts of a folder of a site, or of a folder of Markdown files.

    Args:
        folder: the folder, absolute, without symbolic links.
        site: the site that it belongs to.
        reader: reads a file.
    """

    def __init__(self, folder: Path, site: ContentSite, reader: PostFileReader) -> None:
        self._folder = folder
        self._site = site
        self._reader = reader
        self._classifier = FileClassifier(site)
        self._urls = PostUrlFinder(site, reader, lambda: list(self._iter_files(Counter())))
        self._others: Counter[str] = Counter()

    @property
    def description(self) -> str:
        """What it is: ``"Hugo site"``, ``"folder of Markdown files"``."""
        generator = self._site.generator
        return "folder of Markdown files" if generator == "Markdown" else f"{generator} site"

    def iter_posts(self) -> Iterator[SourcePost | UnreadablePost]:
        """Yield the posts of the folder, in the order of their paths."""
        others: Counter[str] = Counter()
        if self._site.unreadable:
            others["settings files that can't be read"] = len(self._site.unreadable)
        self._others = others
        for top in self._list_tops():
            for file in walk_files(top, self._site.root, self._classifier.is_skipped, others):
                reason = self._classifier.find_reason(file)
                if reason is not None:
                    others.update([reason] if reason else [])
                    continue
                post = self._reader.read(file, self._urls.make_finder(file))
                if isinstance(post, NotPost):
                    others[post.what] += 1
                else:
                    yield post

    def list_other_items(self) -> Mapping[str, int]:
        """Return what else is in the folder, and how often."""
        return dict(sorted(self._others.items()))

    def _list_tops(self) -> list[Path]:
        """Return the folders that are walked: the folder, or the content folders in it."""
        folder, roots = self._folder, [root.path for root in self._site.roots]
        if any(folder.is_relative_to(root) for root in roots):
            return [folder]
        below = sorted(root for root in roots if root.is_relative_to(folder))
        outermost = [
            root
            for root in below
            if not any(root != other and root.is_relative_to(other) for other in below)
        ]
        return outermost or [folder]

    def _iter_files(self, others: Counter[str]) -> Iterator[Path]:
        """Yield the files that may be posts of the whole site."""
        for root in self._site.roots:
            for file in walk_files(root.path, self._site.root, self._classifier.is_skipped, others):
                if self._classifier.find_reason(file) is None:
                    yield file


def is_content_folder(path: Path) -> bool:
    """Return whether a path is a folder of a site, or has a file in it that may be a post."""
    if not path.is_dir():
        return False
    folder = path.resolve()
    if find_site(folder).generator != "Markdown":
        return True
    files = walk_files(
        folder,
        folder,
        lambda inner: inner.name.startswith(".") or inner.name in NEVER_SEARCHED,
        Counter(),
    )
    looked_at = (file for _, file in zip(range(_MAX_FILES_LOOKED_AT), files, strict=False))
    return any(file.suffix.lower() in POST_SUFFIXES for file in looked_at)


def open_content_folder(path: Path, settings: SourceSettings) -> PostCollection:
    """Open a folder of posts; what makes the site is told from its settings' files.

    Args:
        path: the root of a site or a repository, its content folder, or one in it.
        settings: the newsletter's settings.
    """
    folder = path.resolve()
    site = find_site(folder)
    if not site.base_url and settings.base_url:
        site = replace(site, base_url=settings.base_url)
    defaults = DefaultsFinder(site, settings.max_post_bytes)
    now = datetime.datetime.now(settings.timezone)
    return ContentFolder(folder, site, PostFileReader(site, settings, defaults, now))
