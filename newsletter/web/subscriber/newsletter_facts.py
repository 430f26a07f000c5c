"""What sign-up pages tell of the newsletter: latest issue, readers.

Read from database and folders at most once a minute, since anybody can open these pages.
"""

import datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from newsletter.config.urls import get_public_url
from newsletter.db import read_transaction
from newsletter.subscribers import count_subscribers
from newsletter.web.archive.archived_issue import ArchivedIssue, issue_path
from newsletter.web.archive.issue_cache import ArchiveRepository, filter_listed_issues
from newsletter.web.site_context import Site

FACTS_LIFETIME = datetime.timedelta(minutes=1)
# Fewer readers than this are no reason to subscribe.
MIN_SHOWN_READERS = 100


class NewsletterFacts(NamedTuple):
    """What a page tells of the newsletter.

    Attributes:
        latest: the latest issue of the archive's index, if there is one.
        latest_url: its path.
        readers: a round number that is exceeded; 0 if it is not to be shown.
    """

    latest: ArchivedIssue | None
    latest_url: str
    readers: int


class FactsReader:
    """Reads the facts of a newsletter, and keeps them for a minute.

    Args:
        site: the newsletter.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._repository = ArchiveRepository(site.project, site.engine)
        self._read_at: datetime.datetime | None = None
        self._facts = NewsletterFacts(None, "", 0)

    def read(self) -> NewsletterFacts:
        """Return the facts, at most a minute old."""
        now = self._site.clock()
        if self._read_at is None or not self._read_at <= now < self._read_at + FACTS_LIFETIME:
            self._facts = self._load_facts(now)
            self._read_at = now
        return self._facts

    def _load_facts(self, now: datetime.datetime) -> NewsletterFacts:
        site = self._site
        latest = next(iter(filter_listed_issues(self._repository.list_public_issues(now))), None)
        root = urlsplit(get_public_url(site.config)).path
        count = 0
        if site.config.signup.show_readers:
            with read_transaction(site.engine) as connection:
                count = round_down(count_subscribers(connection, mailable_only=True, at=now))
        return NewsletterFacts(latest, f"{root}{issue_path(latest.slug)}" if latest else "", count)


def round_down(count: int) -> int:
    """Return the largest number below ``count`` with at most two digits that aren't 0.

    "More than 1,200" is then true, and doesn't change with every reader. Below 100 it is 0.
    """
    below = count - 1
    if below < MIN_SHOWN_READERS:
        return 0
    step: int = 10 ** (len(str(below)) - 2)
    return below // step * step
