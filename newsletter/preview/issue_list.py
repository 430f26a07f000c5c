"""List the issues and their states for the preview's sidebar."""

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa

from newsletter.errors import NewsletterError
from newsletter.posts.front_matter.parse import FrontMatter, split_front_matter
from newsletter.posts.text_encoding import decode_text
from newsletter.project import ISSUE_NAME_PATTERN, Project, list_issue_folders
from newsletter.sending.ledger.find_sends import find_sends_by_issue, open_ledger
from newsletter.sending.ledger.send_phase import SEND_PHASE_LABELS

MAX_SOURCE_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class IssueListEntry:
    """One issue in the sidebar.

    Attributes:
        name: the name of its folder.
        title: from its front matter, else from the folder's name.
        date: from the folder's name, may be empty.
        state: broken, draft, ready, planned, scheduled, sending, sent, …
    """

    name: str
    title: str
    date: str
    state: str


def list_issue_entries(project: Project, engine: sa.Engine | None) -> list[IssueListEntry]:
    """Return every issue, the newest first; without a database, none has a send's state."""
    labels = {}
    if engine is not None:
        with suppress(NewsletterError):
            sends = find_sends_by_issue(open_ledger(engine, project.config))
            labels = {
                issue: SEND_PHASE_LABELS[found.phase].in_list for issue, found in sends.items()
            }
    return [
        _make_entry(folder, labels.get(folder.name))
        for folder in reversed(list_issue_folders(project))
    ]


def _make_entry(folder: Path, send_state: str | None) -> IssueListEntry:
    match = ISSUE_NAME_PATTERN.match(folder.name)
    slug = match["slug"] if match else folder.name
    front_matter = _find_front_matter(folder)
    data = front_matter.data if front_matter else {}
    title = data.get("title") or data.get("subject") or slug.replace("-", " ")
    unsent_state = (
        "broken" if front_matter is None else "draft" if data.get("draft") is True else "ready"
    )
    return IssueListEntry(
        folder.name, str(title), match["date"] if match else "", send_state or unsent_state
    )


def _find_front_matter(folder: Path) -> FrontMatter | None:
    """Return a post's front matter; ``None`` if there is no post, or it can't be parsed."""
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
    front_matter = split_front_matter(decode_text(path.read_bytes(), str(path)), str(path))
    return replace(front_matter, body="")
