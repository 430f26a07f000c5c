"""Render the archive's pages: index, search, issue.

The same pages are served and exported as files.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from markupsafe import Markup
from starlette.responses import Response

from newsletter.config.urls import get_public_url
from newsletter.web.archive.archived_issue import ArchivedIssue, issue_path
from newsletter.web.archive.issue_cache import filter_listed_issues, search_issue_titles
from newsletter.web.consent_wording import get_consent_wording, get_signup_question
from newsletter.web.site_context import Site

ISSUES_PER_PAGE = 20
# A shorter list is faster read than searched.
MIN_SEARCHED_ISSUES = 10
MAX_SEARCH_RESULTS = 50
MAX_QUERY_LENGTH = 100


class ArchiveLocation(NamedTuple):
    """Where the archive's pages are published.

    Attributes:
        root: the prefix of every path, without a trailing slash; mostly empty.
        subscribe_url: the sign-up page; empty if there is none.
        is_searchable: whether a server handles searches there.
        has_signup_form: whether a form may be submitted there, instead of a link to the form.
    """

    root: str
    subscribe_url: str
    is_searchable: bool
    has_signup_form: bool


def get_served_location(site: Site) -> ArchiveLocation:
    """Return the location of the pages that ``newsletter serve`` serves."""
    root = urlsplit(get_public_url(site.config)).path
    return ArchiveLocation(root, f"{root}/subscribe", is_searchable=True, has_signup_form=True)


def render_index_page(
    site: Site, location: ArchiveLocation, issues: Sequence[ArchivedIssue], number: int
) -> Response:
    """Return one page of the index; ``number`` counts from 1. The first has the latest issue."""
    latest = issues[0] if issues and number == 1 else None
    page = issues[(number - 1) * ISSUES_PER_PAGE : number * ISSUES_PER_PAGE]
    base = get_public_url(site.config)
    return site.pages.render_page(
        "index",
        **_make_base_context(site, location),
        latest=_make_row(location, latest) if latest else None,
        picture=latest.picture_with_base(base) if latest else None,
        # With the latest: a template of one's own may list them all.
        issues=[_make_row(location, issue) for issue in page],
        searchable=location.is_searchable and len(issues) >= MIN_SEARCHED_ISSUES,
        query="",
        canonical=base + page_path(number),
        newer=location.root + page_path(number - 1) if number > 1 else "",
        older=location.root + page_path(number + 1) if number < count_index_pages(issues) else "",
    )


def render_search_page(
    site: Site, location: ArchiveLocation, issues: Sequence[ArchivedIssue], query: str
) -> Response:
    """Return the results of a search of titles."""
    query = query[:MAX_QUERY_LENGTH]
    found = search_issue_titles(issues, query)[:MAX_SEARCH_RESULTS]
    response = site.pages.render_page(
        "index",
        **_make_base_context(site, location),
        latest=None,
        picture=None,
        issues=[_make_row(location, issue) for issue in found],
        searchable=True,
        query=query,
        canonical="",
        newer="",
        older="",
    )
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def render_issue_page(
    site: Site, location: ArchiveLocation, issues: Sequence[ArchivedIssue], issue: ArchivedIssue
) -> Response:
    """Return an issue's page; ``issues`` are all that have a page, the latest first."""
    base = get_public_url(site.config)
    listed = filter_listed_issues(issues)
    position = listed.index(issue) if issue in listed else None
    later = listed[position - 1] if position else None
    earlier = listed[position + 1] if position is not None and position + 1 < len(listed) else None
    response = site.pages.render_page(
        "issue",
        **_make_base_context(site, location),
        it=issue,
        issue=issue.view_with_base(location.root),
        picture=issue.picture_with_base(base),
        article=Markup(issue.html_with_base(location.root)),  # noqa: S704 - sanitised when it was read
        index=issue.listing == "listed",
        later=_make_row(location, later) if later else None,
        earlier=_make_row(location, earlier) if earlier else None,
    )
    if issue.listing != "listed":
        response.headers["X-Robots-Tag"] = "noindex"
    return response


def count_index_pages(issues: Sequence[ArchivedIssue]) -> int:
    """Return how many pages the index has; an empty archive has one."""
    return max(1, -(-len(issues) // ISSUES_PER_PAGE))


def page_path(number: int) -> str:
    """Return the path of a page of the index."""
    return "/" if number == 1 else f"/page/{number}"


def _make_base_context(site: Site, location: ArchiveLocation) -> dict[str, Any]:
    return {
        "root": location.root,
        "subscribe_url": location.subscribe_url,
        "has_signup_form": location.has_signup_form,
        "wording": get_consent_wording(site),
        "tracking": get_signup_question(site),
    }


def _make_row(location: ArchiveLocation, issue: ArchivedIssue) -> dict[str, Any]:
    return {
        "it": issue,
        "path": location.root + issue_path(issue.slug),
        "hero": issue.view_with_base(location.root).hero,
    }
