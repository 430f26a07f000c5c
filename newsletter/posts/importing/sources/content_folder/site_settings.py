"""Read the settings files of a site; no program is ever run."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from newsletter.config import safe_yaml

_MAX_BYTES = 1_000_000
_LOCAL_HOST = re.compile(
    r"https?://(?:localhost|127\.|0\.0\.0\.0|\[|(?:www\.)?example\.(?:com|org|net)\b)"
)
_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.IGNORECASE)


class SiteSettingsError(Exception):
    """A settings file that can't be read."""


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML, TOML or JSON file; empty if there is no such file.

    Raises:
        SiteSettingsError: it is too large, or not a mapping in that syntax.
    """
    text = read_small_file(path)
    if not text.strip():
        return {}
    try:
        if path.suffix == ".toml":
            return tomllib.loads(text)
        if path.suffix == ".json":
            data = json.loads(text)
            if isinstance(data, dict):
                return data
            raise SiteSettingsError(path.name)
        return {entry.key: entry.value for entry in safe_yaml.load_entries(text)}
    except (ValueError, RecursionError, safe_yaml.YamlError) as error:
        raise SiteSettingsError(path.name) from error


def read_small_file(path: Path) -> str:
    """Return the text of a file; empty if there is none, or it is behind a symbolic link.

    Raises:
        SiteSettingsError: it is too large, or can't be read.
    """
    try:
        # A link may lead out of the site's folder, whose own path has none.
        if not path.is_file() or path.resolve() != Path(os.path.abspath(path)):  # noqa: PTH100
            return ""
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise SiteSettingsError(path.name) from error
    if len(data) > _MAX_BYTES:
        raise SiteSettingsError(path.name)
    return data.decode("utf-8-sig", "replace").replace("\r\n", "\n")


def fold_keys(value: Any) -> Any:
    """Return a value with the keys of all its mappings in lowercase, as Hugo reads them."""
    if isinstance(value, Mapping):
        return {str(key).lower(): fold_keys(inner) for key, inner in value.items()}
    return value


def clean_base_url(url: object) -> str:
    """Return a site's URL without its last slash; empty if it isn't one on the web."""
    text = url.strip() if isinstance(url, str) else ""
    if not re.fullmatch(r"https?://[^\s<>\"{}]+", text) or _LOCAL_HOST.match(text):
        return ""
    return text.rstrip("/")


def read_domain(*folders: Path) -> str:
    """Return the URL in a file ``CNAME``, by which GitHub Pages knows a site's domain."""
    for folder in folders:
        try:
            domain = read_small_file(folder / "CNAME").strip()
        except SiteSettingsError:
            continue
        if _DOMAIN.fullmatch(domain):
            return f"https://{domain.lower()}"
    return ""


def find_in_script(script: str, key: str) -> str:
    """Return the text that a script sets a key to: ``site: "https://…"``; empty if it computes it.

    The script is not run; of several such texts, none counts.
    """
    code = re.sub(r"^[ \t]*(?://|\*).*$", "", script, flags=re.MULTILINE)
    values = re.findall(
        rf"(?<![\w.]){re.escape(key)}[\"']?\s*:\s*[\"'`]([^\"'`\n${{}}]+)[\"'`]", code
    )
    return values[0] if len(set(values)) == 1 else ""
