"""Find the issue and its send by the ISSUE argument; format times."""

import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

    from newsletter.project import Project
    from newsletter.subscribers.queries.past_sends import PastSend


def find_issue_and_send(
    project: "Project", connection: "sa.Connection", name: str
) -> "tuple[str, PastSend | None]":
    """Return the issue's full name, and its send if there is one; its folder may be gone.

    Raises:
        ProjectError: neither a send nor a folder matches ``name``.
    """
    from newsletter.project import find_issue
    from newsletter.subscribers.queries.past_sends import find_past_send

    sent = find_past_send(connection, name)
    if sent:
        return sent.issue, sent
    issue = find_issue(project, name).name
    return issue, find_past_send(connection, issue)


def format_in_zone(time: datetime.datetime, zone: datetime.tzinfo) -> str:
    """Format a time in the newsletter's time zone: ``24 Nov 2026 09:00``."""
    local = time.astimezone(zone)
    return f"{local.day} {local:%b %Y %H:%M}"
