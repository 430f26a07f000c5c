"""The list: who may be mailed, and what we know of them."""

from newsletter.subscribers.audience import (
    EVERYBODY,
    MAILABLE,
    OUTSIDE,
    Reader,
    audience,
    count_by_status,
    exclusions,
    how_many,
    readers_among,
    still_in_audience,
)

__all__ = [
    "EVERYBODY",
    "MAILABLE",
    "OUTSIDE",
    "Reader",
    "audience",
    "count_by_status",
    "exclusions",
    "how_many",
    "readers_among",
    "still_in_audience",
]
