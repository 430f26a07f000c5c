"""Segments: a question about readers, as text, as a tree, and as a condition in SQL."""

from newsletter.subscribers.segments.segment import Segment, find_segment

__all__ = ["Segment", "find_segment"]
