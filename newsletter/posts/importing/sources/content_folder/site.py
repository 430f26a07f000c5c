"""``ContentSite``: its generator, its folders, its settings."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from newsletter.posts.importing.settings.values import read_language
from newsletter.posts.importing.sources.content_folder.site_settings import (
    SiteSettingsError,
    clean_base_url,
    find_in_script,
    fold_keys,
    read_domain,
    read_mapping,
    read_small_file,
)

Generator = Literal["Jekyll", "Hugo", "Zola", "Eleventy", "Astro", "Markdown"]

_MAX_FOLDERS_ABOVE = 12
_MAX_DEPTH_BELOW = 2
_HUGO_FILES = ("hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json")
_HUGO_OLD_FILES = ("config.yaml", "config.yml", "config.json")
_HUGO_FOLDER = Path("config", "_default")
_HUGO_KEYS = frozenset({"baseurl", "languagecode", "defaultcontentlanguage"})
_JEKYLL_FILES = ("_config.yml", "_config.yaml", "_config.toml")
_ELEVENTY_FILES = (
    ".eleventy.js",
    *(f"eleventy.config.{suffix}" for suffix in ("js", "mjs", "cjs", "ts")),
)
_ASTRO_FILES = tuple(f"astro.config.{suffix}" for suffix in ("mjs", "js", "ts", "mts", "cjs"))
_ASTRO_COLLECTION_FILES = (
    "src/content.config.ts",
    "src/content/config.ts",
    "src/content.config.mjs",
)
_LOADER_BASE = re.compile(r"\bbase\s*:\s*[\"'`](?:\./)?([\w./-]+)[\"'`]")
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
        languages: all its languages, as its file names have them.
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
    image_folders: tuple[Path, ...] = ()
    unreadable: tuple[str, ...] = ()

    def get_root(self, file: Path) -> ContentRoot:
        """Return the innermost content folder that a file is in."""
        around = [root for root in self.roots if file.is_relative_to(root.path)]
        return max(around, key=lambda root: len(root.path.parts), default=ContentRoot(self.root))


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
    home = Path.home().resolve()
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

    if has(*_HUGO_FILES) or (folder / _HUGO_FOLDER).is_dir():
        return "Hugo"
    if has("zola.toml"):
        return "Zola"
    if has("config.toml", *_HUGO_OLD_FILES):
        try:
            settings = _read_first(folder, ("config.toml", *_HUGO_OLD_FILES))
        except SiteSettingsError:
            settings = {}
        if "base_url" in settings:
            return "Zola"
        if _HUGO_KEYS & fold_keys(settings).keys() or (settings and (folder / "content").is_dir()):
            return "Hugo"
    if has(*_ASTRO_FILES):
        return "Astro"
    if has(*_ELEVENTY_FILES):
        return "Eleventy"
    return "Jekyll" if has(*_JEKYLL_FILES) else None


def _read_first(folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings of the first of these files that is there."""
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    return read_mapping(path) if path else {}


def load_site(generator: Generator, root: Path) -> ContentSite:
    """Read the settings of a site as far as they are sure."""
    load = {
        "Hugo": _load_hugo,
        "Zola": _load_zola,
        "Jekyll": _load_jekyll,
        "Eleventy": _load_eleventy,
        "Astro": _load_astro,
    }.get(generator)
    try:
        site = load(root) if load else ContentSite("Markdown", root, (ContentRoot(root),))
    except SiteSettingsError as error:
        roots = [ContentRoot(root / "content")] if generator in {"Hugo", "Zola"} else []
        site = ContentSite(generator, root, _keep_below(root, roots), unreadable=(str(error),))
    folders = (*site.image_folders, *_list_usual_image_folders(root))
    real = dict.fromkeys(folder for folder in folders if folder.is_dir())
    image_folders = tuple(folder for folder in real if folder.resolve().is_relative_to(root))
    return replace(site, image_folders=image_folders)


def _list_usual_image_folders(root: Path) -> list[Path]:
    return [root / "static", root / "public", root / "assets", root / "src" / "assets", root]


def _load_hugo(root: Path) -> ContentSite:
    config = fold_keys(_read_first(root, (*_HUGO_FILES, "config.toml", *_HUGO_OLD_FILES)))
    folder = root / _HUGO_FOLDER
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix in {".toml", ".yaml", ".yml", ".json"}:
            settings = fold_keys(read_mapping(path))
            table, _, language = path.stem.lower().partition(".")
            if table in {"hugo", "config"}:
                config = {**config, **settings}
            elif language:  # languages.de.toml
                config[table] = {**config.get(table, {}), language: settings}
            else:
                config.setdefault(table, settings)
    languages = config.get("languages")
    languages = languages if isinstance(languages, Mapping) else {}
    content = root / str(config.get("contentdir") or "content")
    roots = [ContentRoot(content)]
    for name, settings in languages.items():
        if isinstance(settings, Mapping) and (inner := settings.get("contentdir")):
            roots.append(ContentRoot(root / str(inner), name))
    if len(roots) > 1:  # each language has its own folder, the default one too
        roots = [
            inner for inner in roots if inner.language or inner.path not in _list_parents(roots)
        ]
    static = config.get("staticdir") or "static"
    static_folders = static if isinstance(static, list) else [static]
    default = str(config.get("defaultcontentlanguage") or "en").lower()
    own = languages.get(default)
    own = own if isinstance(own, Mapping) else {}
    theme = config.get("theme")
    themes = theme if isinstance(theme, list) else [theme] if theme else []
    return ContentSite(
        "Hugo",
        root,
        _keep_below(root, roots),
        config,
        clean_base_url(config.get("baseurl")) or read_domain(root / "static", root),
        _find_language(
            own.get("languagecode"),
            own.get("locale"),
            config.get("languagecode"),
            config.get("locale"),
            config.get("defaultcontentlanguage"),
        ),
        tuple(languages),
        (
            *(root / str(name) for name in static_folders),
            root / str(config.get("assetdir") or "assets"),
            *(content_root.path for content_root in roots),
            *(root / "themes" / str(name) / "static" for name in themes),
        ),
    )


def _list_parents(roots: list[ContentRoot]) -> set[Path]:
    return {parent for content_root in roots for parent in content_root.path.parents}


def _load_zola(root: Path) -> ContentSite:
    config = _read_first(root, ("zola.toml", "config.toml"))
    languages = config.get("languages")
    return ContentSite(
        "Zola",
        root,
        _keep_below(root, [ContentRoot(root / "content")]),
        config,
        clean_base_url(config.get("base_url")) or read_domain(root / "static", root),
        _find_language(config.get("default_language")),
        tuple(languages) if isinstance(languages, Mapping) else (),
        (root / "static", root / "content"),
    )


def _load_jekyll(root: Path) -> ContentSite:
    config = _read_first(root, _JEKYLL_FILES)
    is_hexo = (root / "source" / "_posts").is_dir()  # whose settings are in such a file, too
    source = root / str(config.get("source") or ("source" if is_hexo else ".")).strip("/")
    host = clean_base_url(config.get("url")) or read_domain(root)
    base_path = str(config.get("baseurl") or "").strip("/")
    return ContentSite(
        "Jekyll",
        root,
        _keep_below(root, [ContentRoot(source.resolve())]),
        config,
        f"{host}/{base_path}".rstrip("/") if host else "",
        _find_language(config.get("lang"), config.get("locale")),
        image_folders=(source.resolve(),),
    )


def _load_eleventy(root: Path) -> ContentSite:
    script = "\n".join(read_small_file(root / name) for name in _ELEVENTY_FILES)
    source = root / (find_in_script(script, "input") or ".")
    data_folder = source / (find_in_script(script, "data") or "_data")
    base_url = language = ""
    for name in ("metadata", "site", "meta"):
        for suffix in (".json", ".yaml", ".yml"):
            data = read_mapping(data_folder / f"{name}{suffix}")
            base_url = (
                base_url or clean_base_url(data.get("url")) or clean_base_url(data.get("baseUrl"))
            )
            language = language or _find_language(data.get("language"), data.get("lang"))
    return ContentSite(
        "Eleventy",
        root,
        _keep_below(root, [ContentRoot(source.resolve())]),
        base_url=base_url or read_domain(root, source, root / "public"),
        language=language,
        image_folders=(source.resolve(),),
    )


def _load_astro(root: Path) -> ContentSite:
    script = "\n".join(read_small_file(root / name) for name in _ASTRO_FILES)
    collections = "\n".join(read_small_file(root / name) for name in _ASTRO_COLLECTION_FILES)
    bases = [root / base for base in _LOADER_BASE.findall(collections)]
    roots = [ContentRoot(root / "src" / "content"), *map(ContentRoot, bases)]
    roots.append(ContentRoot(root / "src" / "pages"))
    base_path = find_in_script(script, "base").strip("/")
    host = clean_base_url(find_in_script(script, "site"))
    return ContentSite(
        "Astro",
        root,
        _keep_below(root, roots),
        base_url=f"{host or read_domain(root / 'public', root)}/{base_path}".rstrip("/")
        if host or read_domain(root / "public", root)
        else "",
        language=_find_language(find_in_script(script, "defaultLocale")),
        image_folders=(root / "public", root / "src"),
    )


def _keep_below(root: Path, roots: list[ContentRoot]) -> tuple[ContentRoot, ...]:
    """Return the content folders that are there and in the site's folder."""
    resolved = (content_root._replace(path=content_root.path.resolve()) for content_root in roots)
    kept = {
        content_root.path: content_root
        for content_root in resolved
        if content_root.path.is_dir() and content_root.path.is_relative_to(root)
    }
    return tuple(kept.values()) or (ContentRoot(root),)


def _find_language(*values: object) -> str:
    tags = (read_language(value) for value in values if isinstance(value, str) and value)
    return next((str(tag.value) for tag in tags if tag), "")
