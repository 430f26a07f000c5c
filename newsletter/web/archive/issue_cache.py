"""Find the public issues and cache them until their folder changes."""

import datetime
import logging
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import attempt, batch, send
from newsletter.errors import NewsletterError, display_path
from newsletter.posts.read_issue import read_issue
from newsletter.posts.stills import list_drawn_stills
from newsletter.project import ISSUE_NAME_PATTERN, Project
from newsletter.render.words import read_own_words
from newsletter.sending.planning.tested_issues import list_tested_issues
from newsletter.subscribers.recalled_sends import is_recalled
from newsletter.subscribers.send_names import get_original_issue
from newsletter.web.archive.archived_issue import ArchivedIssue, make_archived_issue

MAX_CACHED_ISSUES = 2_000
_SOURCE_NAMES = ("post.md", "post.html")
_SENT_BATCH_STATES = ("accepted", "unknown")
_log = logging.getLogger("newsletter.web.archive")

FolderStamp = tuple[int, ...]


class SentIssue(NamedTuple):
    """A send in the ledger.

    Attributes:
        issue: the name of the issue's folder.
        at: when its first email was or is to be sent; ``None`` if none has been sent.
    """

    issue: str
    at: datetime.datetime | None

    @property
    def slug(self) -> str:
        """The folder's name without its date, as in URLs."""
        match = ISSUE_NAME_PATTERN.match(self.issue)
        return match["slug"] if match else self.issue


class _LoadedIssue(NamedTuple):
    """An issue as its folder is.

    Attributes:
        issue: its web form; ``None`` if it has no page.
        problem: why it is left out, for the editor; empty if nothing is wrong.
        stills: the names of its images that are drawn on a video's still.
    """

    issue: ArchivedIssue | None
    problem: str = ""
    stills: tuple[str, ...] = ()


def _build_sends_query() -> sa.Select[Any]:
    def select_first_batch(state: str) -> sa.ScalarSelect[int]:
        batches = sa.and_(batch.c.send_id == send.c.id, batch.c.state == state)
        return sa.select(sa.func.min(batch.c.id)).where(batches).correlate(send).scalar_subquery()

    first_sent_batch = sa.func.coalesce(
        *(select_first_batch(state) for state in _SENT_BATCH_STATES)
    )
    started_at = sa.select(sa.func.min(attempt.c.started_at)).where(
        attempt.c.batch_id == first_sent_batch
    )
    first_attempt = started_at.correlate(send).scalar_subquery()
    return sa.select(send.c.issue, send.c.scheduled_at, send.c.recalled_at, first_attempt).order_by(
        send.c.id.desc()
    )


_SENDS_QUERY = _build_sends_query()


class ArchiveRepository:
    """The sent issues of a project, cached.

    Args:
        project: the newsletter's project.
        engine: the database with the ledger of sends.
    """

    def __init__(self, project: Project, engine: sa.Engine) -> None:
        self._project = project
        self._engine = engine
        self._cache: OrderedDict[SentIssue, tuple[FolderStamp, _LoadedIssue]] = OrderedDict()
        self._lock = threading.Lock()

    def list_public_issues(self, now: datetime.datetime) -> list[ArchivedIssue]:
        """Return the issues that have a page, the latest first; of two with one slug, the later."""
        return list(self._iter_public_issues(now))

    def list_latest_issues(self, now: datetime.datetime, count: int) -> list[ArchivedIssue]:
        """Return at most that many of the issues that are listed, the latest first.

        Unlike the other lists, it reads only the folders that it needs.
        """
        listed = (issue for issue in self._iter_public_issues(now) if issue.listing == "listed")
        return list(islice(listed, count))

    def _iter_public_issues(self, now: datetime.datetime) -> Iterator[ArchivedIssue]:
        slugs: set[str] = set()
        for sent in self._load_sends():
            if sent.at is not None and sent.at <= now and sent.slug not in slugs:
                issue = self._load_issue(sent).issue
                if issue is not None and issue.listing != "private":
                    slugs.add(issue.slug)
                    yield issue

    def list_problems(self, now: datetime.datetime) -> list[tuple[str, str]]:
        """Return the sent issues that are left out or were changed: name and reason."""
        return [
            (sent.issue, problem)
            for sent in self._load_sends()
            if sent.at is not None
            and sent.at <= now
            and (problem := self._load_issue(sent).problem)
        ]

    def find_images_folder(self, slug: str) -> Path | None:
        """Return the folder of the issue whose email has images below this slug.

        That is an issue that is or will be sent, even a private one, or one of which test emails
        have been sent.
        """
        sends = self._load_sends()
        if not any(sent.slug == slug for sent in sends):
            sends = [SentIssue(issue, None) for issue in list_tested_issues(self._engine)]
        name = next((sent.issue for sent in sends if sent.slug == slug), None)
        return self._project.issues_dir / name if name else None

    def list_stills(self, folder: Path) -> tuple[str, ...]:
        """Return the names of an issue's images that are drawn on a video's still.

        No sign is drawn on any other picture: to decode one takes long.

        Args:
            folder: one that ``find_images_folder`` has returned.
        """
        sent = next((sent for sent in self._load_sends() if sent.issue == folder.name), None)
        return self._load_issue(sent or SentIssue(folder.name, None)).stills

    def _load_sends(self) -> list[SentIssue]:
        """Return all sends, the latest first; those with nothing sent yet are at the top."""
        with read_transaction(self._engine) as connection:
            rows = connection.execute(_SENDS_QUERY).all()
        sends = [
            SentIssue(
                name,
                max(started_at, due or started_at)
                if started_at and not is_recalled(due, recalled_at)
                else None,
            )
            for name, due, recalled_at, started_at in rows
            if get_original_issue(name) == name
        ]
        return sorted(sends, key=_sent_at_sort_key, reverse=True)

    def _load_issue(self, sent: SentIssue) -> _LoadedIssue:
        """Return an issue as its folder is now; a problem is logged once per change of it."""
        folder = self._project.issues_dir / sent.issue
        stamp = _get_folder_stamp(folder)
        with self._lock:
            cached = self._cache.get(sent)
            if cached and cached[0] == stamp:
                self._cache.move_to_end(sent)
                return cached[1]
        loaded = self._read_archived_issue(folder, sent)
        if loaded.problem and sent.at is not None:
            _log.warning("in the archive: %s: %s", display_path(folder), loaded.problem)
        with self._lock:
            self._cache[sent] = stamp, loaded
            while len(self._cache) > MAX_CACHED_ISSUES:
                self._cache.popitem(last=False)
        return loaded

    def _read_archived_issue(self, folder: Path, sent: SentIssue) -> _LoadedIssue:
        try:
            issue = read_issue(folder, self._project.config)
            stills = list_drawn_stills(issue.post.images)
            if issue.draft or sent.at is None:
                return _LoadedIssue(None, stills=stills)
            own_words = read_own_words(self._project.templates_dir)
            archived = make_archived_issue(issue, sent.at, self._project.config, own_words)
        except (NewsletterError, OSError) as error:
            return _LoadedIssue(None, f"left out: {error}")
        except Exception as error:  # noqa: BLE001 - one bad issue must not take down the others
            return _LoadedIssue(None, f"left out: {type(error).__name__}: {error}")
        return _LoadedIssue(archived, stills=stills)


def filter_listed_issues(issues: Sequence[ArchivedIssue]) -> list[ArchivedIssue]:
    """Return the issues that are in the index and the feeds."""
    return [issue for issue in issues if issue.listing == "listed"]


def search_issue_titles(issues: Sequence[ArchivedIssue], query: str) -> list[ArchivedIssue]:
    """Return the issues whose title contains every word of ``query``, ignoring case and accents."""
    words = _fold_text(query).split()
    return [issue for issue in issues if all(word in _fold_text(issue.title) for word in words)]


def _fold_text(text: str) -> str:
    """Return ``text`` without case and diacritics (Unicode UAX 15, nearly UTS 10 level 1)."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in parts if not unicodedata.combining(char))


def _sent_at_sort_key(sent: SentIssue) -> datetime.datetime:
    return sent.at or datetime.datetime.max.replace(tzinfo=datetime.UTC)


def _get_folder_stamp(folder: Path) -> FolderStamp:
    """Return a value that changes when a file is added or removed, or the post is edited."""
    stamp: list[int] = []
    for path in (folder, *(folder / name for name in _SOURCE_NAMES)):
        try:
            status = path.stat()
        except OSError:
            stamp.append(0)
        else:
            stamp += (status.st_mtime_ns, status.st_size)
    return tuple(stamp)
