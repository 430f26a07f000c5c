"""Import many posts, each compared with its issue."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from newsletter.checks.import_comparison import ImportComparison, compare_import
from newsletter.errors import NewsletterError, Problem
from newsletter.posts.importing.import_source_post import (
    SourceImport,
    SourceImportOptions,
    import_source_post,
)
from newsletter.posts.importing.issue_folder.issue_index import IssueIndex
from newsletter.posts.importing.source_post import SourcePost, UnreadablePost
from newsletter.project import Project


@dataclass(frozen=True, slots=True)
class FailedImport:
    """A post that was not imported.

    Attributes:
        title: its title, or what else names it.
        problems: the reasons.
        post: the post; ``None`` if it can't be read.
    """

    title: str
    problems: tuple[Problem, ...]
    post: SourcePost | None = None


@dataclass(frozen=True, slots=True)
class ComparedImport:
    """A post that was imported, or was imported before.

    Attributes:
        post: the post as its source has it.
        source_import: what was done.
        comparison: what the post holds and its issue won't show.
    """

    post: SourcePost
    source_import: SourceImport
    comparison: ImportComparison


def import_posts(
    project: Project,
    posts: Iterable[SourcePost | UnreadablePost],
    options: SourceImportOptions,
) -> Iterator[ComparedImport | FailedImport]:
    """Import posts one by one; one that can't be imported doesn't stop the others.

    Their order is that of the posts, except that some wait until the others are imported.

    Args:
        project: the editor's folder.
        posts: the posts that were chosen.
        options: options of the import.
    """
    index = IssueIndex(project)
    try:
        yield from _import_each(project, posts, index, options)
    finally:
        if not options.is_durable:
            os.sync()  # of a thousand files, each on its own takes as long as all of the import


def _import_each(
    project: Project,
    posts: Iterable[SourcePost | UnreadablePost],
    index: IssueIndex,
    options: SourceImportOptions,
) -> Iterator[ComparedImport | FailedImport]:
    """Import posts; last those of which the others tell whether they were imported before."""
    waiting: list[SourcePost | UnreadablePost] = []
    for posts_now, waits in ((posts, True), (waiting, False)):
        for post in posts_now:
            if outcome := _import_one(project, post, index, options, waits_if_ambiguous=waits):
                yield outcome
            else:
                waiting.append(post)


def _import_one(
    project: Project,
    post: SourcePost | UnreadablePost,
    index: IssueIndex,
    options: SourceImportOptions,
    *,
    waits_if_ambiguous: bool,
) -> ComparedImport | FailedImport | None:
    if isinstance(post, UnreadablePost):
        return FailedImport(post.title, (post.problem,))
    try:
        done = import_source_post(
            project, post, index, options, waits_if_ambiguous=waits_if_ambiguous
        )
    except NewsletterError as error:
        name = post.title or post.post_id or post.url
        return FailedImport(name, error.problems, post)
    if done is None:
        return None
    comparison = (
        compare_import(done.result, str(post.file or ""), project.config)
        if done.result
        else ImportComparison()
    )
    return ComparedImport(post, done, comparison)
