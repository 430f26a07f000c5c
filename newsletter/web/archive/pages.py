"""The pages of the archive, the same whether served or written as files."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from markupsafe import Markup
from starlette.responses import Response

from newsletter.config.urls import get_public_url
from newsletter.web.archive.archived_issue import Archived, issue_path
from newsletter.web.archive.issue_cache import listed, search
from newsletter.web.site_context import Site

A_PAGE = 20
MOST_FOUND = 50
LONGEST_QUERY = 100


class Place(NamedTuple):
    """Where pages are looked at.

    Attributes:
        root: what every path begins with, without a trailing slash; mostly empty.
        subscribe: where readers sign up; empty if nowhere.
        search: whether somebody answers searches there.
    """

    root: str
    subscribe: str
    search: bool


def served(site: Site) -> Place:
    """The place that ``newsletter serve`` answers at."""
    root = urlsplit(get_public_url(site.config)).path
    return Place(root, f"{root}/subscribe", search=True)


def index_page(site: Site, place: Place, issues: Sequence[Archived], number: int) -> Response:
    """One page of the index, from 1."""
    return site.pages.page(
        "index",
        **_common(place),
        issues=[_row(place, issue) for issue in issues[(number - 1) * A_PAGE : number * A_PAGE]],
        query="",
        canonical=get_public_url(site.config) + page_path(number),
        newer=place.root + page_path(number - 1) if number > 1 else "",
        older=place.root + page_path(number + 1) if number < pages(issues) else "",
    )


def found_page(site: Site, place: Place, issues: Sequence[Archived], query: str) -> Response:
    """What a search of titles finds."""
    query = query[:LONGEST_QUERY]
    found = search(issues, query)[:MOST_FOUND]
    response = site.pages.page(
        "index",
        **_common(place),
        issues=[_row(place, issue) for issue in found],
        query=query,
        canonical="",
        newer="",
        older="",
    )
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def issue_page(site: Site, place: Place, issues: Sequence[Archived], issue: Archived) -> Response:
    """One issue; ``issues`` are all that have a page, the latest first."""
    base = get_public_url(site.config)
    open_ones = listed(issues)
    at = open_ones.index(issue) if issue in open_ones else None
    later = open_ones[at - 1] if at else None
    earlier = open_ones[at + 1] if at is not None and at + 1 < len(open_ones) else None
    shown = issue.placed(base)
    response = site.pages.page(
        "issue",
        **_common(place),
        it=issue,
        issue=issue.placed(place.root),
        picture=shown.hero,
        article=Markup(issue.article(place.root)),  # noqa: S704 - sanitised when it was read
        index=issue.listing == "listed",
        later=_row(place, later) if later else None,
        earlier=_row(place, earlier) if earlier else None,
    )
    if issue.listing != "listed":
        response.headers["X-Robots-Tag"] = "noindex"
    return response


def pages(issues: Sequence[Archived]) -> int:
    """How many pages the index has; an empty archive has one."""
    return max(1, -(-len(issues) // A_PAGE))


def page_path(number: int) -> str:
    """Where a page of the index is."""
    return "/" if number == 1 else f"/page/{number}"


def _common(place: Place) -> dict[str, Any]:
    return {"root": place.root, "subscribe_url": place.subscribe, "searchable": place.search}


def _row(place: Place, issue: Archived) -> dict[str, Any]:
    return {"it": issue, "path": place.root + issue_path(issue.slug)}
