"""Check the emails to one reader that the public pages send."""

import datetime
from collections.abc import Iterator
from dataclasses import replace

from newsletter.errors import NewsletterError, display_path
from newsletter.project import Project
from newsletter.render.project_emails import ProjectEmails
from newsletter.render.transactional import TRANSACTIONAL_EMAILS
from newsletter.sending.doctor_check import DoctorCheck, fail_for_problem, ok, warn
from newsletter.sending.transactional_sample import render_sample_email

_ABOUT = "single emails"


def check_single_emails(project: Project, today: datetime.date) -> Iterator[DoctorCheck]:
    """Yield whether the emails can be rendered; nothing without public pages.

    Args:
        project: the editor's folder.
        today: the day on which they would be sent.
    """
    config, emails = project.config, ProjectEmails(project)
    if not config.public_url:
        return
    names = [name for name in TRANSACTIONAL_EMAILS if name != "welcome" or config.signup.welcome]
    broken = False
    for name in names:
        try:
            for kind in TRANSACTIONAL_EMAILS[name]:
                render_sample_email(emails, kind, config, today)
        except NewsletterError as error:
            broken = True
            check = fail_for_problem(_ABOUT, error.problems[0])
            yield replace(check, meaning=f"The {name} email waits until this is fixed.")
    if broken:
        return
    if config.signup.welcome and emails.unused_welcome_file:
        yield warn(
            _ABOUT,
            f"{display_path(emails.unused_welcome_file)} is not used: there is a welcome.mjml",
            "Readers get welcome.mjml.",
            "Delete one of the two.",
        )
    else:
        yield ok(_ABOUT, f"{', '.join(names)} render without errors")
