"""Sample emails to one reader: for previews, tests and doctor."""

import datetime

from newsletter.config.models import Config
from newsletter.config.urls import build_preferences_url, build_unsubscribe_url
from newsletter.render.email import Email
from newsletter.render.latest_issues import FindLatestIssues, find_no_issues
from newsletter.render.project_emails import ProjectEmails
from newsletter.render.transactional import TransactionalContent
from newsletter.render.welcome import WelcomedReader
from newsletter.sending.sample import SAMPLE_ADDRESS, SAMPLE_TOKEN, make_sample_recipient

_PATHS = {"confirm": "confirm", "download": "download", "erase": "erase"}


def build_sample_content(kind: str, config: Config, today: datetime.date) -> TransactionalContent:
    """Return the values of an email to nobody: its links work, and change nothing.

    They have ``SAMPLE_TOKEN`` in place of a signature or of a reader's token, which no page
    accepts; without a public site they lead to the newsletter's own.

    Args:
        kind: one of ``newsletter.db.schema.TRANSACTIONAL_EMAIL_KINDS``.
        config: the newsletter's settings.
        today: the day on which it is sent.
    """
    until = today + datetime.timedelta(days=config.signup.confirm_days)
    if kind == "welcome":
        return TransactionalContent(
            kind,
            config.site_url,
            unsubscribe_url=_use_site(config, build_unsubscribe_url(config, SAMPLE_TOKEN)),
            preferences_url=_use_site(config, build_preferences_url(config, SAMPLE_TOKEN)),
        )
    path = _PATHS.get(kind, "move")
    url = _use_site(config, f"{(config.public_url or '').rstrip('/')}/{path}/{SAMPLE_TOKEN}")
    address = {"move_from": "n…@example.com", "move_to": "o…@example.com"}.get(kind, "")
    return TransactionalContent(kind, url, until, address)


def render_sample_email(
    emails: ProjectEmails,
    kind: str,
    config: Config,
    today: datetime.date,
    find_latest: FindLatestIssues = find_no_issues,
) -> Email:
    """Return an email for the sample recipient.

    Args:
        emails: renders the project's emails.
        kind: one of ``newsletter.db.schema.TRANSACTIONAL_EMAIL_KINDS``.
        config: the newsletter's settings.
        today: the day on which it would be sent.
        find_latest: finds the latest issues for a welcome email.

    Raises:
        PostError: ``welcome.md`` is wrong; all problems of one pass.
        TemplateError: a template is wrong or missing; all problems of one pass.
        RenderError: the document can't be rendered.
    """
    attributes = make_sample_recipient(SAMPLE_ADDRESS, config).attributes
    reader = WelcomedReader(attributes, find_latest)
    return emails.render(build_sample_content(kind, config, today), reader)


def _use_site(config: Config, url: str) -> str:
    return url if config.public_url else config.site_url
