"""The editor's folder: where newsletter.yml, issues/, templates/, build/ and the database are."""

from newsletter.errors import shown
from newsletter.project.folder import (
    CONFIG_NAME,
    ISSUE_NAME,
    Project,
    find_issue,
    find_root,
    issue_folders,
    open_project,
)
from newsletter.project.scaffold import default_templates, make_folder

__all__ = [
    "CONFIG_NAME",
    "ISSUE_NAME",
    "Project",
    "default_templates",
    "find_issue",
    "find_root",
    "issue_folders",
    "make_folder",
    "open_project",
    "shown",
]
