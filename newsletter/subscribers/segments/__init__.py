"""Segments: parse a query over subscribers and build its SQL condition."""

from newsletter.subscribers.segments.segment import Segment, find_segment, find_segment_text

__all__ = ["Segment", "find_segment", "find_segment_text"]
