"""The next commands for an issue in its state, to copy.

The page can't run them: only the command line sends to the list.
"""

import shlex
from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.errors import NewsletterError
from newsletter.preview.rendered_issues import Rendering
from newsletter.project import list_issue_folders
from newsletter.sending.ledger.find_sends import open_ledger
from newsletter.sending.ledger.record import get_ledger_time, get_send
from newsletter.sending.ledger.send_phase import get_send_phase


class NextCommand(NamedTuple):
    """A command, and what it does in a few words."""

    label: str
    command: str


def list_next_commands(rendering: Rendering, engine: sa.Engine | None) -> list[NextCommand]:
    """Return what the editor can do next with an issue, the most likely first."""
    issue = rendering.issue
    names = [folder.name for folder in list_issue_folders(rendering.project)]
    is_unique = sum(issue.slug.casefold() in name.casefold() for name in names) == 1
    name = shlex.quote(issue.slug if is_unique else issue.name)
    phase = _find_phase(rendering, engine)
    return [
        NextCommand(label, f"newsletter {command}")
        for label, command in iter_phase_commands(phase, name, is_draft=issue.draft)
    ]


def _find_phase(rendering: Rendering, engine: sa.Engine | None) -> str:
    """Return the phase of the issue's send; empty if there is none, or it can't be read."""
    if engine is None:
        return ""
    try:
        ledger = open_ledger(engine, rendering.config)
        send = get_send(ledger, rendering.issue.name)
        return get_send_phase(send, get_ledger_time(ledger)) if send else ""
    except NewsletterError:
        return ""


def iter_phase_commands(phase: str, name: str, *, is_draft: bool) -> Iterator[tuple[str, str]]:
    """Yield a label and the command's arguments for a phase of a send; it is empty without one."""
    match phase:
        case "" if is_draft:
            yield "Check the draft", f"check {name}"
        case "" | "planned":
            yield "Try it without sending", f"send {name} --dry-run"
            yield "Send", f"send {name}"
            yield "Schedule", f"send {name} --at 'Tue 09:00'"
            if phase:
                yield "Cancel the plan", f"cancel {name}"
        case "waiting" | "held":
            yield "Cancel", f"cancel {name}"
            yield "Another time", f"reschedule {name} --at 'Tue 09:00'"
        case "running":
            yield "Follow it", f"status {name}"
            yield "Pause", f"pause {name}"
        case "paused" | "blocked":
            yield "Why it stopped", f"status {name}"
            yield "Resume", f"resume {name}"
            yield "Cancel", f"cancel {name}"
        case "needs_review":
            yield "What is unknown", f"reconcile {name}"
        case "done":
            yield "Report", f"report {name}"
        case "cancelled" | "recalled":
            yield "Status", f"status {name}"
            yield "Send", f"send {name}"
        case _:
            yield "Status", f"status {name}"
