"""Change settings in newsletter.yml, and nothing else in it."""

import codecs
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.errors import ConfigError, Location, display_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from newsletter.config import Config
    from newsletter.project.yaml_edit import SettingPath, YamlScalar


def edit_settings(
    text: str, changes: "Mapping[SettingPath, YamlScalar | None]", shown_path: str, command: str
) -> "tuple[str, Config]":
    """Return the file's text with the changes, and its settings.

    Args:
        text: the file's text.
        changes: key path -> new value; ``None`` comments the key out.
        shown_path: the file's name, as the user would type it.
        command: what to run again.

    Raises:
        ConfigError: a setting is written in a way that can't be changed, or the settings don't fit
            together.
    """
    from newsletter.config.load import check_config
    from newsletter.project.yaml_edit import YamlEditError, edit_yaml

    try:
        new_text = edit_yaml(text, changes)
    except YamlEditError as error:
        raise ConfigError(
            f"{error}; nothing was saved",
            where=Location(shown_path, error.line),
            remedy=f"Change this line by hand, and run {command} again.",
        ) from None
    check = check_config(new_text, shown_path, {})
    if check.config is None:
        raise ConfigError.from_problems([problem for _, problem in check.problems])
    return new_text, check.config


def save_settings(path: Path, old: bytes, text: str, command: str) -> None:
    """Write the file with its byte order mark, unless somebody else has changed it.

    Args:
        path: newsletter.yml.
        old: its bytes when it was read.
        text: its new text.
        command: what to run again.

    Raises:
        ConfigError: the file was changed in the meantime.
        FileWriteError: it can't be written.
    """
    from newsletter.config.load import read_config_bytes
    from newsletter.public_files import write_public_file

    if read_config_bytes(path) != old:
        raise ConfigError(
            "the file was changed in the meantime; nothing was saved",
            where=Location(display_path(path)),
            remedy=f"Run {command} again.",
        )
    mark = codecs.BOM_UTF8 if old.startswith(codecs.BOM_UTF8) else b""
    write_public_file(path.resolve(), mark + text.encode())
