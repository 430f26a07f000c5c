"""Rules on the size of the HTML: Gmail clips messages over 102 KB."""

from collections.abc import Iterator

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.render.clip_size import (
    GMAIL_CLIP_BYTES,
    NEARLY_CLIPPED,
    describe_size,
    estimate_sent_bytes,
)

rule = Topic("HTML").rule


@rule(
    "clipped",
    "warning",
    meaning="Gmail clips the email and hides the rest, including the unsubscribe link.",
    remedy="Shorten the post, or send its beginning with a link to the full post.",
)
def clipped(context: CheckContext) -> Iterator[Match]:
    """The HTML, with what the provider adds, is larger than the 102 KB that Gmail shows."""
    size = _estimate_sent_bytes(context)
    if size > GMAIL_CLIP_BYTES:
        yield Match(describe_size(size), context.source_map.file)


@rule(
    "nearly-clipped",
    "hint",
    meaning="A little more, and Gmail clips the end.",
    remedy="Shorten the post.",
)
def nearly_clipped(context: CheckContext) -> Iterator[Match]:
    """The HTML is within a tenth of the 102 KB that Gmail shows."""
    size = _estimate_sent_bytes(context)
    if NEARLY_CLIPPED * GMAIL_CLIP_BYTES < size <= GMAIL_CLIP_BYTES:
        yield Match(describe_size(size), context.source_map.file)


def _estimate_sent_bytes(context: CheckContext) -> int:
    """Return the bytes of the HTML with the longest values, as the provider sends it."""
    links = sum(link.url.startswith("http") for link in context.links)
    return estimate_sent_bytes(context.longest_email.html, links, context.config)
