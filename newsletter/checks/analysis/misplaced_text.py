"""Which passages of a post do not belong in it, by the judges of the import."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from newsletter.posts.importing.cleanup.boilerplate import find_boilerplate, find_content_range
from newsletter.posts.importing.cleanup.paragraph import Passage
from newsletter.posts.importing.cleanup.spam_and_comments import find_comments, find_spam


class MisplacedText(NamedTuple):
    """Text of a passage -> why it does not belong, by what it looks like."""

    boilerplate: Mapping[str, str]
    spam: Mapping[str, str]
    comments: Mapping[str, str]


def find_misplaced_text(passages: Sequence[Passage]) -> MisplacedText:
    """Judge a post that was kept as it is."""
    if not any(passage.is_prose for passage in passages):
        return MisplacedText({}, {}, {})  # a line or two: nothing stands around a text
    thread = find_comments(passages)
    article = passages[: thread.start]
    running = find_content_range(article)
    strange = find_spam(article, running)
    taken = find_boilerplate(passages, running, strange)
    said = dict.fromkeys(sorted(set(thread) - set(taken)), "looks like a reader's comment")

    def named(found: Mapping[int, str]) -> dict[str, str]:
        return {passages[at].text: why for at, why in found.items()}

    return MisplacedText(named(taken), named(strange), named(said))
