"""Compare an imported post with the email that its issue makes."""

from collections import Counter
from dataclasses import dataclass

from newsletter.config.models import Config
from newsletter.errors import PostError, Problem
from newsletter.posts.content_loss.compare import ContentLoss
from newsletter.posts.content_loss.inventory import take_inventory
from newsletter.posts.content_loss.removed_passages import find_passage_line
from newsletter.posts.html.page.article_place import find_article_range
from newsletter.posts.html.page_parts import OUTSIDE
from newsletter.posts.importing.issue_folder.write_issue import ImportResult
from newsletter.posts.importing.markup.dialects.braces import LITERAL_REASON
from newsletter.posts.importing.source_inventory import take_source_inventory
from newsletter.posts.read_issue import read_issue
from newsletter.posts.removed_line import RemovedLine
from newsletter.render.article.build import build_article
from newsletter.render.lost_content import find_lost_content


@dataclass(frozen=True, slots=True)
class ImportComparison:
    """What the source holds and the issue won't show.

    Attributes:
        losses: what neither the issue nor a list of removed lines has.
        removed: what is in the imported post, but is left out of its email on purpose.
        problems: why the issue can't be built yet.
    """

    losses: tuple[ContentLoss, ...] = ()
    removed: tuple[RemovedLine, ...] = ()
    problems: tuple[Problem, ...] = ()


def compare_import(result: ImportResult, source_name: str, config: Config) -> ImportComparison:
    """Return what of an imported post its issue won't show; nothing for an unchanged post.

    Args:
        result: what the import has written.
        source_name: the source's file name or path; its ending tells how it is read, unless the
            result says it.
        config: the newsletter's settings.
    """
    if result.state == "unchanged":
        return ImportComparison()
    try:
        issue = read_issue(result.post_path.parent, config)
    except PostError as error:
        return ImportComparison(problems=tuple(error.problems))
    post = result.imported_post
    set_aside = (RemovedLine(*entry) for entry in post.set_aside)
    inventory = (
        take_inventory(result.source_text, "html" if result.source_format == "html" else "markdown")
        if result.source_format
        else take_source_inventory(result.source_text, source_name)
    )
    removed = tuple(entry for entry in post.removed if entry.why != LITERAL_REASON)
    place = post.place and find_article_range(result.source_text, post.place)
    if place:
        inventory = inventory.cut(place.offsets, place.gaps)
        # What isn't compared can't make up for what is lost beside it.
        apart = Counter((entry.text, entry.why) for entry in place.removed)
        removed = tuple(
            entry
            for entry in removed
            if entry.why != OUTSIDE and not _take(apart, (entry.text, entry.why))
        )
    removed = (*removed, *set_aside)
    if (
        result.source_format and not place
    ):  # the lines are those of an export, which holds other posts, too
        removed = tuple(entry._replace(line=0) for entry in removed)
    article = build_article(issue, config)
    return ImportComparison(
        losses=find_lost_content(
            inventory, issue, article, removed=removed, copied_urls=post.copied_urls
        ),
        removed=tuple(
            entry._replace(line=find_passage_line(inventory, entry.text))
            for entry in issue.post.removed
        ),
    )


def _take(counts: Counter[tuple[str, str]], key: tuple[str, str]) -> bool:
    counts[key] -= 1
    return counts[key] >= 0
