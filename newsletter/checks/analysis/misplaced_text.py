"""Find boilerplate, spam and comments in a post, as the import does."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from newsletter.posts.importing.cleanup.boilerplate import find_boilerplate, find_content_range
from newsletter.posts.importing.cleanup.paragraph import Passage
from newsletter.posts.importing.cleanup.spam_and_comments import find_comments, find_spam


class MisplacedText(NamedTuple):
    """The passages that do not belong in a post: their text -> the reason, by kind."""

    boilerplate: Mapping[str, str] = MappingProxyType({})
    foreign_script: Mapping[str, str] = MappingProxyType({})
    spam_terms: Mapping[str, str] = MappingProxyType({})
    comments: Mapping[str, str] = MappingProxyType({})


def find_misplaced_text(
    passages: Sequence[Passage], cards: Sequence[Sequence[Passage]] = ()
) -> MisplacedText:
    """Find the passages of a post that an import would remove or set aside.

    Args:
        passages: the post; of a digest, its introduction and its cards.
        cards: the cards of a digest. Each is of another post, which may be in another language: its
            script is compared with that of the card alone.
    """
    if not any(passage.is_prose for passage in passages):
        return MisplacedText()  # too short to have boilerplate around it
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

    spam_reasons = reasons_by_text(spam)
    return MisplacedText(
        reasons_by_text(boilerplate),
        _select_foreign(spam_reasons, cards),
        {text: reason for text, reason in spam_reasons.items() if not _is_script(reason)},
        reasons_by_text(comment_reasons),
    )


def _select_foreign(
    spam_reasons: Mapping[str, str], cards: Sequence[Sequence[Passage]]
) -> dict[str, str]:
    """Return the texts in another script, without those that are in that of their card."""
    in_cards = {passage.text for card in cards for passage in card}
    foreign_in_cards = {
        card[index].text
        for card in cards
        for index, reason in find_spam(card, find_content_range(card)).items()
        if _is_script(reason)
    }
    return {
        text: reason
        for text, reason in spam_reasons.items()
        if _is_script(reason) and text not in in_cards - foreign_in_cards
    }


def _is_script(reason: str) -> bool:
    """Return whether a reason for spam is the script of its letters, and not a term."""
    return reason.startswith("is in ")
