"""Put the latest issues into the article of an email to one reader. Pure."""

import datetime
from collections.abc import Callable, Sequence
from typing import NamedTuple

from newsletter.posts.html.callouts import LATEST_CLASS, MAX_LATEST_COUNT
from newsletter.render.article.dom import (
    Element,
    append_child,
    drop_element,
    get_classes,
    parse_fragment,
    serialize_fragment,
)
from newsletter.render.locale import format_date


class LatestIssue(NamedTuple):
    """An issue that was sent, as a welcome email names it.

    Attributes:
        title: plain text.
        url: of its page on the web.
        day: the date shown with it.
    """

    title: str
    url: str
    day: datetime.date


# Returns at most that many issues, the latest first.
FindLatestIssues = Callable[[int], Sequence[LatestIssue]]


def find_no_issues(_count: int) -> Sequence[LatestIssue]:
    """Return no issue, where none is known or wanted."""
    return ()


def insert_latest_issues(body: str, find_latest: FindLatestIssues, lang: str) -> str:
    """Return the body with the latest issues in the blocks that ``::: latest 3`` left.

    What the editor wrote into a block is above them; without any issue, the block is left out.

    Args:
        body: sanitised HTML.
        find_latest: returns the issues; called only if there is a block.
        lang: the language of the dates.
    """
    if LATEST_CLASS not in body:
        return body
    root = parse_fragment(body)
    for block in [e for e in root.iter("div") if LATEST_CLASS in get_classes(e)]:
        issues = find_latest(_get_count(block))
        if issues:
            _append_list(block, issues, lang)
        else:
            drop_element(block)
    return serialize_fragment(root)


def _get_count(block: Element) -> int:
    prefix = f"{LATEST_CLASS}-"
    counts = [name.removeprefix(prefix) for name in get_classes(block) if name.startswith(prefix)]
    return int(counts[0]) if counts and counts[0].isdecimal() else MAX_LATEST_COUNT


def _append_list(block: Element, issues: Sequence[LatestIssue], lang: str) -> None:
    items = append_child(block, "ul")
    for issue in issues:
        item = append_child(items, "li")
        append_child(item, "a", issue.title, href=issue.url)
        append_child(item, "br")
        append_child(item, "small", format_date(issue.day, lang))
