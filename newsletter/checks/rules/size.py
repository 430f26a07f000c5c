"""Rules on how large the HTML is when it arrives."""

from collections.abc import Iterator

from newsletter.checks.check_context import Mail
from newsletter.checks.rule import Hit, Topic

rule = Topic("HTML").rule

# Where Gmail cuts a message off; not documented, but long measured.
GMAIL_CLIP_BYTES = 102 * 1024
NEARLY = 0.9
# What the provider puts for each link when it counts clicks, and once when it counts opens.
_CLICK_BYTES, _OPEN_BYTES = 300, 450


@rule(
    "clipped", "warning",
    meaning="Gmail cuts the mail off and hides the rest, the way to leave with it.",
    remedy="Shorten the post, or send its beginning with a link to the whole.",
)  # fmt: skip
def clipped(mail: Mail) -> Iterator[Hit]:
    """The HTML is larger than the 102 KB that Gmail shows, with what the vendor adds."""
    size = travelling_bytes(mail)
    if size > GMAIL_CLIP_BYTES:
        yield Hit(f"{size / 1024:,.0f} KB of the 102 KB that Gmail shows", mail.places.file)


@rule(
    "nearly-clipped", "hint",
    meaning="A little more, and Gmail cuts the end off.",
    remedy="Shorten the post.",
)  # fmt: skip
def nearly_clipped(mail: Mail) -> Iterator[Hit]:
    """The HTML is within a tenth of the 102 KB that Gmail shows."""
    size = travelling_bytes(mail)
    if NEARLY * GMAIL_CLIP_BYTES < size <= GMAIL_CLIP_BYTES:
        yield Hit(f"{size / 1024:,.0f} KB of the 102 KB that Gmail shows", mail.places.file)


def travelling_bytes(mail: Mail) -> int:
    """The bytes of the HTML for the reader with the longest values, as the vendor sends it."""
    tracking = mail.config.tracking
    size = len(mail.full.html.encode())
    if tracking.clicks:
        size += _CLICK_BYTES * sum(link.url.startswith("http") for link in mail.links)
    return size + (_OPEN_BYTES if tracking.opens else 0)
