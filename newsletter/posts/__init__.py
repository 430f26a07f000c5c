"""Posts: read an issue's folder, import posts from other sources.

The entry point is ``newsletter.posts.read_issue.read_issue``. It is not exported here, because its
imports are heavy and most code that uses an ``Issue`` doesn't read one.
"""

from newsletter.posts.issue import Author, CallToAction, FrontMatterImage, FurtherReadingCard, Issue
from newsletter.posts.merge_tags.tags import MergeTag
from newsletter.posts.post import LocalImage, Post

__all__ = [
    "Author",
    "CallToAction",
    "FrontMatterImage",
    "FurtherReadingCard",
    "Issue",
    "LocalImage",
    "MergeTag",
    "Post",
]
