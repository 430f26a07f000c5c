"""``ContentSite``: its generator, its folders, its settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

Generator = Literal["Jekyll", "Hugo", "Zola", "Eleventy", "Astro", "Markdown"]


# Folders of programs, themes and built sites, in which no posts are.
NEVER_SEARCHED = frozenset({"node_modules", "bower_components", "__pycache__", "venv"})
BUILD_FOLDERS = frozenset(
    "themes vendor public dist build target _site layouts archetypes templates sass".split()
)
SITE_FOLDERS = frozenset({"resources", "out"})  # which may have notes, but not in a site


class ContentRoot(NamedTuple):
    """A folder of posts from which their addresses count, and their language if it has one."""

    path: Path
    language: str = ""


@dataclass(frozen=True, slots=True)
class ContentSite:
    """A site.

    Attributes:
        generator: what makes it.
        root: the folder of its settings.
        roots: the folders of its posts.
        config: its settings, as its generator has them; Hugo's keys in lowercase.
        base_url: its address without the last slash, or empty.
        language: BCP 47 tag of posts that have none, or empty.
        languages: its languages, as its file names have them; none if it has one only.
        default_language: that of files without one in their name.
        image_folders: the folders below which images of any post may be.
        unreadable: names of settings files that can't be read.
    """

    generator: Generator
    root: Path
    roots: tuple[ContentRoot, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    base_url: str = ""
    language: str = ""
    languages: tuple[str, ...] = ()
    default_language: str = "en"
    image_folders: tuple[Path, ...] = ()
    unreadable: tuple[str, ...] = ()

    def get_root(self, file: Path) -> ContentRoot:
        """Return the innermost content folder that a file is in."""
        around = [root for root in self.roots if file.is_relative_to(root.path)]
        return max(around, key=lambda root: len(root.path.parts), default=ContentRoot(self.root))

    def is_translation(self, language: str, wanted: str) -> bool:
        """Return whether a post is in another language than the one that an editor wants.

        That is the newsletter's if the site has it, else the site's own.

        Args:
            language: the post's, or empty.
            wanted: the newsletter's.
        """
        if not self.languages:
            return False
        names = {_get_primary(name) for name in (*self.languages, self.default_language)}
        main = wanted if _get_primary(wanted) in names else self.default_language
        return _get_primary(language or self.default_language) != _get_primary(main)


def _get_primary(language: str) -> str:
    """Return ``pt`` for ``pt-BR``."""
    return language.partition("-")[0].partition("_")[0].lower()
