"""Find the project folder, read its settings, and find issues in it."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.errors import ProjectError, display_path
from newsletter.wording import format_suggestion

if TYPE_CHECKING:
    from newsletter.config.models import Config

CONFIG_NAME = "newsletter.yml"
ISSUE_NAME_PATTERN = re.compile(r"^(?P<date>\d{4}-\d{2}-\d{2})-(?P<slug>.+)$")


@dataclass(frozen=True, slots=True)
class Project:
    """A project folder with its validated configuration.

    Attributes:
        root: absolute path of the folder that contains ``newsletter.yml``.
        config: the validated content of that file.
    """

    root: Path
    config: "Config"

    @property
    def issues_dir(self) -> Path:
        """The folder that contains the issues."""
        return self.root / "issues"

    @property
    def templates_dir(self) -> Path:
        """The folder of templates that a designer edits."""
        return self.root / "templates"

    @property
    def build_dir(self) -> Path:
        """The folder for generated files; safe to delete at any time."""
        return self.root / "build"


def find_root(start: Path) -> Path:
    """Return the nearest folder at or above ``start`` that contains ``newsletter.yml``.

    Raises:
        ProjectError: there is no such folder.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder
    raise ProjectError(
        f"no {CONFIG_NAME} in {display_path(start)} or any folder above it",
        remedy="Create a newsletter with newsletter init DIR, or cd into the folder of one.",
    )


def open_project(folder: Path | None = None) -> Project:
    """Find the project folder and read its configuration.

    Args:
        folder: where the search starts, upwards; the working folder if not given.

    Raises:
        ProjectError: no folder with ``newsletter.yml`` was found.
        ConfigError: the file or the environment is invalid; reports all problems at once.
    """
    from newsletter.config import load_config

    root = find_root(folder or Path.cwd())
    return Project(root, load_config(root / CONFIG_NAME, os.environ))


def find_issue(project: Project, name: str | None) -> Path:
    """Return the folder of one issue.

    Args:
        project: the project to search.
        name: the issue folder's name, its path, a substring that occurs in only one issue's name,
            or ``None`` for the issue with the latest date in its name.

    Raises:
        ProjectError: no issue matches, or several do.
    """
    folders = list_issue_folders(project)
    if not folders:
        raise ProjectError(
            f"there are no issues in {display_path(project.issues_dir)}",
            remedy="Create one from a post with: newsletter import POST",
        )
    if name is None:
        return folders[-1]
    searched_name = Path(name).name or name
    exact_matches = [folder for folder in folders if folder.name == searched_name]
    if exact_matches:
        return exact_matches[0]
    matches = [folder for folder in folders if searched_name.casefold() in folder.name.casefold()]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise ProjectError(
            f"{len(matches)} issues match '{name}': {_format_folder_names(matches)}",
            remedy="Give a longer part of the name.",
        )
    near = find_near_issues(searched_name, (folder.name for folder in folders))
    remedy = format_suggestion(near) or f"There are: {_format_folder_names(folders[::-1])}."
    raise ProjectError(f"no issue matches '{name}'", remedy=remedy)


def list_issue_folders(project: Project) -> list[Path]:
    """Return the folders of all issues, ordered by the date in their names, oldest first."""
    if not project.issues_dir.is_dir():
        return []
    return sorted(
        folder
        for folder in project.issues_dir.iterdir()
        if ISSUE_NAME_PATTERN.match(folder.name) and folder.is_dir()
    )


def find_near_issues(name: str, issues: Iterable[str]) -> list[str]:
    """Return up to three issues whose names, with or without the date, are like a mistyped one."""
    from difflib import get_close_matches

    by_name = {form.casefold(): issue for issue in issues for form in (issue, issue[11:])}
    near = get_close_matches(name.casefold(), by_name, n=6)
    return list(dict.fromkeys(by_name[form] for form in near))[:3]


def _format_folder_names(folders: list[Path], limit: int = 5) -> str:
    names = [folder.name for folder in folders[:limit]]
    more = len(folders) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
