"""Compare what was frozen with the issue's files and with other issues.

A catch-up, a recalled send that is rescheduled and a retry send an email that was frozen earlier.
Meanwhile its article may have been sent as another issue.
"""

import sqlalchemy as sa

from newsletter.checks.analysis.article_similarity import ArticleText, make_article_text
from newsletter.errors import NewsletterError, SendRefusedError
from newsletter.project import Project
from newsletter.render.email import Email
from newsletter.render.issue_folder import render_issue_folder
from newsletter.sending.ledger.record import Ledger, Send
from newsletter.sending.planning.repeated_article import find_repetition_problem
from newsletter.subscribers.send_names import get_original_issue


def require_new_article(
    project: Project, ledger: Ledger, email: Email, condition: sa.ColumnElement[bool]
) -> None:
    """Refuse to send a frozen email to readers who got its article as another issue.

    Args:
        project: the editor's folder.
        ledger: the ledger.
        email: as frozen.
        condition: who would be sent to.

    Raises:
        SendRefusedError: one of them got it.
    """
    article = load_frozen_article(project, email)
    if problem := find_repetition_problem(ledger, article, condition, project.config):
        raise SendRefusedError.from_problems([problem])


def load_frozen_article(project: Project, email: Email) -> ArticleText:
    """Return the article of a frozen email, which is recorded only as a whole.

    It is read from the issue's folder, where it may have been corrected since; if that is gone,
    the whole text part counts as the article.

    Args:
        project: the editor's folder.
        email: as frozen.
    """
    try:
        rendered = render_issue_folder(project, project.issues_dir / email.issue)
    except (NewsletterError, OSError):
        return ArticleText(email.issue, email.text, email.text)
    text = make_article_text(rendered.article, rendered.email).text
    return ArticleText(email.issue, text, email.text)


def is_issue_changed(project: Project, send_record: Send) -> bool | None:
    """Return whether the issue's files would make another email than the frozen one.

    ``None`` if they are gone, or can't be rendered.

    Args:
        project: the editor's folder.
        send_record: a send of the issue, or a catch-up.
    """
    folder = project.issues_dir / get_original_issue(send_record.issue)
    try:
        email = render_issue_folder(project, folder).email
    except (NewsletterError, OSError):
        return None
    return email.content_sha != send_record.content_sha
