"""Serve the archive: index, search, issues, images, feeds, HTTP caching."""

import datetime
import hashlib
import re
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from newsletter.config import Config
from newsletter.posts.images import IMAGE_TYPES
from newsletter.web.archive import feeds
from newsletter.web.archive.archived_issue import ArchivedIssue
from newsletter.web.archive.images import SVG_POLICY, find_issue_image, read_issue_image
from newsletter.web.archive.issue_cache import ArchiveRepository, filter_listed_issues
from newsletter.web.archive.pages import (
    count_index_pages,
    get_served_location,
    render_index_page,
    render_issue_page,
    render_search_page,
)
from newsletter.web.http.file_response import StableFileResponse
from newsletter.web.http.request_data import RequestRefusedError
from newsletter.web.site_context import Site

PAGE_CACHE_CONTROL = "public, max-age=300"
IMAGE_CACHE_CONTROL = "public, max-age=86400"
# How long the database and the folders are not read again; browsers cache pages longer anyway.
SNAPSHOT_LIFETIME = datetime.timedelta(seconds=1)
MAX_CACHED_RESPONSES = 500
# Python's int(), with which Starlette converts path parameters, fails at 5,000 digits.
_PAGE_NUMBER = re.compile("[0-9]{1,9}")

FEEDS: dict[str, tuple[Callable[[Config, Sequence[ArchivedIssue]], bytes], str]] = {
    "/feed.atom": (feeds.build_atom_feed, "application/atom+xml"),
    "/feed.json": (feeds.build_json_feed, "application/feed+json"),
    "/sitemap.xml": (feeds.build_sitemap, "application/xml"),
}
# Where feed readers, and links from other tools, look for the feed: WordPress has it at /feed/,
# Ghost at /rss/.
FEED_ALIASES = ("/feed", "/feed/", "/rss", "/rss/", "/feed.xml", "/rss.xml", "/atom.xml")


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes of the archive's pages and files."""
    archive = _ArchiveEndpoints(site)
    endpoints: dict[str, Callable[[Request], Response]] = {
        "/": archive.index,
        "/page/{number}": archive.numbered_index,
        "/issues/{slug}": archive.article,
        "/issues/{slug}/{file:path}": archive.image,
        "/robots.txt": archive.robots,
        **{path: partial(archive.feed, path) for path in FEEDS},
        **dict.fromkeys(FEED_ALIASES, archive.redirect_to_feed),
    }
    return [Route(path, endpoint, methods=["GET"]) for path, endpoint in endpoints.items()]


class _ArchiveSnapshot(NamedTuple):
    """The archive at one moment, with its cached responses.

    Attributes:
        taken_at: when the database and the folders were read.
        issues: the issues that have a page, the latest first.
        responses: path -> the finished response; kept for as long as the issues stay the same.
        image_folders: slug -> the folder with its images.
        stills: folder -> the names of the images that are drawn on a video's still.
    """

    taken_at: datetime.datetime
    issues: list[ArchivedIssue]
    responses: dict[str, Response]
    image_folders: dict[str, Path]
    stills: dict[Path, tuple[str, ...]]

    def find_by_slug(self, slug: str) -> ArchivedIssue | None:
        return next((issue for issue in self.issues if issue.slug == slug), None)


class _ArchiveEndpoints:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._repository = ArchiveRepository(site.project, site.engine)
        self._location = get_served_location(site)
        self._snapshot: _ArchiveSnapshot | None = None

    def index(self, request: Request) -> Response:
        query = request.query_params.get("q", "").strip()
        if query:
            issues = filter_listed_issues(self._get_snapshot().issues)
            return render_search_page(self._site, self._location, issues, query)
        return self._get_index_response(request, 1)

    def numbered_index(self, request: Request) -> Response:
        text = request.path_params["number"]
        if not _PAGE_NUMBER.fullmatch(text):
            raise RequestRefusedError(404)
        number = int(text)
        if not 1 < number <= count_index_pages(filter_listed_issues(self._get_snapshot().issues)):
            raise RequestRefusedError(404)
        return self._get_index_response(request, number)

    def article(self, request: Request) -> Response:
        slug = request.path_params["slug"]
        # A link may be opened right after its email was sent.
        snapshot = self._get_snapshot()
        issue = snapshot.find_by_slug(slug) or (
            snapshot := self._get_snapshot(refresh=True)
        ).find_by_slug(slug)
        if issue is None:
            raise RequestRefusedError(404)
        render = partial(render_issue_page, self._site, self._location, snapshot.issues, issue)
        return self._get_cached_response(request, snapshot, render)

    def image(self, request: Request) -> Response:
        folder = self._find_images_folder(request.path_params["slug"])
        name = request.path_params["file"]
        file = find_issue_image(folder, name) if folder else None
        if file is None:
            return self._get_drawn_image(request, folder, name)
        media_type = IMAGE_TYPES[file.suffix.lower()]
        status = file.stat()
        response = StableFileResponse(file, media_type=media_type, stat_result=status)
        if media_type == IMAGE_TYPES[".svg"]:
            response.headers["Content-Security-Policy"] = SVG_POLICY
        set_caching_headers(
            response, f"{status.st_mtime_ns:x}-{status.st_size:x}", IMAGE_CACHE_CONTROL
        )
        _ignore_foreign_range(request)
        return apply_if_none_match(request, response)

    def _get_drawn_image(self, request: Request, folder: Path | None, name: str) -> Response:
        data = None
        if folder and name in self._list_stills(folder):
            data = read_issue_image(folder, name)
        if data is None:
            raise RequestRefusedError(404)
        response = Response(data, media_type=IMAGE_TYPES[Path(name).suffix])
        return apply_if_none_match(request, add_etag(response, IMAGE_CACHE_CONTROL))

    def feed(self, path: str, request: Request) -> Response:
        build_feed, media_type = FEEDS[path]
        snapshot = self._get_snapshot()

        def render() -> Response:
            return Response(
                build_feed(self._site.config, filter_listed_issues(snapshot.issues)),
                media_type=media_type,
            )

        return self._get_cached_response(request, snapshot, render)

    def redirect_to_feed(self, _: Request) -> Response:
        # A path, not a URL: that would be of the host that the client names.
        headers = {"Location": f"{self._location.root}/feed.atom"}
        return Response(status_code=HTTPStatus.MOVED_PERMANENTLY, headers=headers)

    def robots(self, _: Request) -> Response:
        return Response(feeds.build_robots_txt(self._site.config), media_type="text/plain")

    def _get_index_response(self, request: Request, number: int) -> Response:
        snapshot = self._get_snapshot()
        render = partial(
            render_index_page,
            self._site,
            self._location,
            filter_listed_issues(snapshot.issues),
            number,
        )
        return self._get_cached_response(request, snapshot, render)

    def _get_snapshot(self, *, refresh: bool = False) -> _ArchiveSnapshot:
        now, previous = self._site.clock(), self._snapshot
        if (
            previous
            and not refresh
            and datetime.timedelta() <= now - previous.taken_at < SNAPSHOT_LIFETIME
        ):
            return previous
        issues = self._repository.list_public_issues(now)
        responses = previous.responses if previous and previous.issues == issues else {}
        self._snapshot = _ArchiveSnapshot(now, issues, responses, {}, {})
        return self._snapshot

    def _get_cached_response(
        self, request: Request, snapshot: _ArchiveSnapshot, render: Callable[[], Response]
    ) -> Response:
        path = request.scope["path"]
        response = snapshot.responses.get(path)
        if response is None:
            if len(snapshot.responses) >= MAX_CACHED_RESPONSES:
                snapshot.responses.clear()
            response = snapshot.responses[path] = add_etag(render(), PAGE_CACHE_CONTROL)
        return apply_if_none_match(request, response)

    def _find_images_folder(self, slug: str) -> Path | None:
        """Return the folder of an issue that is or will be sent, even a private one.

        Private issues' emails have images, too.
        """
        folders = self._get_snapshot().image_folders
        folder = folders.get(slug) or self._repository.find_images_folder(slug)
        if folder:
            folders[slug] = folder
        return folder

    def _list_stills(self, folder: Path) -> tuple[str, ...]:
        stills = self._get_snapshot().stills
        if folder not in stills:
            stills[folder] = self._repository.list_stills(folder)
        return stills[folder]


def _ignore_foreign_range(request: Request) -> None:
    """Drop a Range header that must be ignored: only GET has ranges, of bytes (RFC 9110, 14.2)."""
    unit = request.headers.get("range", "").partition("=")[0]
    if request.method != "GET" or unit.lower() != "bytes":
        headers = request.scope["headers"]
        headers[:] = [header for header in headers if header[0] != b"range"]


def add_etag(response: Response, cache_control: str) -> Response:
    """Add an ETag of the body and caching headers to ``response``, and return it."""
    digest = hashlib.sha256(response.body).hexdigest()[:32]
    set_caching_headers(response, digest, cache_control)
    return response


def set_caching_headers(response: Response, version: str, cache_control: str) -> None:
    """Set an ETag (RFC 9110, 8.8.3) and caching headers.

    Args:
        response: gets the headers.
        version: differs whenever the body does.
        cache_control: value of Cache-Control.
    """
    response.headers["ETag"] = f'"{version}"'
    response.headers["Cache-Control"] = cache_control
    response.headers["X-Content-Type-Options"] = "nosniff"


def apply_if_none_match(request: Request, response: Response) -> Response:
    """Return ``response``, or 304 if the client's copy is current (RFC 9110, 13.1.2)."""
    header = request.headers.get("if-none-match", "").strip()
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    if header != "*" and response.headers["ETag"] not in tags:
        return response
    kept = ("etag", "cache-control", "content-security-policy", "x-robots-tag")
    return Response(
        status_code=304,
        headers={name: value for name, value in response.headers.items() if name in kept},
    )
