"""Read the settings of a site, as far as they are sure."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from newsletter.posts.importing.settings.values import read_language
from newsletter.posts.importing.sources.content_folder.site import (
    ContentRoot,
    ContentSite,
    Generator,
)
from newsletter.posts.importing.sources.content_folder.site_settings import (
    SiteSettingsError,
    clean_base_url,
    find_in_script,
    fold_keys,
    read_domain,
    read_mapping,
    read_small_file,
)

HUGO_FILES = ("hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json")
HUGO_OLD_FILES = ("config.yaml", "config.yml", "config.json")
HUGO_FOLDER = Path("config", "_default")
JEKYLL_FILES = ("_config.yml", "_config.yaml", "_config.toml")
ELEVENTY_FILES = (
    ".eleventy.js",
    *(f"eleventy.config.{suffix}" for suffix in ("js", "mjs", "cjs", "ts")),
)
ASTRO_FILES = tuple(f"astro.config.{suffix}" for suffix in ("mjs", "js", "ts", "mts", "cjs"))
_ASTRO_COLLECTION_FILES = (
    "src/content.config.ts",
    "src/content/config.ts",
    "src/content.config.mjs",
)
_MAX_PATH_LENGTH = 200  # characters; no file system has names of more than 255 bytes
_LOADER_BASE = re.compile(r"\bbase\s*:\s*[\"'`](?:\./)?([\w./-]+)[\"'`]")


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
    config = fold_keys(read_first(root, (*HUGO_FILES, "config.toml", *HUGO_OLD_FILES)))
    folder = root / HUGO_FOLDER
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
    content = _join(root, config.get("contentdir") or "content")
    roots = [ContentRoot(content)]
    for name, settings in languages.items():
        if isinstance(settings, Mapping) and (inner := settings.get("contentdir")):
            roots.append(ContentRoot(_join(root, inner), name))
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
        default,
        (
            *(_join(root, name) for name in static_folders),
            _join(root, config.get("assetdir") or "assets"),
            *(content_root.path for content_root in roots),
            *(_join(root / "themes", name) / "static" for name in themes),
        ),
    )


def _list_parents(roots: list[ContentRoot]) -> set[Path]:
    return {parent for content_root in roots for parent in content_root.path.parents}


def _load_zola(root: Path) -> ContentSite:
    config = read_first(root, ("zola.toml", "config.toml"))
    languages = config.get("languages")
    return ContentSite(
        "Zola",
        root,
        _keep_below(root, [ContentRoot(root / "content")]),
        config,
        clean_base_url(config.get("base_url")) or read_domain(root / "static", root),
        _find_language(config.get("default_language")),
        tuple(languages) if isinstance(languages, Mapping) else (),
        str(config.get("default_language") or "en"),
        (root / "static", root / "content"),
    )


def _load_jekyll(root: Path) -> ContentSite:
    config = read_first(root, JEKYLL_FILES)
    is_hexo = (root / "source" / "_posts").is_dir()  # whose settings are in such a file, too
    source = _join(root, config.get("source") or ("source" if is_hexo else "."))
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
    script = "\n".join(read_small_file(root / name) for name in ELEVENTY_FILES)
    source = _join(root, find_in_script(script, "input") or ".")
    data_folder = _join(source, find_in_script(script, "data") or "_data")
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
    script = "\n".join(read_small_file(root / name) for name in ASTRO_FILES)
    collections = "\n".join(read_small_file(root / name) for name in _ASTRO_COLLECTION_FILES)
    bases = [_join(root, base) for base in _LOADER_BASE.findall(collections)]
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


def _join(folder: Path, name: object) -> Path:
    """Return the path of a folder that settings name; for one outside, a path without a folder."""
    text = str(name).strip("/")
    is_unusable = "\0" in text or len(text) > _MAX_PATH_LENGTH or ".." in Path(text).parts
    return folder / ("-" if is_unusable else text)


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


def read_first(folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings of the first of these files that is there."""
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    return read_mapping(path) if path else {}
