"""Tell what an import takes out of a post and what it puts aside."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from newsletter.posts.importing.cleanup.boilerplate import furniture, regions
from newsletter.posts.importing.cleanup.paragraph import Passage, Removed, SetAside
from newsletter.posts.importing.cleanup.spam_and_comments import comments, spam


@dataclass(frozen=True, slots=True)
class Clearing:
    """The verdict on every passage of a post.

    Attributes:
        kept: indices of the passages that stay.
        removed: furniture, in the order of the post.
        set_aside: what the editor must look at, in the order of the post.
    """

    kept: tuple[int, ...]
    removed: tuple[Removed, ...] = ()
    set_aside: tuple[SetAside, ...] = ()


def clear(
    passages: Sequence[Passage], keep: Collection[int] = (), *, scraped: bool = True
) -> Clearing:
    """Judge the passages of a post.

    Args:
        passages: the whole post in order.
        keep: lines (1-based) that stay whatever is said of them.
        scraped: whether the post comes from a page, with a page's furniture around it.
    """
    thread = comments(passages) if scraped else range(len(passages), len(passages))
    article = passages[: thread.start]
    running = regions(article)
    strange = spam(article, running)
    taken = furniture(passages, running, strange) if scraped else {}
    strange |= dict.fromkeys(set(thread) - set(taken), "looks like a reader's comment")
    taken = {at: why for at, why in taken.items() if passages[at].line not in keep}
    strange = {at: why for at, why in strange.items() if passages[at].line not in keep}
    return Clearing(
        kept=tuple(at for at in range(len(passages)) if at not in taken and at not in strange),
        removed=tuple(Removed(passages[at].line, passages[at].text, taken[at]) for at in taken),
        set_aside=tuple(
            SetAside(passages[at].line, passages[at].text, strange[at]) for at in sorted(strange)
        ),
    )
