"""Write a digest as the folder of a draft issue."""

import datetime
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from newsletter.posts.digest.select_posts import DigestCard
from newsletter.posts.importing.issue_folder.front_matter_writer import format_settings
from newsletter.posts.importing.opening import MAX_PREHEADER_LENGTH
from newsletter.project import Project
from newsletter.public_files import write_public_file

_COMMENT = """\
# A draft of a digest. Write the introduction below the last line of dashes; put the posts in
# order, and delete those that you don't want. When it is finished, delete the line "draft: true".
"""


def write_digest(  # noqa: PLR0913 - an issue, and where it goes
    project: Project,
    folder: Path,
    title: str,
    date: datetime.date,
    cards: Sequence[DigestCard],
    *,
    is_draft: bool = True,
) -> Path:
    """Write a digest at once, and return its file.

    Args:
        project: the editor's folder.
        folder: the issue's folder, which doesn't exist.
        title: the issue's title.
        date: the issue's date.
        cards: its posts.
        is_draft: whether it is a draft, with an introduction to write.

    Raises:
        FileWriteError: a file can't be written; nothing is left of it.
    """
    staging = project.issues_dir / f".digest-{uuid4().hex}"
    try:
        staging.mkdir(parents=True)
        cards = tuple(_name_pictures(cards))
        for card in cards:
            if card.picture and card.picture.file is not None:
                data = card.picture.file
                write_public_file(
                    staging / card.picture.src,
                    data if isinstance(data, bytes) else data.read_bytes(),
                )
        text = format_digest(title, date, cards, is_draft=is_draft)
        write_public_file(staging / "post.md", text.encode(), durable=True)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return folder / "post.md"


def format_digest(
    title: str, date: datetime.date, cards: Sequence[DigestCard], *, is_draft: bool = True
) -> str:
    """Return the text of a digest's file."""
    settings = {
        "title": title,
        "preheader": _make_preheader(cards),
        "date": date,
        **({"draft": True} if is_draft else {}),
        "digest": [dict(_iter_settings(card)) for card in cards],
    }
    return f"---\n{_COMMENT if is_draft else ''}{format_settings(settings)}---\n\n"


def _iter_settings(card: DigestCard) -> Iterator[tuple[str, Any]]:
    yield "title", card.title
    yield "url", card.url
    if card.excerpt:
        yield "excerpt", card.excerpt
    if card.picture:
        picture = card.picture
        yield "picture", {"src": picture.src, **({"alt": picture.alt} if picture.alt else {})}
    yield "minutes", card.minutes
    if card.section:
        yield "section", card.section
    if card.date:
        yield "date", card.date
    if card.post_id and card.post_id != card.url:
        yield "post_id", card.post_id


def _make_preheader(cards: Sequence[DigestCard]) -> str:
    """Return as many titles as an inbox shows."""
    text = ""
    for card in cards:
        longer = f"{text} · {card.title}" if text else card.title
        if len(longer) > MAX_PREHEADER_LENGTH:
            break
        text = longer
    return text


def _name_pictures(cards: Sequence[DigestCard]) -> Iterator[DigestCard]:
    """Yield the cards, each picture that is copied with a name of its own."""
    used: dict[str, Path | bytes] = {}
    for card in cards:
        picture = card.picture
        if picture is None or picture.file is None:
            yield card
            continue
        path = PurePosixPath(picture.src)
        names = (path.name if n == 1 else f"{path.stem}-{n}{path.suffix}" for n in count(1))
        name = next(
            name for name in names if used.get(name.casefold(), picture.file) == picture.file
        )
        used[name.casefold()] = picture.file
        yield replace(card, picture=replace(picture, src=name))
