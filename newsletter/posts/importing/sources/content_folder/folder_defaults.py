"""Find the settings that a site gives to all posts of a folder."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from newsletter.errors import PostError
from newsletter.posts.importing.read_file import read_post_source
from newsletter.posts.importing.settings.split_foreign import split_foreign_front_matter
from newsletter.posts.importing.settings.values import squash_key
from newsletter.posts.importing.sources.content_folder.site import ContentSite
from newsletter.posts.importing.sources.content_folder.site_settings import (
    SiteSettingsError,
    read_mapping,
)

_CACHED_FOLDERS = 256
_SCRIPTS = (".11tydata.js", ".11tydata.mjs", ".11tydata.cjs", ".11tydata.ts")


class FolderDefaults(NamedTuple):
    """Settings of a folder that its posts have unless they say otherwise.

    Attributes:
        settings: keys as written.
        is_complete: whether no program adds to them.
    """

    settings: Mapping[str, Any]
    is_complete: bool = True


class DefaultsFinder:
    """Finder of the settings that Hugo's cascades, Eleventy's and Jekyll's defaults give."""

    def __init__(self, site: ContentSite, max_post_bytes: int) -> None:
        self._site = site
        self._max_post_bytes = max_post_bytes
        self._read_section = lru_cache(_CACHED_FOLDERS)(self._read_cascade)
        self._read_data_files = lru_cache(_CACHED_FOLDERS)(self._read_folder_data)

    def find(self, file: Path, language: str) -> FolderDefaults:
        """Return the settings of a post's folders; those of the innermost count."""
        folders = list(self._iter_folders(file))
        if self._site.generator == "Hugo":
            path = PurePosixPath("/", file.relative_to(folders[0]).with_suffix("").as_posix())
            settings = dict(_match_cascade(self._site.config.get("cascade"), path, language))
            for folder in folders:
                settings |= _match_cascade(self._read_section(folder, language), path, language)
            return FolderDefaults(settings)
        if self._site.generator == "Eleventy":
            found = [self._read_data_files(folder / folder.name) for folder in folders]
            found.append(self._read_data_files(file.with_suffix("")))
            merged: dict[str, Any] = {}
            for defaults in found:
                merged |= defaults.settings
            return FolderDefaults(merged, all(defaults.is_complete for defaults in found))
        if self._site.generator == "Jekyll":
            return FolderDefaults(_match_jekyll(self._site, file))
        return FolderDefaults({})

    def _iter_folders(self, file: Path) -> Iterator[Path]:
        """Yield a file's folders from the content folder inwards."""
        top = self._site.get_root(file).path
        yield top
        folder = top
        for part in file.relative_to(top).parent.parts:
            folder = folder / part
            yield folder

    def _read_cascade(self, folder: Path, language: str) -> Any:
        """Return the cascade of a section's ``_index.md``, that of its language if there is one."""
        names = (f"_index.{language}.md", "_index.md", "_index.html")
        file = next((folder / name for name in names if (folder / name).is_file()), None)
        if file is None or file.is_symlink():
            return None
        try:
            source = read_post_source(str(file), self._max_post_bytes)
            front_matter = split_foreign_front_matter(source.text, source.name).front_matter
        except (PostError, OSError):
            return None
        return next(
            (value for key, value in front_matter.data.items() if squash_key(key) == "cascade"),
            None,
        )

    def _read_folder_data(self, path: Path) -> FolderDefaults:
        settings: dict[str, Any] = {}
        is_complete = True
        for suffix in (".json", ".11tydata.json"):
            try:
                settings |= read_mapping(path.with_name(path.name + suffix))
            except SiteSettingsError:
                is_complete = False
        has_script = any(path.with_name(path.name + suffix).is_file() for suffix in _SCRIPTS)
        return FolderDefaults(settings, is_complete and not has_script)


def _match_cascade(cascade: Any, path: PurePosixPath, language: str) -> dict[str, Any]:
    """Return the settings of a cascade, or of those in a list whose target a post is."""
    settings: dict[str, Any] = {}
    for entry in reversed(cascade if isinstance(cascade, list) else [cascade]):
        if not isinstance(entry, Mapping):
            continue
        by_key = {squash_key(key): value for key, value in entry.items()}
        target = by_key.get("target")
        if _is_target(target if isinstance(target, Mapping) else {}, path, language):
            params = by_key.get("params")
            settings |= {
                **(params if isinstance(params, Mapping) else {}),
                **{
                    key: value
                    for key, value in entry.items()
                    if squash_key(key) not in {"target", "params"}
                },
            }
    return settings


def _is_target(target: Mapping[Any, Any], path: PurePosixPath, language: str) -> bool:
    wanted = {squash_key(key): str(value) for key, value in target.items()}
    pattern = wanted.get("path", "")
    return (
        wanted.get("kind", "page") in {"page", "{page}"}
        and wanted.get("lang", language) == language
        and (not pattern or fnmatchcase(path.as_posix(), pattern.replace("**", "*")))
    )


def _match_jekyll(site: ContentSite, file: Path) -> dict[str, Any]:
    """Return ``defaults`` of ``_config.yml``; the longest path counts, then a type."""
    defaults = site.config.get("defaults")
    relative = file.relative_to(site.get_root(file).path).as_posix()
    kind = next(
        (
            kind
            for folder, kind in (("_drafts", "drafts"), ("_posts", "posts"))
            if folder in PurePosixPath(relative).parts
        ),
        "pages",
    )
    matching: list[tuple[int, bool, Mapping[str, Any]]] = []
    for entry in defaults if isinstance(defaults, list) else []:
        scope = entry.get("scope") if isinstance(entry, Mapping) else None
        values = entry.get("values") if isinstance(entry, Mapping) else None
        if not isinstance(scope, Mapping) or not isinstance(values, Mapping):
            continue
        path, wanted = str(scope.get("path") or "").strip("/"), scope.get("type")
        is_below = not path or relative == path or relative.startswith(f"{path}/")
        if (is_below or ("*" in path and fnmatchcase(relative, f"{path}*"))) and wanted in {
            None,
            kind,
        }:
            matching.append((len(path), wanted is not None, values))
    settings: dict[str, Any] = {}
    for _, _, values in sorted(matching, key=lambda match: match[:2]):
        settings |= values
    return settings
