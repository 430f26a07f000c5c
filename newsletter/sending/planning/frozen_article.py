"""Compare a frozen article with other issues before it goes out later.

A catch-up, a recalled send that is rescheduled and a retry send an email that was frozen earlier.
Meanwhile its article may have been sent as another issue.
"""

import sqlalchemy as sa

from newsletter.checks.analysis.article_similarity import ArticleText, make_article_text
from newsletter.errors import NewsletterError, SendRefusedError
from newsletter.project import Project
from newsletter.render.email import Email
from newsletter.sending.ledger.record import Ledger
from newsletter.sending.planning.proposal import render_issue_folder
from newsletter.sending.planning.repeated_article import find_repetition_problem


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
        issue, rendered = render_issue_folder(project, project.issues_dir / email.issue)
    except (NewsletterError, OSError):
        return ArticleText(email.issue, email.text, email.text)
    text = make_article_text(issue, rendered, project.config).text
    return ArticleText(email.issue, text, email.text)
