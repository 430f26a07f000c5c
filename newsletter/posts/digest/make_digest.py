"""Make a digest from posts that are offered: choose, write the draft."""

import datetime
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from newsletter.errors import Problem, UsageError
from newsletter.posts.digest.earlier_digests import load_earlier_digests
from newsletter.posts.digest.offers import OfferedPosts
from newsletter.posts.digest.select_posts import (
    DEFAULT_LIMIT,
    DigestCard,
    DigestCriteria,
    select_posts,
)
from newsletter.posts.digest.write_digest import write_digest
from newsletter.posts.importing.issue_folder.issue_index import IssueIndex
from newsletter.posts.slug import MAX_SLUG_LENGTH, SLUG_PATTERN, slugify
from newsletter.project import Project, list_issue_folders


@dataclass(frozen=True, slots=True)
class DigestRequest:
    """What a digest is to be.

    Attributes:
        today: the issue's date.
        title: its title.
        slug: its name without its date; ``digest-<date>`` if empty.
        since: the earliest date of its posts; ``"last"`` for that of the newest post of the last
            digest; ``None`` for any.
        tags: a post needs one of them; of several, each is a section.
        limit: how many posts it takes at most.
        again: whether it takes posts of earlier digests.
        is_draft: whether it is a draft, with an introduction to write.
    """

    today: datetime.date
    title: str
    slug: str = ""
    since: datetime.date | Literal["last"] | None = "last"
    tags: tuple[str, ...] = ()
    limit: int = DEFAULT_LIMIT
    again: bool = False
    is_draft: bool = True


@dataclass(frozen=True, slots=True)
class MadeDigest:
    """A new digest, and what it left out.

    Attributes:
        path: its file; ``None`` if no post is new, and nothing was written.
        cards: its posts.
        since: the earliest date that was asked for, or that of the last digest.
        last_digest: the name of the digest that ``since`` is from, or empty.
        left_out: a noun for what was left out -> how many: ``{"repeated post": 2}``.
        over_limit: the titles of posts that are new but over the limit.
        problems: why posts can't be read.
    """

    path: Path | None
    cards: tuple[DigestCard, ...]
    since: datetime.date | None
    last_digest: str
    left_out: Counter[str]
    over_limit: tuple[str, ...]
    problems: tuple[Problem, ...]


def make_digest(
    project: Project, offer: Callable[[datetime.date | None], OfferedPosts], request: DigestRequest
) -> MadeDigest:
    """Write a draft of what is new, unless nothing is.

    Args:
        project: the editor's folder.
        offer: returns the posts to choose from, which may leave out those before a day.
        request: what the digest is to be.

    Raises:
        UsageError: the slug is invalid, or an issue has it.
        NewsletterError: an earlier digest or the source can't be read, or a file can't be written.
    """
    earlier = load_earlier_digests(project)
    last = earlier[-1] if earlier else None
    since = (last.newest if last else None) if request.since == "last" else request.since
    folder = _find_folder(project, request)
    offered = offer(since)
    listed = () if request.again else tuple(post for digest in earlier for post in digest.posts)
    criteria = DigestCriteria(listed, since, request.tags, request.limit)
    selection = select_posts(offered.offers, criteria)
    path = None
    if selection.cards:
        path = write_digest(
            project,
            folder,
            request.title,
            request.today,
            selection.cards,
            is_draft=request.is_draft,
        )
    return MadeDigest(
        path,
        selection.cards,
        since,
        last.name if last and request.since == "last" else "",
        offered.left_out + selection.left_out,
        selection.over_limit,
        (*offered.unreadable, *selection.unreadable),
    )


def _find_folder(project: Project, request: DigestRequest) -> Path:
    slug, today = request.slug, request.today
    if not slug:
        return IssueIndex(project).find_free_folder(project, today, f"digest-{today}")
    if not SLUG_PATTERN.fullmatch(slug) or len(slug) > MAX_SLUG_LENGTH:
        raise UsageError(
            f"--slug '{slug}' is not a valid slug",
            remedy=f"Use lowercase letters, digits and hyphens, at most {MAX_SLUG_LENGTH}: "
            f"--slug {slugify(slug) or 'digest-12'}",
        )
    for folder in list_issue_folders(project):
        if folder.name[11:] == slug:
            raise UsageError(f"{folder.name} has this slug", remedy="Choose another one.")
    return project.issues_dir / f"{today}-{slug}"
