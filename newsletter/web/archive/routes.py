"""The sent issues on the web: index, articles, images, feeds."""

import datetime
import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from newsletter.config import Config
from newsletter.web.archive import feeds
from newsletter.web.archive.archived_issue import Archived
from newsletter.web.archive.images import SANDBOX, TYPES, find_image
from newsletter.web.archive.issue_cache import Shelf, listed
from newsletter.web.archive.pages import found_page, index_page, issue_page, pages, served
from newsletter.web.http.request_data import Refused
from newsletter.web.site_context import Site

MINUTES = "public, max-age=300"
DAY = "public, max-age=86400"
# Nobody looks at the record and the folders more often: who asked keeps a page for minutes.
HELD = datetime.timedelta(seconds=1)
MOST_MADE = 500

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


class _Look(NamedTuple):
    """The archive as it is for a moment, and what was made of it.

    Attributes:
        at: when somebody looked.
        issues: that have a page, the latest first.
        made: path -> the finished answer; kept for as long as the issues stay the same.
        folders: slug -> where its images are.
    """

    at: datetime.datetime
    issues: list[Archived]
    made: dict[str, Response]
    folders: dict[str, Path]

    def issue(self, slug: str) -> Archived | None:
        return next((issue for issue in self.issues if issue.slug == slug), None)


class _Archive:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._shelf = Shelf(site.project, site.engine)
        self._place = served(site)
        self._seen: _Look | None = None

    def index(self, request: Request) -> Response:
        query = request.query_params.get("q", "").strip()
        if query:
            issues = listed(self._look().issues)
            return found_page(self._site, self._place, issues, query)
        return self._page(request, 1)

    def further(self, request: Request) -> Response:
        number = request.path_params["number"]
        if not 1 < number <= pages(listed(self._look().issues)):
            raise Refused(404)
        return self._page(request, number)

    def article(self, request: Request) -> Response:
        slug = request.path_params["slug"]
        # A mail's link may be followed the moment after it was sent.
        look = self._look()
        issue = look.issue(slug) or (look := self._look(anew=True)).issue(slug)
        if issue is None:
            raise Refused(404)
        make = partial(issue_page, self._site, self._place, look.issues, issue)
        return self._made(request, look, make)

    def image(self, request: Request) -> Response:
        folder = self._folder(request.path_params["slug"])
        file = find_image(folder, request.path_params["file"]) if folder else None
        if file is None:
            raise Refused(404)
        kind = TYPES[file.suffix.lower()]
        response = Response(file.read_bytes(), media_type=kind)
        if kind == TYPES[".svg"]:
            response.headers["Content-Security-Policy"] = SANDBOX
        return unless_known(request, tagged(response, DAY))

    def feed(self, path: str, request: Request) -> Response:
        write, kind = FEEDS[path]
        look = self._look()

        def make() -> Response:
            return Response(write(self._site.config, listed(look.issues)), media_type=kind)

        return self._made(request, look, make)

    def robots(self, _: Request) -> Response:
        return Response(feeds.robots(self._site.config), media_type="text/plain")

    def _page(self, request: Request, number: int) -> Response:
        look = self._look()
        make = partial(index_page, self._site, self._place, listed(look.issues), number)
        return self._made(request, look, make)

    def _look(self, *, anew: bool = False) -> _Look:
        now, seen = self._site.clock(), self._seen
        if seen and not anew and datetime.timedelta() <= now - seen.at < HELD:
            return seen
        issues = self._shelf.public(now)
        made = seen.made if seen and seen.issues == issues else {}
        self._seen = _Look(now, issues, made, {})
        return self._seen

    def _made(self, request: Request, look: _Look, make: Callable[[], Response]) -> Response:
        path = request.scope["path"]
        answer = look.made.get(path)
        if answer is None:
            if len(look.made) >= MOST_MADE:
                look.made.clear()
            answer = look.made[path] = tagged(make(), MINUTES)
        return unless_known(request, answer)

    def _folder(self, slug: str) -> Path | None:
        """Of a sent issue, or of one about to be; private ones too: their mails have images."""
        folders = self._look().folders
        found = folders.get(slug) or self._shelf.folder(slug)
        if found:
            folders[slug] = found
        return found


def tagged(response: Response, cache: str) -> Response:
    """``response`` with an ETag, for whoever keeps it (RFC 9110, 8.8.3)."""
    response.headers["ETag"] = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    response.headers["Cache-Control"] = cache
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def unless_known(request: Request, response: Response) -> Response:
    """``response``, or 304 for whoever has it already (RFC 9110, 13.1.2)."""
    asked = request.headers.get("if-none-match", "").strip()
    tags = {one.strip().removeprefix("W/") for one in asked.split(",")}
    if asked != "*" and response.headers["ETag"] not in tags:
        return response
    kept = ("etag", "cache-control", "content-security-policy", "x-robots-tag")
    return Response(
        status_code=304,
        headers={name: value for name, value in response.headers.items() if name in kept},
    )
