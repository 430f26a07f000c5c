"""Find the post that a link in another post of the site means, and its URL."""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from newsletter.posts.importing.sources.content_folder.classify_file import POST_SUFFIXES
from newsletter.posts.importing.sources.content_folder.read_post_file import PostFileReader
from newsletter.posts.importing.sources.content_folder.site import ContentSite

_CACHED_POSTS = 2_000
_MAX_LENGTH = 300  # characters of a path
_ENDINGS = (
    "",
    ".md",
    ".markdown",
    ".mdx",
    ".html",
    "/index.md",
    "/index.mdx",
    "/index.html",
    "/_index.md",
)
_DATE_START = re.compile(r"\d{4}-\d{1,2}-\d{1,2}-")


class PostUrlFinder:
    """Finder of the URLs of posts by their files' paths or names.

    Args:
        site: the site.
        reader: reads a post.
        list_files: returns the paths of all files that may be posts; asked only for links that
            have a name without a path.
    """

    def __init__(
        self, site: ContentSite, reader: PostFileReader, list_files: Callable[[], "list[Path]"]
    ) -> None:
        self._site = site
        self._list_files = list_files
        self._files_by_name: dict[str, Path | None] | None = None
        self._get_url = lru_cache(_CACHED_POSTS)(reader.read_url)

    def make_finder(self, file: Path) -> Callable[[str], str]:
        """Return the function that a post's links are looked up with."""
        return partial(self._find_url, file)

    def _find_url(self, from_file: Path, reference: str) -> str:
        path, mark, rest = re.match(r"([^?#]*)([?#]?)(.*)", reference, re.DOTALL).groups()  # type: ignore[union-attr]
        path = unquote(path.strip())
        if not path or len(path) > _MAX_LENGTH or "\n" in path or "{" in path or "//" in path:
            return ""
        file = self._find_file(from_file, path)
        url = self._get_url(file) if file else self._find_static_file(path)
        return f"{url}{mark}{rest}" if url else ""

    def _find_file(self, from_file: Path, path: str) -> Path | None:
        content = self._site.get_root(from_file).path
        if path.startswith("@/"):
            folders, path = [content], path[2:]
        elif path.startswith("/"):
            folders = [content, self._site.root]
        else:
            folders = [from_file.parent, content, self._site.root]
            if self._site.generator == "Jekyll":
                folders += [content / "_posts", content / "_drafts"]
        names = [f"{path.strip('/')}{ending}" for ending in _ENDINGS]
        if self._site.generator == "Hugo":  # a link leads to the same language
            language = from_file.stem.rpartition(".")[2]
            if language in self._site.languages:
                name = path.strip("/").removesuffix(".md")
                names = [f"{name}.{language}.md", f"{name}/index.{language}.md", *names]
        for folder in folders:
            for name in names:
                file = folder / name
                if file.suffix.lower() in POST_SUFFIXES and self._is_inside(file):
                    return file.resolve()
        return self._find_by_name(path) if not re.match(r"[./]", path) else None

    def _find_static_file(self, path: str) -> str:
        """Return the path from the site's root of an image that Jekyll's ``link`` names."""
        site = self._site
        if site.generator != "Jekyll" or "/" not in path or urlsplit(site.base_url).path:
            return ""
        folder = site.roots[0].path
        file = folder / path.strip("/")
        is_static = Path(path).suffix.lower() not in {"", *POST_SUFFIXES}
        return f"/{quote(path.strip('/'))}" if is_static and self._is_inside(file) else ""

    def _is_inside(self, file: Path) -> bool:
        try:
            return file.is_file() and file.resolve().is_relative_to(self._site.root)
        except (OSError, ValueError):  # a name that is too long, a null character
            return False

    def _find_by_name(self, path: str) -> Path | None:
        """Return the only post of a name: ``2026-10-02-gulls``, ``gulls.md``, ``Gulls``."""
        if self._files_by_name is None:
            self._files_by_name = {}
            for file in self._list_files():
                for name in {file.stem, _DATE_START.sub("", file.stem), self._get_bundle(file)}:
                    key = name.casefold()
                    is_repeated = self._files_by_name.get(key, file) != file
                    self._files_by_name[key] = None if is_repeated else file
        name = re.sub(r"\.(?:md|markdown|mdx|html)$", "", path).rpartition("/")[2]
        return self._files_by_name.get(name.casefold())

    def _get_bundle(self, file: Path) -> str:
        return file.parent.name if file.stem == "index" else file.stem
