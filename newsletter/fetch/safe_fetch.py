"""Check whether one URL can be fetched, on public addresses only."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from http.client import responses
from typing import Literal, NamedTuple
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from newsletter.fetch.http_request import (
    PERMANENT_STATUSES,
    REDIRECT_STATUSES,
    Deadline,
    HostResolver,
    HttpRequester,
    RequestError,
    resolve_host,
)

FetchResultKind = Literal[
    "fine", "moved", "dead", "failing", "closed", "certificate", "private", "not asked",
    "robots failing",
]  # fmt: skip

# Some servers respond to HEAD with these, and to GET with 200.
_RETRY_WITH_GET_STATUSES = frozenset({400, 403, 404, 405, 406, 501})
_GONE_STATUSES = frozenset({404, 410})
_MAX_REDIRECTS = 10
_REQUEST_SECONDS = 30.0  # of each request, its response included
_MAX_ROBOTS_BYTES = 500_000  # the minimum limit of RFC 9309 2.5
_FIRST_REDIRECT_STATUS, _FIRST_CLIENT_ERROR_STATUS, _FIRST_SERVER_ERROR_STATUS = 300, 400, 500


@dataclass(frozen=True, slots=True)
class FetchResult:
    """The result of fetching a URL.

    Attributes:
        kind: ``fine``; ``moved`` (permanently: 301, 308); ``dead`` (404, 410, unknown host,
            invalid URL); ``failing`` (5xx, too many redirects, one without a target, no response,
            not HTTP); ``closed`` (any other 4xx, LinkedIn's 999); ``certificate`` (TLS failed);
            ``private`` (not a public address); ``not asked`` (disallowed by robots.txt, RFC 9309);
            ``robots failing`` (not asked, since robots.txt itself has a 5xx error).
        detail: the reason, for a message: ``404 Not Found``, ``host boats.example not found``.
        redirect_url: the target of a permanent redirect.
        content_type: the media type of a ``fine`` or ``moved`` response, lower case, without
            parameters; empty if the server does not say.
    """

    kind: FetchResultKind
    detail: str = ""
    redirect_url: str = ""
    content_type: str = ""


class _HttpResponse(NamedTuple):
    """What is read of a response.

    Attributes:
        status: the status code.
        location: the header ``Location``, or empty.
        content_type: the header ``Content-Type``, or empty.
        body: its first bytes, if they are needed.
    """

    status: int
    location: str
    content_type: str
    body: bytes


class SafeFetcher:
    """Fetcher of URLs; thread-safe, with at most two connections at a time per host.

    Args:
        user_agent: the ``User-Agent`` header.
        allow_loopback: allow servers on this machine; for tests, and emails that stay on it.
        respect_robots: whether pages that robots.txt disallows are left alone (RFC 9309); not for
            the newsletter's own files.
        resolver: host and port -> IP addresses.
    """

    def __init__(
        self,
        user_agent: str,
        *,
        allow_loopback: bool = False,
        respect_robots: bool = True,
        resolver: HostResolver = resolve_host,
    ) -> None:
        self._user_agent = user_agent
        self._allow_loopback = allow_loopback
        self._respect_robots = respect_robots
        self._requester = HttpRequester(user_agent, resolver)
        self._get_robots = lru_cache(maxsize=1_000)(self._load_robots)

    def fetch(self, url: str) -> FetchResult:
        """Request a URL, follow its redirects and classify the response."""
        try:
            if self._respect_robots:
                parts = urlsplit(url)
                origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
                robots = self._get_robots(origin)
                if robots is None:
                    return FetchResult("robots failing", "its robots.txt has a server error")
                if not robots.can_fetch(self._user_agent, url):
                    return FetchResult("not asked", "disallowed by robots.txt")
            return self._follow_redirects(url)
        except RequestError as error:
            return FetchResult("failing" if error.kind == "too slow" else error.kind, error.detail)
        except ValueError:
            return FetchResult("dead", "not a valid URL")

    def _follow_redirects(self, url: str) -> FetchResult:
        current_url, permanent = url, True
        for _ in range(_MAX_REDIRECTS):
            response = self._request("HEAD", current_url)
            if response.status in _RETRY_WITH_GET_STATUSES:
                response = self._request("GET", current_url)
            if response.status not in REDIRECT_STATUSES or not response.location:
                return _classify_response(response, url, current_url, permanent=permanent)
            permanent = permanent and response.status in PERMANENT_STATUSES
            current_url = urljoin(current_url, response.location)
        return FetchResult("failing", f"more than {_MAX_REDIRECTS} redirects")

    def _request(self, method: str, url: str, max_bytes: int = 0) -> _HttpResponse:
        """Send a request; return the response with the first ``max_bytes`` of its body."""
        deadline = Deadline(_REQUEST_SECONDS)
        with self._requester.open(
            method, url, deadline, allow_loopback=self._allow_loopback
        ) as response:
            body = response.read(max_bytes, decode_content=False) if max_bytes else b""
        received = response.headers
        return _HttpResponse(
            response.status, received.get("Location", ""), received.get("Content-Type", ""), body
        )

    def _load_robots(self, origin: str) -> RobotFileParser | None:
        """Return the site's robots.txt; an empty one if there is none or the host doesn't respond.

        The request for the page itself then reports the reason. ``None`` after a 5xx: nothing may
        be requested then (RFC 9309 2.3.1.4), since the site's wishes are unknown.
        """
        rules = RobotFileParser()
        rules.parse([])
        try:
            response = self._request("GET", f"{origin}/robots.txt", _MAX_ROBOTS_BYTES)
            if response.status in REDIRECT_STATUSES and response.location:
                location_url = urljoin(origin, response.location)
                response = self._request("GET", location_url, _MAX_ROBOTS_BYTES)
        except RequestError:
            return rules
        if response.status < _FIRST_REDIRECT_STATUS:
            rules.parse(_keep_valid_rules(response.body.decode(errors="replace").splitlines()))
        elif response.status >= _FIRST_SERVER_ERROR_STATUS:
            return None
        return rules


def _keep_valid_rules(lines: Iterable[str]) -> list[str]:
    """Return the lines of a robots.txt at which Python's parser does not fail.

    It fails at a superscript digit in ``Crawl-delay`` and at ``Disallow: //[``. The other lines
    still count (RFC 9309 2.3.1.5).
    """
    valid = []
    for line in lines:
        with suppress(ValueError):
            RobotFileParser().parse(["User-agent: *", line])
            valid.append(line)
    return valid


def _classify_response(
    response: _HttpResponse, url: str, final_url: str, *, permanent: bool
) -> FetchResult:
    status = response.status
    detail = f"{status} {responses.get(status, '')}".strip()
    if status in _GONE_STATUSES:
        return FetchResult("dead", detail)
    if status >= _FIRST_SERVER_ERROR_STATUS and status != 999:  # noqa: PLR2004 - LinkedIn's response to programs
        return FetchResult("failing", detail)
    if status >= _FIRST_CLIENT_ERROR_STATUS:
        return FetchResult("closed", detail)
    if status >= _FIRST_REDIRECT_STATUS:  # one that says no new address, or is about a cache
        return FetchResult("failing", detail)
    content_type = response.content_type.partition(";")[0].strip().lower()
    if permanent and final_url.partition("#")[0] != url.partition("#")[0]:
        return FetchResult("moved", "", final_url, content_type)
    return FetchResult("fine", content_type=content_type)
