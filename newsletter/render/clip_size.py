"""The size of the HTML from which Gmail clips an email, and hides the rest."""

from newsletter.config.models import Config

# Not documented, but measured for years.
GMAIL_CLIP_BYTES = 102 * 1024
# The share of it from which an email is nearly too large.
NEARLY_CLIPPED = 0.9
# What the provider adds per link for click tracking, and once for open tracking.
_CLICK_TRACKING_BYTES, _OPEN_TRACKING_BYTES = 300, 450


def describe_size(size: int) -> str:
    """Return ``31 KB of the 102 KB that Gmail shows``."""
    return f"{size / 1024:,.0f} KB of the {GMAIL_CLIP_BYTES // 1024} KB that Gmail shows"


def estimate_sent_bytes(html: str, links: int, config: Config) -> int:
    """Return the bytes of the HTML as the provider sends it.

    Args:
        html: the HTML for a recipient.
        links: the number of links in it.
        config: the newsletter's settings; what is tracked makes the HTML larger.
    """
    size = len(html.encode())
    if config.tracking.clicks != "off":
        size += _CLICK_TRACKING_BYTES * links
    return size + (_OPEN_TRACKING_BYTES if config.tracking.opens != "off" else 0)
