"""Offer posts to a digest: the issues of a project, or the posts of a blog."""

import datetime
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import partial

from newsletter.config.urls import build_view_online_url
from newsletter.errors import NewsletterError, Problem
from newsletter.posts.digest.make_card import make_issue_card, make_post_card
from newsletter.posts.digest.select_posts import DigestCard, DigestOffer
from newsletter.posts.importing.images.prepare_image import PIXEL_RATIO, prepare_image
from newsletter.posts.importing.import_source_post import SourceImportOptions, parse_source_post
from newsletter.posts.importing.issue_folder.manifest import read_manifest
from newsletter.posts.importing.read_file import read_post_source
from newsletter.posts.importing.source_post import SourcePost, UnreadablePost
from newsletter.posts.merge_tags.tags import restore_merge_tags
from newsletter.posts.read_issue import read_issue
from newsletter.project import Project, list_issue_folders


@dataclass(slots=True)
class OfferedPosts:
    """What a digest may take, and what it may not.

    Attributes:
        offers: the posts.
        left_out: a noun for what is not offered -> how many: ``{"draft": 1}``.
        unreadable: why posts can't be read.
    """

    offers: list[DigestOffer] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    unreadable: list[Problem] = field(default_factory=list)


def offer_issues(
    project: Project, since: datetime.date | None, sent_issues: Collection[str]
) -> OfferedPosts:
    """Offer the issues of one post that are finished.

    An issue is on the web where its ``canonical_url`` says, or, once it was sent, on its own page.

    Args:
        project: the editor's folder.
        since: the earliest date; older issues are not read.
        sent_issues: the names of the issues that were sent.
    """
    offered = OfferedPosts()
    for folder in list_issue_folders(project):
        if since and datetime.date.fromisoformat(folder.name[:10]) < since:
            continue
        try:
            issue = read_issue(folder, project.config)
        except NewsletterError as error:
            offered.unreadable += error.problems
            continue
        if issue.digest:
            continue
        if issue.draft:
            offered.left_out["draft"] += 1
            continue
        own_page = build_view_online_url(project.config, issue.slug)
        url = issue.post.canonical_url or (own_page if issue.name in sent_issues else "")
        date = issue.post.date or datetime.date.fromisoformat(folder.name[:10])
        manifest = read_manifest(folder)
        identity = manifest.identity if manifest else None
        offered.offers.append(
            DigestOffer(
                restore_merge_tags(issue.post.title, issue.merge_tags),
                url,
                date,
                issue.post.tags,
                partial(make_issue_card, issue, url, date, identity.post_id if identity else ""),
            )
        )
    return offered


def offer_posts(
    project: Project, posts: Iterable[SourcePost | UnreadablePost], options: SourceImportOptions
) -> OfferedPosts:
    """Offer the posts of a feed, an export or a folder.

    Args:
        project: the editor's folder.
        posts: the posts.
        options: as for their import.
    """
    offered = OfferedPosts()
    for post in posts:
        if isinstance(post, UnreadablePost):
            offered.unreadable.append(post.problem)
            continue
        date = post.date.astimezone(options.timezone).date() if post.date else None
        offered.offers.append(
            DigestOffer(
                post.title or post.url,
                post.url,
                date,
                post.tags,
                partial(_parse_card, project, post, options, date),
            )
        )
    return offered


def _parse_card(
    project: Project, post: SourcePost, options: SourceImportOptions, date: datetime.date | None
) -> DigestCard:
    max_bytes = project.config.limits.post_bytes
    source = read_post_source(str(post.file), max_bytes) if post.file else None
    parsed = parse_source_post(project, post, source, options)
    prepare = partial(
        prepare_image,
        max_width=PIXEL_RATIO * project.config.theme.width,
        max_bytes=project.config.limits.image_bytes,
    )
    return make_post_card(post, parsed.post, parsed.files, date, prepare)
