"""Rules on how large the HTML is when it arrives."""

from collections.abc import Iterator

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic

rule = Topic("HTML").rule

# Where Gmail cuts a message off; not documented, but long measured.
GMAIL_CLIP_BYTES = 102 * 1024
NEARLY = 0.9
# What the provider puts for each link when it counts clicks, and once when it counts opens.
_CLICK_TRACKING_BYTES, _OPEN_TRACKING_BYTES = 300, 450


@rule(
    "clipped", "warning",
    meaning="Gmail cuts the mail off and hides the rest, the way to leave with it.",
    remedy="Shorten the post, or send its beginning with a link to the whole.",
)  # fmt: skip
def clipped(context: CheckContext) -> Iterator[Match]:
    """The HTML is larger than the 102 KB that Gmail shows, with what the vendor adds."""
    size = estimate_sent_bytes(context)
    if size > GMAIL_CLIP_BYTES:
        yield Match(
            f"{size / 1024:,.0f} KB of the 102 KB that Gmail shows", context.source_map.file
        )


@rule(
    "nearly-clipped", "hint",
    meaning="A little more, and Gmail cuts the end off.",
    remedy="Shorten the post.",
)  # fmt: skip
def nearly_clipped(context: CheckContext) -> Iterator[Match]:
    """The HTML is within a tenth of the 102 KB that Gmail shows."""
    size = estimate_sent_bytes(context)
    if NEARLY * GMAIL_CLIP_BYTES < size <= GMAIL_CLIP_BYTES:
        yield Match(
            f"{size / 1024:,.0f} KB of the 102 KB that Gmail shows", context.source_map.file
        )


def estimate_sent_bytes(context: CheckContext) -> int:
    """The bytes of the HTML for the reader with the longest values, as the vendor sends it."""
    tracking = context.config.tracking
    size = len(context.longest_email.html.encode())
    if tracking.clicks:
        size += _CLICK_TRACKING_BYTES * sum(link.url.startswith("http") for link in context.links)
    return size + (_OPEN_TRACKING_BYTES if tracking.opens else 0)
