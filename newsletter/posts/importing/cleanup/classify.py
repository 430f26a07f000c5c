"""Tell what an import takes out of a post and what it puts aside."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from newsletter.posts.importing.cleanup.boilerplate import find_boilerplate, find_content_range
from newsletter.posts.importing.cleanup.paragraph import Passage, RemovedLine, SetAsideLine
from newsletter.posts.importing.cleanup.spam_and_comments import find_comments, find_spam


@dataclass(frozen=True, slots=True)
class PassageClassification:
    """The verdict on every passage of a post.

    Attributes:
        kept: indices of the passages that stay.
        removed: furniture, in the order of the post.
        set_aside: what the editor must look at, in the order of the post.
    """

    kept: tuple[int, ...]
    removed: tuple[RemovedLine, ...] = ()
    set_aside: tuple[SetAsideLine, ...] = ()


def classify_passages(
    passages: Sequence[Passage], keep: Collection[int] = (), *, is_scraped: bool = True
) -> PassageClassification:
    """Judge the passages of a post.

    Args:
        passages: the whole post in order.
        keep: lines (1-based) that stay whatever is said of them.
        is_scraped: whether the post comes from a page, with a page's furniture around it.
    """
    thread = find_comments(passages) if is_scraped else range(len(passages), len(passages))
    article = passages[: thread.start]
    running = find_content_range(article)
    strange = find_spam(article, running)
    taken = find_boilerplate(passages, running, strange) if is_scraped else {}
    strange |= dict.fromkeys(set(thread) - set(taken), "looks like a reader's comment")
    taken = {at: why for at, why in taken.items() if passages[at].line not in keep}
    strange = {at: why for at, why in strange.items() if passages[at].line not in keep}
    return PassageClassification(
        kept=tuple(at for at in range(len(passages)) if at not in taken and at not in strange),
        removed=tuple(RemovedLine(passages[at].line, passages[at].text, taken[at]) for at in taken),
        set_aside=tuple(
            SetAsideLine(passages[at].line, passages[at].text, strange[at])
            for at in sorted(strange)
        ),
    )
