"""The list: who may be mailed, and what we know of them."""

from newsletter.subscribers.audience import (
    audience,
    count_by_status,
    exclusions,
    still_in_audience,
)
from newsletter.subscribers.reader import Reader

__all__ = ["Reader", "audience", "count_by_status", "exclusions", "still_in_audience"]
