"""Find earlier sends of the same article under another name.

An issue is sent once, by its name; a folder that was renamed, or a post that was imported again
under another slug, has another name. A catch-up, a recalled send that is rescheduled and a retry
send an email that was frozen earlier: meanwhile its article may have been sent as another issue.
"""

import datetime
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from newsletter.checks.analysis.article_similarity import (
    ArticleText,
    find_repeated_emails,
    make_article_text,
)
from newsletter.checks.earlier_emails import getting_condition, load_earlier_emails
from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.db.schema import send_recipient, subscriber
from newsletter.errors import NewsletterError, Problem, SendRefusedError
from newsletter.project import Project
from newsletter.render.email import Email
from newsletter.render.issue_folder import render_issue_folder
from newsletter.sending.ledger.record import Ledger, Send
from newsletter.subscribers import count_subscribers
from newsletter.subscribers.send_names import get_original_issue


@dataclass(frozen=True, slots=True)
class RepeatedArticle:
    """An earlier send of the same article to some of the same readers.

    Attributes:
        issue: the issue's name, without the mark of a recalled send.
        frozen_at: when its content was frozen.
        share: how much of the new article is in its email, from 0 to 1.
        recipient_count: how many who would be sent to now are recipients of that send.
    """

    issue: str
    frozen_at: datetime.datetime
    share: float
    recipient_count: int

    def as_problem(self, config: Config) -> Problem:
        """Return why the article is not sent without the editor's word."""
        local = self.frozen_at.astimezone(ZoneInfo(config.timezone))
        readers = f"{self.recipient_count:,} of these readers"
        return Problem(
            f"{self.share:.0%} of this article is in {self.issue} of {local.day} {local:%b %Y}, "
            f"which {readers} have or will get",
            remedy="If they are to get it twice, or it is a new issue in the same words, add "
            "--repeat-article.",
        )


def find_repetition_problem(
    ledger: Ledger, article: ArticleText, condition: sa.ColumnElement[bool], config: Config
) -> Problem | None:
    """Return the problem that some recipients got an article as another issue, if so.

    Args:
        ledger: the ledger.
        article: as for ``find_repeated_article``.
        condition: who would be sent to.
        config: the newsletter's settings.
    """
    with read_transaction(ledger.engine) as connection:
        now = ledger.clock(connection)
        repeated = find_repeated_article(connection, article, condition, now)
    return repeated.as_problem(config) if repeated else None


def find_repeated_article(
    connection: sa.Connection,
    article: ArticleText,
    condition: sa.ColumnElement[bool],
    now: datetime.datetime,
) -> RepeatedArticle | None:
    """Return the latest earlier send of the same article to any of the same readers.

    Args:
        connection: in a read transaction.
        article: the new issue's; sends of its own name are left out.
        condition: who would be sent to.
        now: the time against which subscribers' pauses are compared.
    """
    earlier = load_earlier_emails(connection, article.issue)
    for repeated in find_repeated_emails(article, earlier):
        has_it = sa.exists().where(
            getting_condition(repeated.email.send_id),
            send_recipient.c.address_key == subscriber.c.address_key,
        )
        condition_now = sa.and_(condition, has_it.correlate(subscriber))
        if count := count_subscribers(connection, condition_now, mailable_only=True, at=now):
            return RepeatedArticle(
                repeated.email.issue, repeated.email.frozen_at, repeated.share, count
            )
    return None


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
