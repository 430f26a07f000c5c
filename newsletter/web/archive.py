"""The sent issues on the web: index, articles, images, feeds."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from newsletter.config import Config
from newsletter.web import feeds
from newsletter.web.archive_files import SANDBOX, TYPES, find_image
from newsletter.web.archive_pages import found_page, index_page, issue_page, pages, served
from newsletter.web.archived import Archived
from newsletter.web.refused import Refused
from newsletter.web.shelf import Shelf, listed
from newsletter.web.site import Site

MINUTES = "public, max-age=300"
DAY = "public, max-age=86400"

FEEDS: dict[str, tuple[Callable[[Config, Sequence[Archived]], bytes], str]] = {
    "/feed.atom": (feeds.atom, "application/atom+xml"),
    "/feed.json": (feeds.json_feed, "application/feed+json"),
    "/sitemap.xml": (feeds.sitemap, "application/xml"),
}


def routes(site: Site) -> list[BaseRoute]:
    """The pages and files of the archive."""
    archive = _Archive(site)
    answers: dict[str, Callable[[Request], Response]] = {
        "/": archive.index,
        "/page/{number:int}": archive.further,
        "/issues/{slug}": archive.article,
        "/issues/{slug}/{file:path}": archive.image,
        "/robots.txt": archive.robots,
        **{path: partial(archive.feed, path) for path in FEEDS},
    }
    return [Route(path, answer, methods=["GET"]) for path, answer in answers.items()]


class _Archive:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._shelf = Shelf(site.project, site.engine)
        self._place = served(site)

    def index(self, request: Request) -> Response:
        issues = self._listed()
        query = request.query_params.get("q", "").strip()
        if query:
            return found_page(self._site, self._place, issues, query)
        return fresh(request, index_page(self._site, self._place, issues, 1), MINUTES)

    def further(self, request: Request) -> Response:
        issues, number = self._listed(), request.path_params["number"]
        if not 1 < number <= pages(issues):
            raise Refused(404)
        return fresh(request, index_page(self._site, self._place, issues, number), MINUTES)

    def article(self, request: Request) -> Response:
        issues = self._shelf.public(self._site.clock())
        slug = request.path_params["slug"]
        issue = next((issue for issue in issues if issue.slug == slug), None)
        if issue is None:
            raise Refused(404)
        return fresh(request, issue_page(self._site, self._place, issues, issue), MINUTES)

    def image(self, request: Request) -> Response:
        folder = self._shelf.folder(request.path_params["slug"])
        file = find_image(folder, request.path_params["file"]) if folder else None
        if file is None:
            raise Refused(404)
        kind = TYPES[file.suffix.lower()]
        response = Response(file.read_bytes(), media_type=kind)
        if kind == TYPES[".svg"]:
            response.headers["Content-Security-Policy"] = SANDBOX
        return fresh(request, response, DAY)

    def feed(self, path: str, request: Request) -> Response:
        made, kind = FEEDS[path]
        body = made(self._site.config, self._listed())
        return fresh(request, Response(body, media_type=kind), MINUTES)

    def robots(self, _: Request) -> Response:
        return Response(feeds.robots(self._site.config), media_type="text/plain")

    def _listed(self) -> list[Archived]:
        return listed(self._shelf.public(self._site.clock()))


def fresh(request: Request, response: Response, cache: str) -> Response:
    """``response`` with an ETag, or 304 for who has it already (RFC 9110, 13.1.2)."""
    tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = cache
    response.headers["X-Content-Type-Options"] = "nosniff"
    asked = request.headers.get("if-none-match", "")
    if asked.strip() != "*" and tag not in {
        one.strip().removeprefix("W/") for one in asked.split(",")
    }:
        return response
    kept = ("etag", "cache-control", "content-security-policy", "x-robots-tag")
    return Response(
        status_code=304,
        headers={name: value for name, value in response.headers.items() if name in kept},
    )
