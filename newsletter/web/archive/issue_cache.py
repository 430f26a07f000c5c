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
from newsletter.web.archive.archived_issue import Archived, archived

MOST_KEPT = 2_000
_SOURCES = ("post.md", "post.html")
_LEFT = ("accepted", "unknown")
_log = logging.getLogger("newsletter.web.archive")

Stamp = tuple[int, ...]


class Sent(NamedTuple):
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


def _sends_and_when_they_began() -> sa.Select[Any]:
    def first(state: str) -> sa.ScalarSelect[int]:
        mine = sa.and_(batch.c.send_id == send.c.id, batch.c.state == state)
        return sa.select(sa.func.min(batch.c.id)).where(mine).correlate(send).scalar_subquery()

    left = sa.func.coalesce(*(first(state) for state in _LEFT))
    began = sa.select(sa.func.min(attempt.c.started)).where(attempt.c.batch_id == left)
    first_try = began.correlate(send).scalar_subquery()
    return sa.select(send.c.issue, send.c.scheduled_at, send.c.recalled_at, first_try).order_by(
        send.c.id.desc()
    )


_SENDS = _sends_and_when_they_began()


class Shelf:
    """Looks sent issues up.

    Args:
        project: the editor's folder.
        engine: the record of sends.
    """

    def __init__(self, project: Project, engine: sa.Engine) -> None:
        self._project = project
        self._engine = engine
        self._kept: OrderedDict[Sent, tuple[Stamp, Archived | None]] = OrderedDict()
        self._lock = threading.Lock()

    def public(self, now: datetime.datetime) -> list[Archived]:
        """The issues that have a page, the latest first; of two with one slug, the later."""
        found: dict[str, Archived] = {}
        for sent in self._sends():
            if sent.at is not None and sent.at <= now and sent.slug not in found:
                issue = self._issue(sent)
                if issue is not None and issue.listing != "private":
                    found[issue.slug] = issue
        return list(found.values())

    def folder(self, slug: str) -> Path | None:
        """The folder whose images a mail may name: sent, or about to be; private ones too.

        Or one of which test copies have gone out.
        """
        sends = self._sends()
        if not any(sent.slug == slug for sent in sends):
            sends = [Sent(issue, None) for issue in list_tested_issues(self._engine)]
        name = next((sent.issue for sent in sends if sent.slug == slug), None)
        return self._project.issues_dir / name if name else None

    def _sends(self) -> list[Sent]:
        """All sends, the latest first, those of which nothing has left at the top."""
        with read_transaction(self._engine) as connection:
            rows = connection.execute(_SENDS).all()
        sends = [
            Sent(name, max(began, due or began) if began and not recalled else None)
            for name, due, recalled, began in rows
        ]
        return sorted(sends, key=_latest_first, reverse=True)

    def _issue(self, sent: Sent) -> Archived | None:
        """An issue as its folder is now; ``None`` if that can't be read, or is a draft again."""
        folder = self._project.issues_dir / sent.issue
        stamp = _stamp(folder)
        with self._lock:
            known = self._kept.get(sent)
            if known and known[0] == stamp:
                self._kept.move_to_end(sent)
                return known[1]
        made = self._read(folder, sent)
        with self._lock:
            self._kept[sent] = stamp, made
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return made

    def _read(self, folder: Path, sent: Sent) -> Archived | None:
        assert sent.at is not None
        try:
            issue = read_issue(folder, self._project.config)
            return None if issue.draft else archived(issue, sent.at, self._project.config)
        except (NewsletterError, OSError) as error:
            _log.warning("left out of the archive: %s: %s", display_path(folder), error)
            return None


def listed(issues: Sequence[Archived]) -> list[Archived]:
    """Those that indexes and feeds name."""
    return [issue for issue in issues if issue.listing == "listed"]


def search(issues: Sequence[Archived], query: str) -> list[Archived]:
    """Those whose title has every word of ``query`` in it; case and diacritics don't count."""
    wanted = _folded(query).split()
    return [issue for issue in issues if all(word in _folded(issue.title) for word in wanted)]


def _folded(text: str) -> str:
    """``text`` without case and diacritics (Unicode UAX 15, UTS 10's primary level, nearly)."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in parts if not unicodedata.combining(char))


def _latest_first(sent: Sent) -> datetime.datetime:
    return sent.at or datetime.datetime.max.replace(tzinfo=datetime.UTC)


def _stamp(folder: Path) -> Stamp:
    """Changes when a file comes, goes, or the post is written in place."""
    found: list[int] = []
    for path in (folder, *(folder / name for name in _SOURCES)):
        try:
            status = path.stat()
        except OSError:
            found.append(0)
        else:
            found += (status.st_mtime_ns, status.st_size)
    return tuple(found)
