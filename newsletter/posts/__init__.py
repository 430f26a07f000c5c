"""Any source becomes a Post; an editor's folder becomes an Issue.

``newsletter.posts.read_issue.read_issue`` is the way in; it is not handed on from here, since what
it imports is heavy and most who know an Issue don't read one.
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
