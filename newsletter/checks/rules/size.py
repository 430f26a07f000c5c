"""Rules on the size of the HTML: Gmail clips messages over 102 KB."""

from collections.abc import Iterator

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.render.clip_size import GMAIL_CLIP_BYTES, NEARLY_CLIPPED

rule = Topic("HTML").rule

# What the provider adds per link for click tracking, and once for open tracking.
_CLICK_TRACKING_BYTES, _OPEN_TRACKING_BYTES = 300, 450


@rule(
    "clipped",
    "warning",
    meaning="Gmail clips the email and hides the rest, including the unsubscribe link.",
    remedy="Shorten the post, or send its beginning with a link to the full post.",
)
def clipped(context: CheckContext) -> Iterator[Match]:
    """The HTML, with what the provider adds, is larger than the 102 KB that Gmail shows."""
    size = estimate_sent_bytes(context)
    if size > GMAIL_CLIP_BYTES:
        yield Match(
            f"{size / 1024:,.0f} KB of the 102 KB that Gmail shows", context.source_map.file
        )


@rule(
    "nearly-clipped",
    "hint",
    meaning="A little more, and Gmail clips the end.",
    remedy="Shorten the post.",
)
def nearly_clipped(context: CheckContext) -> Iterator[Match]:
    """The HTML is within a tenth of the 102 KB that Gmail shows."""
    size = estimate_sent_bytes(context)
    if NEARLY_CLIPPED * GMAIL_CLIP_BYTES < size <= GMAIL_CLIP_BYTES:
        yield Match(
            f"{size / 1024:,.0f} KB of the 102 KB that Gmail shows", context.source_map.file
        )


def estimate_sent_bytes(context: CheckContext) -> int:
    """Return the bytes of the HTML with the longest values, as the provider sends it."""
    tracking = context.config.tracking
    size = len(context.longest_email.html.encode())
    if tracking.clicks != "off":
        size += _CLICK_TRACKING_BYTES * sum(link.url.startswith("http") for link in context.links)
    return size + (_OPEN_TRACKING_BYTES if tracking.opens != "off" else 0)
