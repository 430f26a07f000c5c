"""Find the latest issues for a welcome email."""

import datetime
from collections.abc import Sequence

import sqlalchemy as sa

from newsletter.config.urls import build_view_online_url
from newsletter.project import Project
from newsletter.render.latest_issues import FindLatestIssues, LatestIssue, find_no_issues
from newsletter.web.archive.issue_cache import ArchiveRepository


def make_latest_finder(
    project: Project, engine: sa.Engine | None, now: datetime.datetime
) -> FindLatestIssues:
    """Return a function that finds the latest of the listed issues.

    Without a database or a public URL, it finds none.

    Args:
        project: the project with the issues.
        engine: the database with the ledger of sends, if there is one.
        now: aware; later issues are left out.
    """
    config = project.config
    if engine is None or not (config.public_url or config.issue_url):
        return find_no_issues
    repository = ArchiveRepository(project, engine)

    def find(count: int) -> Sequence[LatestIssue]:
        return [
            LatestIssue(issue.title, build_view_online_url(config, issue.slug), issue.day)
            for issue in repository.list_latest_issues(now, count)
        ]

    return find
