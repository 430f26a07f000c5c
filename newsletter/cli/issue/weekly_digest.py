"""Make one digest of the new posts of the blog's feeds."""

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from newsletter.cli.issue.digest import make_digest_title
from newsletter.cli.issue.importing.import_many import ImportedRow
from newsletter.errors import Problem, display_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.posts.digest.make_digest import MadeDigest
    from newsletter.posts.importing.source_post import SourcePost, UnreadablePost
    from newsletter.project import Project

_MAX_POSTS = 100


class DigestPosts(NamedTuple):
    """The new posts of the feeds, and what becomes of them in a digest.

    Attributes:
        taken: posts that get a card.
        later: older ones that are too many; the next digest takes them.
        without_page: posts that have no page to which a card could link.
    """

    taken: "list[SourcePost]"
    later: "list[SourcePost]"
    without_page: "list[UnreadablePost]"


def split_for_digest(posts: "Sequence[SourcePost]") -> DigestPosts:
    """Return which posts a digest takes: the newest that have a page on the web."""
    from newsletter.posts.importing.source_post import UnreadablePost

    linked = [post for post in posts if post.url]
    linked.sort(key=lambda post: post.date.timestamp() if post.date else 0.0, reverse=True)
    problem = Problem(
        "it has no page on the web that a digest could link to",
        remedy="Import it as an issue: newsletter import FEED --post TITLE",
    )
    without_page = [
        UnreadablePost(post.title or post.post_id or "(a post without a title)", problem)
        for post in posts
        if not post.url
    ]
    return DigestPosts(linked[:_MAX_POSTS], linked[_MAX_POSTS:], without_page)


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
