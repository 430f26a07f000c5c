"""Make one digest of the new posts of the blog's feeds."""

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from newsletter.cli.issue.digest import find_digest_folder, make_digest_title
from newsletter.cli.issue.importing.import_many import ImportedRow
from newsletter.errors import display_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.posts.digest.select_posts import DigestSelection
    from newsletter.posts.importing.source_post import SourcePost
    from newsletter.project import Project

_MAX_POSTS = 100


def make_weekly_digest(
    project: "Project", posts: "Sequence[SourcePost]", *, is_draft: bool
) -> ImportedRow | None:
    """Make a digest of posts; return what is told about it, ``None`` if there is no post.

    If an interrupted run has made it, it is found again.

    Args:
        project: the editor's folder.
        posts: the new posts.
        is_draft: whether it is a draft.

    Raises:
        NewsletterError: an earlier digest can't be read, or this one can't be written.
    """
    from newsletter.posts.digest.earlier_digests import load_earlier_digests
    from newsletter.posts.digest.offers import offer_posts
    from newsletter.posts.digest.select_posts import DigestCriteria, select_posts
    from newsletter.posts.digest.write_digest import write_digest
    from newsletter.posts.importing.import_source_post import SourceImportOptions
    from newsletter.posts.importing.post_identity import identify_post

    if not posts:
        return None
    timezone = ZoneInfo(project.config.timezone)
    today = datetime.datetime.now(timezone).date()
    options = SourceImportOptions("newsletter.yml's feeds", today, timezone)
    earlier = load_earlier_digests(project)
    listed = tuple(identity for digest in earlier for identity in digest.posts)
    offered = offer_posts(project, posts, options)
    selection = select_posts(offered.offers, DigestCriteria(listed, limit=_MAX_POSTS))
    if selection.cards:
        folder = find_digest_folder(project, today, "")
        title = make_digest_title(project, today)
        write_digest(project, folder, title, today, selection.cards, is_draft=is_draft)
        return _describe(folder, "new", selection)
    identities = [identify_post(post) for post in posts]
    for digest in reversed(earlier):
        if any(one.is_same_post(other) for one in digest.posts for other in identities):
            return _describe(project.issues_dir / digest.name, "unchanged", selection)
    return _describe(None, "failed", selection)


def _describe(folder: Path | None, state: str, selection: "DigestSelection") -> ImportedRow:
    path = display_path(folder / "post.md") if folder else ""
    titles = [card.title for card in selection.cards]
    data: dict[str, Any] = {
        "title": "digest",
        "state": state,
        "issue": folder.name if folder else None,
        "path": path,
        "posts": titles,
        "problems": [str(problem) for problem in selection.unreadable],
    }
    rows = (("posts", "\n".join(titles)),) if titles else ()
    return ImportedRow("digest", state, path, rows, selection.unreadable, (), data)
