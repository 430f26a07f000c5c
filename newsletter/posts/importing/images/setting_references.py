"""Find and replace the images in a post's settings. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

_IMAGE_KEYS = frozenset({"src", "hero", "picture"})
_OTHER_TOOLS_KEY = "extra"  # settings that no email shows


def iter_setting_references(front_matter: Mapping[str, Any]) -> Iterator[str]:
    """Yield the path or URL of each image: the hero, the pictures of the author and of cards."""
    for key, value in front_matter.items():
        if key != _OTHER_TOOLS_KEY:
            yield from _iter_references(key, value)


def _iter_references(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner_key, inner in value.items():
            yield from _iter_references(inner_key, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _iter_references("", inner)
    elif key in _IMAGE_KEYS and isinstance(value, str) and value.strip():
        yield value.strip()


def replace_setting_references(
    front_matter: Mapping[str, Any], new_references: Mapping[str, str]
) -> dict[str, Any]:
    """Return settings with the images replaced that ``new_references`` names.

    Args:
        front_matter: the settings.
        new_references: path or URL -> the one in its place.
    """
    return {
        key: value if key == _OTHER_TOOLS_KEY else _replace_references(key, value, new_references)
        for key, value in front_matter.items()
    }


def _replace_references(key: str, value: Any, new_references: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {
            inner_key: _replace_references(inner_key, inner, new_references)
            for inner_key, inner in value.items()
        }
    if isinstance(value, list):
        return [_replace_references("", inner, new_references) for inner in value]
    if key in _IMAGE_KEYS and isinstance(value, str):
        return new_references.get(value.strip(), value)
    return value
