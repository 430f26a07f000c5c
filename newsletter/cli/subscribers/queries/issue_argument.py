"""Which issue, and which send of it, an editor's word means; and times as they are shown."""

import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

    from newsletter.project import Project
    from newsletter.subscribers.queries.past_sends import PastSend


def find_issue_and_send(
    project: "Project", connection: "sa.Connection", name: str
) -> "tuple[str, PastSend | None]":
    """The issue's whole name, and its send if there is one; its folder may be gone.

    Raises:
        ProjectError: neither a send nor a folder has that name.
    """
    from newsletter.project import find_issue
    from newsletter.subscribers.queries.past_sends import find_past_send

    sent = find_past_send(connection, name)
    if sent:
        return sent.issue, sent
    issue = find_issue(project, name).name
    return issue, find_past_send(connection, issue)


def format_in_zone(time: datetime.datetime, zone: datetime.tzinfo) -> str:
    """``24 Nov 2026 09:00`` in the newsletter's zone."""
    local = time.astimezone(zone)
    return f"{local.day} {local:%b %Y %H:%M}"
