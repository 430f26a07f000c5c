"""The project folder: newsletter.yml, issues/, templates/, build/."""

from newsletter.errors import display_path
from newsletter.project.folder import (
    CONFIG_NAME,
    ISSUE_NAME_PATTERN,
    Project,
    find_issue,
    find_root,
    list_issue_folders,
    open_project,
)
from newsletter.project.scaffold import SAMPLE_NAME, create_project, default_templates_dir

__all__ = [
    "CONFIG_NAME",
    "ISSUE_NAME_PATTERN",
    "SAMPLE_NAME",
    "Project",
    "create_project",
    "default_templates_dir",
    "display_path",
    "find_issue",
    "find_root",
    "list_issue_folders",
    "open_project",
]
