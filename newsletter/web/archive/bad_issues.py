"""Report the sent issues that the archive leaves out."""

import datetime
from collections.abc import Iterator

import sqlalchemy as sa

from newsletter.project import Project
from newsletter.sending.doctor_check import DoctorCheck, warn
from newsletter.web.archive.issue_cache import ArchiveRepository


def check_archived_issues(
    project: Project, engine: sa.Engine, now: datetime.datetime
) -> Iterator[DoctorCheck]:
    """Yield a warning for each sent issue whose page is missing."""
    for name, problem in ArchiveRepository(project, engine).list_problems(now):
        yield warn(
            "archive",
            f"{name}: {problem}",
            "Its page is missing in the archive; all others are there.",
            "Fix the issue's folder, or restore it from a backup.",
        )
