"""Find the latest issues for a welcome email."""

import datetime
from collections.abc import Sequence

from newsletter.config import Config
from newsletter.config.urls import build_view_online_url
from newsletter.render.latest_issues import LatestIssue
from newsletter.web.archive.issue_cache import ArchiveRepository


def find_latest_issues(
    repository: ArchiveRepository, config: Config, now: datetime.datetime, count: int
) -> Sequence[LatestIssue]:
    """Return at most ``count`` of the listed issues, the latest first; none without a public URL.

    Args:
        repository: the project's sent issues.
        config: its settings.
        now: aware.
        count: how many at most.
    """
    if not (config.public_url or config.issue_url):
        return ()
    return [
        LatestIssue(issue.title, build_view_online_url(config, issue.slug), issue.day)
        for issue in repository.list_latest_issues(now, count)
    ]
