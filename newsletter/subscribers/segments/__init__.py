"""Segments: parse a query, and turn it into SQL."""

from newsletter.subscribers.segments.segment import Segment, find_segment

__all__ = ["Segment", "find_segment"]
