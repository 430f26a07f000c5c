"""Finds the editor's folder and the issues in it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.errors import ProjectError, display_path

if TYPE_CHECKING:
    from newsletter.config.models import Config

CONFIG_NAME = "newsletter.yml"
ISSUE_NAME_PATTERN = re.compile(r"^(?P<date>\d{4}-\d{2}-\d{2})-(?P<slug>.+)$")


@dataclass(frozen=True, slots=True)
class Project:
    """An editor's folder with its configuration read and checked.

    Attributes:
        root: the folder that holds ``newsletter.yml``, absolute.
        config: its content.
    """

    root: Path
    config: "Config"

    @property
    def issues_dir(self) -> Path:
        """The folder of issues."""
        return self.root / "issues"

    @property
    def templates_dir(self) -> Path:
        """The folder of templates that a designer edits."""
        return self.root / "templates"

    @property
    def build_dir(self) -> Path:
        """Where output goes; safe to delete at any time."""
        return self.root / "build"


def find_root(start: Path) -> Path:
    """Return the nearest folder at or above ``start`` that holds ``newsletter.yml``.

    Raises:
        ProjectError: there is none.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder
    raise ProjectError(
        f"no {CONFIG_NAME} in {display_path(start)} or any folder above it",
        remedy="Make a newsletter with: newsletter init DIR",
    )


def open_project(folder: Path | None = None) -> Project:
    """Find the editor's folder and read its configuration.

    Args:
        folder: where to look from; the working folder if not given.

    Raises:
        ProjectError: no folder with ``newsletter.yml``.
        ConfigError: the file or the environment is wrong; all problems at once.
    """
    from newsletter.config import load_config

    root = find_root(folder or Path.cwd())
    return Project(root, load_config(root / CONFIG_NAME, os.environ))


def find_issue(project: Project, name: str | None) -> Path:
    """Return the folder of one issue.

    Args:
        project: the editor's folder.
        name: the folder's name, its path, a part that only one issue's name has, or ``None``
            for the newest by date in the name.

    Raises:
        ProjectError: no issue, or several, by that name.
    """
    folders = list_issue_folders(project)
    if not folders:
        raise ProjectError(
            f"there are no issues in {display_path(project.issues_dir)}",
            remedy="Make one from a post with: newsletter import POST",
        )
    if name is None:
        return folders[-1]
    wanted = Path(name).name or name
    exact = [folder for folder in folders if folder.name == wanted]
    if exact:
        return exact[0]
    found = [folder for folder in folders if wanted.casefold() in folder.name.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        raise ProjectError(
            f"{len(found)} issues match '{name}': {_format_folder_names(found)}",
            remedy="Give a longer part of the name.",
        )
    raise ProjectError(
        f"no issue matches '{name}'", remedy=f"There are: {_format_folder_names(folders[::-1])}."
    )


def list_issue_folders(project: Project) -> list[Path]:
    """Every issue's folder, oldest first by the date in its name."""
    if not project.issues_dir.is_dir():
        return []
    return sorted(
        folder
        for folder in project.issues_dir.iterdir()
        if ISSUE_NAME_PATTERN.match(folder.name) and folder.is_dir()
    )


def _format_folder_names(folders: list[Path], limit: int = 5) -> str:
    names = [folder.name for folder in folders[:limit]]
    more = len(folders) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
