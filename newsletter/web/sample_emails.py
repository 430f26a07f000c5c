"""Render emails to one reader for nobody: in previews and test emails."""

import datetime

import sqlalchemy as sa

from newsletter.project import Project
from newsletter.render.email import Email
from newsletter.render.latest_issues import find_no_issues
from newsletter.render.project_emails import ProjectEmails
from newsletter.sending.sample import SAMPLE_ADDRESS
from newsletter.sending.transactional_sample import build_sample_content, make_sample_reader
from newsletter.web.archive.latest_issues import make_latest_finder


def render_sample_email(
    project: Project,
    emails: ProjectEmails,
    kind: str,
    engine: sa.Engine | None,
    now: datetime.datetime,
) -> Email:
    """Return an email to one reader, for the sample recipient; only read from the database.

    Args:
        project: the newsletter's project.
        emails: renders its emails.
        kind: one of ``newsletter.db.schema.TRANSACTIONAL_EMAIL_KINDS``.
        engine: the database with the sent issues, or ``None`` if there is none yet.
        now: aware.

    Raises:
        PostError: ``welcome.md`` is wrong; all problems of one pass.
        TemplateError: a template is wrong or missing; all problems of one pass.
        RenderError: the document can't be rendered.
    """
    config = project.config
    find_latest = make_latest_finder(project, engine, now) if engine else find_no_issues
    content = build_sample_content(kind, config, now.date())
    return emails.render(content, make_sample_reader(SAMPLE_ADDRESS, config, find_latest))
