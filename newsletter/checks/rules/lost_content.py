"""Rules on content of the post that is not in the email."""

from collections.abc import Iterator

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.checks.rules.links import is_broken_url
from newsletter.errors import Location
from newsletter.posts.content_loss.compare import ContentLoss
from newsletter.posts.content_loss.describe import describe_loss
from newsletter.posts.content_loss.url_matching import normalize_url

rule = Topic("Lost content").rule

_MAX_LOST_SHARE = 0.01  # of the words: more is an error even if no whole block is lost


@rule(
    "lost-content",
    "error",
    meaning="Something that you wrote is not in the email: no reader can know that it is missing.",
    remedy="Look at the line: close what is open there, or write it in plain Markdown. What you "
    "don't want in the email, delete.",
)
def lost_content(context: CheckContext) -> Iterator[Match]:
    """A block, an image, a link or more than 1 % of the words that are not in the email."""
    too_many = _has_lost_many_words(context)
    links = {normalize_url(link.get("href") or "") for link in context.body_tree.iter("a")}
    for loss in context.losses:
        # One that is no web address is told as such, by the rule on broken URLs.
        is_told = loss.kind == "link" and is_broken_url(loss.text)
        if is_told and normalize_url(loss.text) in links:
            continue
        if too_many or loss.kind != "words":
            yield _make_match(context, loss)


@rule(
    "lost-words",
    "warning",
    meaning="Words that you wrote are not in the email.",
    remedy="Look at the line: close what is open there, or write it in plain Markdown.",
)
def lost_words(context: CheckContext) -> Iterator[Match]:
    """Single words of the post that are not in the email."""
    if not _has_lost_many_words(context):
        for loss in context.losses:
            if loss.kind == "words":
                yield _make_match(context, loss)


def _has_lost_many_words(context: CheckContext) -> bool:
    lost_count = sum(loss.word_count for loss in context.losses)
    return lost_count > _MAX_LOST_SHARE * len(context.source_inventory.words)


def _make_match(context: CheckContext, loss: ContentLoss) -> Match:
    where = Location(context.source_map.file.path, loss.line or None)
    return Match(describe_loss(loss), where, loss.text)
