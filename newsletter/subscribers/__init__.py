"""Subscribers, consent, segments, import, export: who may be mailed."""

from newsletter.subscribers.audience import (
    ALL_SUBSCRIBERS,
    MAILABLE,
    OUTSIDE_SEGMENT,
    Recipient,
    count_by_status,
    count_exclusions,
    count_subscribers,
    iter_audience,
    select_still_mailable,
    split_mailable,
)

__all__ = [
    "ALL_SUBSCRIBERS",
    "MAILABLE",
    "OUTSIDE_SEGMENT",
    "Recipient",
    "count_by_status",
    "count_exclusions",
    "count_subscribers",
    "iter_audience",
    "select_still_mailable",
    "split_mailable",
]
