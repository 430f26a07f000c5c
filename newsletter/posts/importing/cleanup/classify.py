"""Classify passages of an imported post: kept, removed or set aside."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from newsletter.posts.importing.cleanup.boilerplate import find_boilerplate, find_content_range
from newsletter.posts.importing.cleanup.paragraph import Passage, SetAsideLine
from newsletter.posts.importing.cleanup.spam_and_comments import find_comments, find_spam
from newsletter.posts.removed_line import RemovedLine


@dataclass(frozen=True, slots=True)
class PassageClassification:
    """The classification of all passages of a post.

    Attributes:
        kept: indices of the passages that stay.
        removed: boilerplate, in the order of the post.
        set_aside: passages for the editor to check, in the order of the post.
    """

    kept: tuple[int, ...]
    removed: tuple[RemovedLine, ...] = ()
    set_aside: tuple[SetAsideLine, ...] = ()


def classify_passages(
    passages: Sequence[Passage], keep: Collection[int] = (), *, is_scraped: bool = True
) -> PassageClassification:
    """Classify the passages of a post.

    Args:
        passages: the whole post in order.
        keep: lines (1-based) that are kept, whatever they look like.
        is_scraped: whether the post was copied from a page, with boilerplate around it.
    """
    comments = find_comments(passages) if is_scraped else range(len(passages), len(passages))
    article = passages[: comments.start]
    content = find_content_range(article)
    set_aside = find_spam(article, content)
    boilerplate = find_boilerplate(passages, content, set_aside) if is_scraped else {}
    set_aside |= dict.fromkeys(set(comments) - set(boilerplate), "looks like a reader's comment")
    boilerplate = {
        index: why for index, why in boilerplate.items() if passages[index].line not in keep
    }
    set_aside = {index: why for index, why in set_aside.items() if passages[index].line not in keep}
    return PassageClassification(
        kept=tuple(
            index
            for index in range(len(passages))
            if index not in boilerplate and index not in set_aside
        ),
        removed=tuple(
            RemovedLine(passages[index].line, passages[index].text, boilerplate[index])
            for index in boilerplate
        ),
        set_aside=tuple(
            SetAsideLine(passages[index].line, passages[index].text, set_aside[index])
            for index in sorted(set_aside)
        ),
    )
