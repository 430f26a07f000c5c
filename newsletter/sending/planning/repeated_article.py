"""Find earlier sends of the same article under another name.

An issue is sent once, by its name; a folder that was renamed, or a post that was imported again
under another slug, has another name.
"""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.db.schema import send, send_content, send_recipient, subscriber
from newsletter.errors import Problem
from newsletter.posts.issue import Issue
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN
from newsletter.render.article.build import build_article
from newsletter.render.text.article import render_article_text
from newsletter.subscribers import count_subscribers

SHINGLE_WORDS = 5
# From this share of its shingles on, an article counts as the earlier one.
MIN_SHARED = 0.8
# A shorter text (a greeting, a link to the post) says nothing about the article.
MIN_SHINGLES = 10
_URL = re.compile(r"https?://\S+")
# Languages without spaces have no words to split at: each character counts.
_WORD = re.compile(
    "[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"
)

Shingles = frozenset[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class RepeatedArticle:
    """An earlier send of the same article to some of the same readers.

    Attributes:
        issue: the issue's name.
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
            remedy="If they are to get it twice, add --repeat-article.",
        )


def get_shingles(text: str) -> Shingles:
    """Return all runs of five words of a text, without its URLs and merge tokens."""
    words = _WORD.findall(_URL.sub(" ", MERGE_TOKEN_PATTERN.sub(" ", text)).casefold())
    runs = zip(*(words[start:] for start in range(SHINGLE_WORDS)), strict=False)
    return frozenset(runs)


def find_repeated_article(
    connection: sa.Connection,
    issue: Issue,
    config: Config,
    condition: sa.ColumnElement[bool],
    now: datetime.datetime,
) -> RepeatedArticle | None:
    """Return the latest earlier send of the same article to any of the same readers.

    Compared is the new article with the whole earlier email, so that masthead and footer, which
    all issues share, don't count.

    Args:
        connection: in a read transaction.
        issue: the new issue; sends of its own name are left out.
        config: the newsletter's settings.
        condition: who would be sent to.
        now: the time against which subscribers' pauses are compared.
    """
    shingles = get_shingles(render_article_text(build_article(issue, config).html))
    if len(shingles) < MIN_SHINGLES:
        return None
    for send_id, name, frozen_at, text in _iter_earlier_texts(connection, issue.name):
        share = len(shingles & get_shingles(text)) / len(shingles)
        if share < MIN_SHARED:
            continue
        has_it = sa.exists().where(
            send_recipient.c.send_id == send_id,
            send_recipient.c.address_key == subscriber.c.address_key,
            send_recipient.c.state.in_(("accepted", "unknown", "pending")),
        )
        condition_now = sa.and_(condition, has_it.correlate(subscriber))
        if count := count_subscribers(connection, condition_now, mailable_only=True, at=now):
            return RepeatedArticle(name, frozen_at, share, count)
    return None


def _iter_earlier_texts(
    connection: sa.Connection, issue_name: str
) -> Iterator[tuple[int, str, datetime.datetime, str]]:
    """Yield id, issue, time and text of all other sends, the latest first."""
    query = (
        sa.select(send.c.id, send.c.issue, send.c.frozen_at, send_content.c.text)
        .join(send_content, send_content.c.send_id == send.c.id)
        .where(send.c.issue != issue_name)
        .order_by(send.c.frozen_at.desc(), send.c.id.desc())
    )
    yield from (tuple(row) for row in connection.execute(query))
