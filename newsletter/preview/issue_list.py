"""The issues in the folder and how each stands, for the list beside the mail."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa

from newsletter.errors import NewsletterError
from newsletter.posts.front_matter.parse import FrontMatter, split_front_matter
from newsletter.posts.text_encoding import decode_text
from newsletter.project import ISSUE_NAME_PATTERN, Project, list_issue_folders
from newsletter.sending.ledger.find_sends import list_sends, open_ledger

# The ledger's states, as an editor would say them.
STATE_LABELS: Mapping[str, str] = {
    "frozen": "planned",
    "running": "sending",
    "paused": "paused",
    "blocked": "stopped",
    "needs_review": "look",
    "done": "sent",
    "cancelled": "cancelled",
}
MAX_SOURCE_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class IssueListEntry:
    """One issue.

    Attributes:
        name: its folder's.
        title: as its front matter has it, else made of the name.
        date: as in the name.
        state: broken, draft, ready, planned, sending, sent, …
    """

    name: str
    title: str
    date: str
    state: str


def list_issue_entries(project: Project, engine: sa.Engine | None) -> list[IssueListEntry]:
    """Every issue, the newest first."""
    sends = {}
    if engine is not None:
        try:
            sends = {one.issue: one for one in list_sends(open_ledger(engine, project.config))}
        except NewsletterError:
            sends = {}
    return [
        _make_entry(
            folder, STATE_LABELS.get(sends[folder.name].state) if folder.name in sends else None
        )
        for folder in reversed(list_issue_folders(project))
    ]


def _make_entry(folder: Path, state: str | None) -> IssueListEntry:
    found = ISSUE_NAME_PATTERN.match(folder.name)
    slug = found["slug"] if found else folder.name
    front = _find_front_matter(folder)
    data = front.data if front else {}
    title = data.get("title") or data.get("subject") or slug.replace("-", " ")
    waiting = "broken" if front is None else "draft" if data.get("draft") is True else "ready"
    return IssueListEntry(folder.name, str(title), found["date"] if found else "", state or waiting)


def _find_front_matter(folder: Path) -> FrontMatter | None:
    """A post's settings; ``None`` if there is no post, or they can't be read."""
    for name in ("post.md", "post.html"):
        with suppress(OSError, NewsletterError):
            path = folder / name
            status = path.stat()
            if status.st_size <= MAX_SOURCE_BYTES:
                return _read_front_matter(path, status.st_mtime_ns)
            return FrontMatter()
    return None


@lru_cache(maxsize=2_000)
def _read_front_matter(path: Path, _mtime_ns: int) -> FrontMatter:
    front = split_front_matter(decode_text(path.read_bytes(), str(path)), str(path))
    return replace(front, body="")
