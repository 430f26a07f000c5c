"""Make one digest of the new posts of the blog's feeds."""

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from newsletter.cli.issue.digest import make_digest_title
from newsletter.cli.issue.importing.import_many import ImportedRow
from newsletter.errors import display_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.posts.digest.make_digest import MadeDigest
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
    from newsletter.posts.digest.make_digest import DigestRequest, make_digest
    from newsletter.posts.digest.offers import offer_posts
    from newsletter.posts.importing.import_source_post import SourceImportOptions
    from newsletter.posts.importing.post_identity import identify_post

    if not posts:
        return None
    timezone = ZoneInfo(project.config.timezone)
    today = datetime.datetime.now(timezone).date()
    options = SourceImportOptions("newsletter.yml's feeds", today, timezone)
    digest = make_digest(
        project,
        lambda _: offer_posts(project, posts, options),
        DigestRequest(
            today,
            make_digest_title(project, today),
            since=None,
            limit=_MAX_POSTS,
            is_draft=is_draft,
        ),
    )
    if digest.path:
        return _describe(digest.path.parent, "new", digest)
    identities = [identify_post(post) for post in posts]
    for earlier in reversed(load_earlier_digests(project)):
        if any(known.is_same_post(new) for known in earlier.posts for new in identities):
            return _describe(project.issues_dir / earlier.name, "unchanged", digest)
    return _describe(None, "failed", digest)


def _describe(folder: Path | None, state: str, digest: "MadeDigest") -> ImportedRow:
    path = display_path(folder / "post.md") if folder else ""
    titles = [card.title for card in digest.cards]
    data: dict[str, Any] = {
        "title": "digest",
        "state": state,
        "issue": folder.name if folder else None,
        "path": path,
        "posts": titles,
        "problems": [str(problem) for problem in digest.problems],
    }
    rows = (("posts", "\n".join(titles)),) if titles else ()
    return ImportedRow("digest", state, path, rows, digest.problems, (), data)
