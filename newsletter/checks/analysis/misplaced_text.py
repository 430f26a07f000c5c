"""Find boilerplate, spam and comments in a post, as the import does."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from newsletter.posts.importing.cleanup.boilerplate import find_boilerplate, find_content_range
from newsletter.posts.importing.cleanup.paragraph import Passage
from newsletter.posts.importing.cleanup.spam_and_comments import find_comments, find_spam


class MisplacedText(NamedTuple):
    """The passages that do not belong in a post: their text -> the reason, by kind."""

    boilerplate: Mapping[str, str]
    spam: Mapping[str, str]
    comments: Mapping[str, str]


def find_misplaced_text(passages: Sequence[Passage]) -> MisplacedText:
    """Find the passages of a post that an import would remove or set aside."""
    if not any(passage.is_prose for passage in passages):
        return MisplacedText({}, {}, {})  # too short to have boilerplate around it
    comments = find_comments(passages)
    article = passages[: comments.start]
    content = find_content_range(article)
    spam = find_spam(article, content)
    boilerplate = find_boilerplate(passages, content, spam)
    comment_reasons = dict.fromkeys(
        sorted(set(comments) - set(boilerplate)), "looks like a reader's comment"
    )

    def reasons_by_text(found: Mapping[int, str]) -> dict[str, str]:
        return {passages[index].text: reason for index, reason in found.items()}

    return MisplacedText(
        reasons_by_text(boilerplate), reasons_by_text(spam), reasons_by_text(comment_reasons)
    )
