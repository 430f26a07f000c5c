"""Find the site that a folder belongs to, by its settings' files."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from newsletter.posts.importing.sources.content_folder.load_site import (
    ASTRO_FILES,
    ELEVENTY_FILES,
    HUGO_FILES,
    HUGO_FOLDER,
    HUGO_OLD_FILES,
    JEKYLL_FILES,
    load_site,
    read_first,
)
from newsletter.posts.importing.sources.content_folder.site import (
    BUILD_FOLDERS,
    NEVER_SEARCHED,
    SITE_FOLDERS,
    ContentSite,
    Generator,
)
from newsletter.posts.importing.sources.content_folder.site_settings import (
    SiteSettingsError,
    fold_keys,
)

_MAX_FOLDERS_ABOVE = 12
_MAX_DEPTH_BELOW = 2
_HUGO_KEYS = frozenset({"baseurl", "languagecode", "defaultcontentlanguage"})


def find_site(folder: Path) -> ContentSite:
    """Return the site that a folder belongs to: its own, one above, the only one below.

    A folder of Markdown files belongs to its git checkout, where its images are.

    Args:
        folder: an absolute path without symbolic links.
    """
    checkout = None
    for candidate in _iter_folders_above(folder):
        if generator := detect_generator(candidate):
            return load_site(generator, candidate)
        if (candidate / ".git").exists():
            checkout = candidate
            break
    below = [
        (generator, candidate)
        for candidate in _iter_folders_below(folder, _MAX_DEPTH_BELOW)
        if (generator := detect_generator(candidate))
    ]
    if len(below) == 1:
        return load_site(*below[0])
    if folder.name in {"_posts", "_drafts"}:
        return load_site("Jekyll", folder.parent)
    if (folder / "_posts").is_dir():
        return load_site("Jekyll", folder)
    site = load_site("Markdown", checkout or folder)
    return site if checkout in {None, folder} else _keep_shown_images(site, folder)


def _iter_folders_above(folder: Path) -> Iterator[Path]:
    """Yield a folder and those above it; not the user's own, which is no site's."""
    try:
        home = Path.home().resolve()
    except RuntimeError:  # of a user in a container that has no such user
        home = Path("/")
    for candidate in (folder, *folder.parents)[:_MAX_FOLDERS_ABOVE]:
        if candidate != folder and home.is_relative_to(candidate):
            return
        yield candidate


def _keep_shown_images(site: ContentSite, folder: Path) -> ContentSite:
    """Return the site with images of a folder, and of those that its checkout publishes."""
    published = (inner for inner in site.image_folders if inner != site.root)
    return replace(site, image_folders=(*published, folder))


def _iter_folders_below(folder: Path, depth: int) -> Iterator[Path]:
    skipped = NEVER_SEARCHED | BUILD_FOLDERS | SITE_FOLDERS
    try:
        children = sorted(
            child
            for child in folder.iterdir()
            if not child.name.startswith((".", "_"))
            and child.name not in skipped
            and not child.is_symlink()
            and child.is_dir()
        )
    except OSError:
        return
    yield from children
    if depth > 1:
        for child in children:
            yield from _iter_folders_below(child, depth - 1)


def detect_generator(  # noqa: PLR0911 - one return for each generator
    folder: Path,
) -> Generator | None:
    """Return the generator whose settings are in a folder, by their names and keys."""

    def has(*names: str) -> bool:
        return any((folder / name).is_file() for name in names)

    if has(*HUGO_FILES) or (folder / HUGO_FOLDER).is_dir():
        return "Hugo"
    if has("zola.toml"):
        return "Zola"
    if has("config.toml", *HUGO_OLD_FILES):
        try:
            settings = read_first(folder, ("config.toml", *HUGO_OLD_FILES))
        except SiteSettingsError:
            settings = {}
        if "base_url" in settings:
            return "Zola"
        if _HUGO_KEYS & fold_keys(settings).keys() or (settings and (folder / "content").is_dir()):
            return "Hugo"
    if has(*ASTRO_FILES):
        return "Astro"
    if has(*ELEVENTY_FILES):
        return "Eleventy"
    return "Jekyll" if has(*JEKYLL_FILES) else None
