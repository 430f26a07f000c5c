"""Tell which files of a content folder are posts, by their paths."""

import re
from functools import lru_cache
from pathlib import Path

from newsletter.posts.importing.sources.content_folder.site import (
    BUILD_FOLDERS,
    NEVER_SEARCHED,
    SITE_FOLDERS,
    ContentSite,
)

POST_SUFFIXES = frozenset({".md", ".markdown", ".mdx", ".html", ".htm", ".mkd", ".mdown"})
# Formats that these generators read and an import doesn't.
_OTHER_FORMATS = {
    ".adoc": "AsciiDoc files",
    ".asciidoc": "AsciiDoc files",
    ".org": "Org files",
    ".rst": "reStructuredText files",
    ".textile": "Textile files",
    ".njk": "Nunjucks templates",
    ".liquid": "Liquid templates",
    ".webc": "WebC templates",
    ".astro": "Astro pages",
    ".mdoc": "Markdoc files",
    ".ipynb": "notebooks",
    ".qmd": "Quarto files",
    ".rmd": "R Markdown files",
}
# Folders of templates and their data.
_PARTS_FOLDERS = frozenset({"_includes", "_layouts", "_data", "_components", "_templates"})
_REPOSITORY_FILE = re.compile(
    r"(?:readme|licen[cs]e|licen[cs]e-[\w.-]+|changelog|contributing|contributors|code[-_]of[-_]conduct"
    r"|security|support|authors|maintainers|governance|agents|claude|gemini|history|todo"
    r"|(?:pull_request|issue)_template)(?:\.[a-z]{2}(?:-[a-z]{2})?)?",
    re.IGNORECASE,
)
_INDEX = re.compile(
    r"index(?:\.[a-z]{2,3}(?:-[a-z]{2,4})?)?\.(?:md|markdown|mdx|html?)", re.IGNORECASE
)
_SECTION = re.compile(
    r"_index(?:\.[a-z]{2,3}(?:-[a-z]{2,4})?)?\.(?:md|markdown|html?)", re.IGNORECASE
)


class FileClassifier:
    """Tell posts from other files."""

    def __init__(self, site: ContentSite) -> None:
        self._site = site
        self._has_index = lru_cache(256)(_has_index)

    def is_skipped(self, folder: Path) -> bool:
        """Return whether a folder has no posts: programs, themes, what the site was built into."""
        name, site = folder.name, self._site
        if name.startswith(".") or name in NEVER_SEARCHED:
            return True
        if site.generator in {"Hugo", "Zola"}:
            return False  # what is in the content folder is content, whatever it is called
        if site.generator == "Astro":
            return name.startswith("_")
        if site.generator == "Jekyll" and name in {"_posts", "_drafts"}:
            return False
        if site.generator == "Jekyll" and name.startswith("_"):
            return not self._is_collection(folder)
        is_site_folder = name in SITE_FOLDERS and site.generator != "Markdown"
        return name in BUILD_FOLDERS or name in _PARTS_FOLDERS or is_site_folder

    def find_reason(self, file: Path) -> str | None:  # noqa: PLR0911 - one return for each kind
        """Return what a file is if it is no post: ``"sections"``; empty if it doesn't count.

        ``None`` for a post.
        """
        suffix, site = file.suffix.lower(), self._site
        if suffix not in POST_SUFFIXES:
            return _OTHER_FORMATS.get(suffix, "")
        if _REPOSITORY_FILE.fullmatch(file.stem):
            return "README and similar files"
        if file.name.startswith("."):
            return ""
        if site.generator in {"Hugo", "Zola"}:
            if _SECTION.fullmatch(file.name):
                return "sections"
            return "files of a post's folder" if self._is_bundled(file) else None
        if site.generator == "Astro":
            return "files that begin with _" if file.name.startswith("_") else None
        if site.generator == "Jekyll":
            return self._find_jekyll_reason(file)
        if site.generator == "Eleventy" and suffix in {".html", ".htm"}:
            return "HTML pages"
        return None

    def _find_jekyll_reason(self, file: Path) -> str | None:
        parts = file.relative_to(self._site.root).parts[:-1]
        if not {"_posts", "_drafts"}.isdisjoint(parts):
            return None
        if collection := next((part for part in parts if part.startswith("_")), ""):
            return f"{collection[1:]} (a collection)"
        return "HTML pages" if file.suffix.lower() in {".html", ".htm"} else None

    def _is_collection(self, folder: Path) -> bool:
        collections = self._site.config.get("collections")
        is_named = isinstance(collections, dict | list) and folder.name[1:] in collections
        return is_named and folder.parent == self._site.root

    def _is_bundled(self, file: Path) -> bool:
        """Return whether a file lies beside or below a post's ``index`` file."""
        top = self._site.get_root(file).path
        if self._site.generator == "Zola":
            return not _INDEX.fullmatch(file.name) and self._has_index(file.parent)
        if _INDEX.fullmatch(file.name):
            return file.parent != top and self._is_below_index(file.parent.parent, top)
        return self._is_below_index(file.parent, top)

    def _is_below_index(self, folder: Path, top: Path) -> bool:
        while folder != top and folder.is_relative_to(top):
            if self._has_index(folder):
                return True
            folder = folder.parent
        return False


def _has_index(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("index.md", "index.markdown", "index.html"))
