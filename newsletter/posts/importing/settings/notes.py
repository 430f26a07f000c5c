"""Describe what an import took from other tools' settings."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

DAMAGE_NOTE: Final = "damage"
"""Key of the notes about what is damaged in a post's source, and how it was read."""
KEPT_WORDS = "kept under extra:"
_MAX_QUOTE_LENGTH = 60  # characters
_MAX_KEYS = 30


class SettingNote(NamedTuple):
    """What was done with a key of the source, for the import's output."""

    key: str
    text: str


def note_taken(setting: str, value: Any, origin: str, *, is_complete: bool) -> SettingNote:
    """Note a setting that was read from another key, or from another form of its own value.

    Args:
        setting: our setting.
        value: its value.
        origin: the key that it was taken from, or its value as written.
        is_complete: whether the setting says all that its source said.
    """
    rest = "" if is_complete else f"; all of it is {KEPT_WORDS}"
    return SettingNote(setting, f"{clip_value(value)} (from {origin}){rest}")


def note_unreadable(key: str, value: Any, *, is_missing_image: bool = False) -> SettingNote:
    """Note a value that can't be used."""
    problem = "isn't an image beside the post" if is_missing_image else "can't be used"
    return SettingNote(key, f"'{clip_value(value)}' {problem}; {KEPT_WORDS}")


def note_taken_as_text(key: str, value: str) -> SettingNote:
    """Note a value that YAML would read as syntax."""
    return SettingNote(key, f"'{clip_value(value)}' is taken as text (YAML needs quotes around it)")


def clip_value(value: Any) -> str:
    """Return a value in a few words."""
    line = " ".join(_format_value(value).split())
    return line if len(line) <= _MAX_QUOTE_LENGTH else f"{line[: _MAX_QUOTE_LENGTH - 1].rstrip()}…"


def list_keys(names: list[str]) -> str:
    """Return the names of keys in a few lines."""
    more = f" and {len(names) - _MAX_KEYS} more" if len(names) > _MAX_KEYS else ""
    return ", ".join(clip_value(name) for name in names[:_MAX_KEYS]) + more


def _format_value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_format_value(item) for item in value)
    if isinstance(value, Mapping):
        texts = [text for text in value.values() if isinstance(text, str) and text]
        return texts[0] if texts else f"{len(value)} settings"
    return str(value).lower() if isinstance(value, bool) else str(value)
