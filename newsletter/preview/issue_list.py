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
STATES: Mapping[str, str] = {
    "frozen": "planned",
    "running": "sending",
    "paused": "paused",
    "blocked": "stopped",
    "needs_review": "look",
    "done": "sent",
    "cancelled": "cancelled",
}
MOST_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class Entry:
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


def entries(project: Project, engine: sa.Engine | None) -> list[Entry]:
    """Every issue, the newest first."""
    sends = {}
    if engine is not None:
        try:
            sends = {one.issue: one for one in list_sends(open_ledger(engine, project.config))}
        except NewsletterError:
            sends = {}
    return [
        _entry(folder, STATES.get(sends[folder.name].state) if folder.name in sends else None)
        for folder in reversed(list_issue_folders(project))
    ]


def _entry(folder: Path, state: str | None) -> Entry:
    found = ISSUE_NAME_PATTERN.match(folder.name)
    slug = found["slug"] if found else folder.name
    front = _front(folder)
    data = front.data if front else {}
    title = data.get("title") or data.get("subject") or slug.replace("-", " ")
    waiting = "broken" if front is None else "draft" if data.get("draft") is True else "ready"
    return Entry(folder.name, str(title), found["date"] if found else "", state or waiting)


def _front(folder: Path) -> FrontMatter | None:
    """A post's settings; ``None`` if there is no post, or they can't be read."""
    for name in ("post.md", "post.html"):
        with suppress(OSError, NewsletterError):
            path = folder / name
            status = path.stat()
            if status.st_size <= MOST_BYTES:
                return _read(path, status.st_mtime_ns)
            return FrontMatter()
    return None


@lru_cache(maxsize=2_000)
def _read(path: Path, _changed: int) -> FrontMatter:
    front = split_front_matter(decode_text(path.read_bytes(), str(path)), str(path))
    return replace(front, body="")
