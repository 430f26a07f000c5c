"""Check who is notified about a send that nobody watches, and how."""

import shutil
from collections.abc import Iterator

from newsletter.project import Project
from newsletter.sending.doctor_check import DoctorCheck, ok, warn


def check_notify_setting(project: Project) -> Iterator[DoctorCheck]:
    """Yield the checks of ``notify`` in newsletter.yml; nothing is sent and nothing is run."""
    settings = project.config.notify
    if not settings.is_set:
        yield ok("notify", "nobody is notified about sends: notify is not set")
        return
    program = settings.command[0] if settings.command else ""
    if program and not _can_be_run(project, program):
        yield warn(
            "notify",
            f"the program of notify.command was not found: {program}",
            "You won't be notified when a scheduled send stops.",
            "Install it, or give its full path.",
        )
    elif not program and "blocked" in settings.on:
        yield warn(
            "notify",
            f"notifications go to {', '.join(settings.email)}, by SendGrid alone",
            "If SendGrid blocks a send because of the API key, it accepts no notification either.",
            "Set notify.command, too.",
        )
    else:
        yield ok(
            "notify",
            f"you are notified by {' and '.join(filter(None, (program, *settings.email)))}",
        )


def _can_be_run(project: Project, program: str) -> bool:
    # A path is relative to the project's folder, where the command is run.
    found = project.root / program if "/" in program else program
    return shutil.which(found) is not None
