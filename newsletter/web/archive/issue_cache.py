"""The sent issues, read from their folders once for as long as nobody edits them."""

import datetime
import logging
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import attempt, batch, send
from newsletter.errors import NewsletterError, display_path
from newsletter.posts.read_issue import read_issue
from newsletter.project import ISSUE_NAME_PATTERN, Project
from newsletter.sending.planning.tested_issues import list_tested_issues
from newsletter.web.archive.archived_issue import ArchivedIssue, make_archived_issue

MAX_CACHED_ISSUES = 2_000
_SOURCE_NAMES = ("post.md", "post.html")
_SENT_BATCH_STATES = ("accepted", "unknown")
_log = logging.getLogger("newsletter.web.archive")

FolderStamp = tuple[int, ...]


class SentIssue(NamedTuple):
    """A send in the record.

    Attributes:
        issue: its folder's name.
        at: when the first of it left or is to leave; ``None`` if nothing has.
    """

    issue: str
    at: datetime.datetime | None

    @property
    def slug(self) -> str:
        """The name without its date, as in URLs."""
        dated = ISSUE_NAME_PATTERN.match(self.issue)
        return dated["slug"] if dated else self.issue


def _build_sends_query() -> sa.Select[Any]:
    def first(state: str) -> sa.ScalarSelect[int]:
        mine = sa.and_(batch.c.send_id == send.c.id, batch.c.state == state)
        return sa.select(sa.func.min(batch.c.id)).where(mine).correlate(send).scalar_subquery()

    left = sa.func.coalesce(*(first(state) for state in _SENT_BATCH_STATES))
    began = sa.select(sa.func.min(attempt.c.started_at)).where(attempt.c.batch_id == left)
    first_try = began.correlate(send).scalar_subquery()
    return sa.select(send.c.issue, send.c.scheduled_at, send.c.recalled_at, first_try).order_by(
        send.c.id.desc()
    )


_SENDS_QUERY = _build_sends_query()


class ArchiveRepository:
    """Looks sent issues up.

    Args:
        project: the editor's folder.
        engine: the record of sends.
    """

    def __init__(self, project: Project, engine: sa.Engine) -> None:
        self._project = project
        self._engine = engine
        self._cache: OrderedDict[SentIssue, tuple[FolderStamp, ArchivedIssue | None]] = (
            OrderedDict()
        )
        self._lock = threading.Lock()

    def list_public_issues(self, now: datetime.datetime) -> list[ArchivedIssue]:
        """The issues that have a page, the latest first; of two with one slug, the later."""
        found: dict[str, ArchivedIssue] = {}
        for sent in self._load_sends():
            if sent.at is not None and sent.at <= now and sent.slug not in found:
                issue = self._load_issue(sent)
                if issue is not None and issue.listing != "private":
                    found[issue.slug] = issue
        return list(found.values())

    def find_images_folder(self, slug: str) -> Path | None:
        """The folder whose images a mail may name: sent, or about to be; private ones too.

        Or one of which test copies have gone out.
        """
        sends = self._load_sends()
        if not any(sent.slug == slug for sent in sends):
            sends = [SentIssue(issue, None) for issue in list_tested_issues(self._engine)]
        name = next((sent.issue for sent in sends if sent.slug == slug), None)
        return self._project.issues_dir / name if name else None

    def _load_sends(self) -> list[SentIssue]:
        """All sends, the latest first, those of which nothing has left at the top."""
        with read_transaction(self._engine) as connection:
            rows = connection.execute(_SENDS_QUERY).all()
        sends = [
            SentIssue(name, max(began, due or began) if began and not recalled else None)
            for name, due, recalled, began in rows
        ]
        return sorted(sends, key=_sent_at_sort_key, reverse=True)

    def _load_issue(self, sent: SentIssue) -> ArchivedIssue | None:
        """An issue as its folder is now; ``None`` if that can't be read, or is a draft again."""
        folder = self._project.issues_dir / sent.issue
        stamp = _get_folder_stamp(folder)
        with self._lock:
            known = self._cache.get(sent)
            if known and known[0] == stamp:
                self._cache.move_to_end(sent)
                return known[1]
        made = self._read_archived_issue(folder, sent)
        with self._lock:
            self._cache[sent] = stamp, made
            while len(self._cache) > MAX_CACHED_ISSUES:
                self._cache.popitem(last=False)
        return made

    def _read_archived_issue(self, folder: Path, sent: SentIssue) -> ArchivedIssue | None:
        assert sent.at is not None
        try:
            issue = read_issue(folder, self._project.config)
            return (
                None if issue.draft else make_archived_issue(issue, sent.at, self._project.config)
            )
        except (NewsletterError, OSError) as error:
            _log.warning("left out of the archive: %s: %s", display_path(folder), error)
            return None


def filter_listed_issues(issues: Sequence[ArchivedIssue]) -> list[ArchivedIssue]:
    """Those that indexes and feeds name."""
    return [issue for issue in issues if issue.listing == "listed"]


def search_issue_titles(issues: Sequence[ArchivedIssue], query: str) -> list[ArchivedIssue]:
    """Those whose title has every word of ``query`` in it; case and diacritics don't count."""
    wanted = _fold_text(query).split()
    return [issue for issue in issues if all(word in _fold_text(issue.title) for word in wanted)]


def _fold_text(text: str) -> str:
    """``text`` without case and diacritics (Unicode UAX 15, UTS 10's primary level, nearly)."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in parts if not unicodedata.combining(char))


def _sent_at_sort_key(sent: SentIssue) -> datetime.datetime:
    return sent.at or datetime.datetime.max.replace(tzinfo=datetime.UTC)


def _get_folder_stamp(folder: Path) -> FolderStamp:
    """Changes when a file comes, goes, or the post is written in place."""
    found: list[int] = []
    for path in (folder, *(folder / name for name in _SOURCE_NAMES)):
        try:
            status = path.stat()
        except OSError:
            found.append(0)
        else:
            found += (status.st_mtime_ns, status.st_size)
    return tuple(found)
