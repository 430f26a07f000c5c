"""Read which posts the digests in a project's issues list."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from newsletter.config.models import Config
from newsletter.posts.digest.select_posts import identify_card
from newsletter.posts.front_matter.parse import split_front_matter
from newsletter.posts.importing.post_identity import PostIdentity
from newsletter.posts.read_issue import read_post_text
from newsletter.project import Project, display_path, list_issue_folders


@dataclass(frozen=True, slots=True)
class EarlierDigest:
    """A digest in the issues' folder.

    Attributes:
        name: the issue's name.
        newest: the date of its newest post; the issue's own if its posts have none.
        posts: by what its posts are recognized.
    """

    name: str
    newest: datetime.date
    posts: tuple[PostIdentity, ...]


def load_earlier_digests(project: Project) -> list[EarlierDigest]:
    """Return the digests of a project, the oldest first.

    Raises:
        PostError: the front matter of a digest can't be read: its posts would be repeated.
    """
    return [
        digest
        for folder in list_issue_folders(project)
        if (digest := _read_digest(folder, project.config))
    ]


def _read_digest(folder: Path, config: Config) -> EarlierDigest | None:
    file = folder / "post.md"
    if not file.is_file() or b"digest" not in file.read_bytes():
        return None
    path = display_path(file)
    front_matter = split_front_matter(read_post_text(file, path, config.limits.post_bytes), path)
    cards = list(_iter_cards(front_matter.data.get("digest")))
    if not cards:
        return None
    dates = [card["date"] for card in cards if isinstance(card.get("date"), datetime.date)]
    days = [date.date() if isinstance(date, datetime.datetime) else date for date in dates]
    return EarlierDigest(
        folder.name,
        max(days, default=datetime.date.fromisoformat(folder.name[:10])),
        tuple(
            identify_card(
                *(str(card.get(key) or "") for key in ("post_id", "url", "title", "excerpt"))
            )
            for card in cards
        ),
    )


def _iter_cards(value: Any) -> Iterator[dict[str, Any]]:
    for card in value if isinstance(value, list) else ():
        if isinstance(card, dict):
            yield card
