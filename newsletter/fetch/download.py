"""Download a page, feed or image, with limits."""

import datetime
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.client import responses
from typing import Literal

import urllib3

from newsletter.errors import NewsletterError
from newsletter.fetch.http_request import (
    NO_HEADERS,
    PERMANENT_STATUSES,
    REDIRECT_STATUSES,
    Deadline,
    HostResolver,
    HttpRequester,
    RequestError,
    resolve_host,
)
from newsletter.fetch.request_url import (
    encode_for_message,
    encode_location,
    encode_url,
    is_allowed_port,
    is_loopback_url,
)
from newsletter.fetch.retry_after import format_wait, parse_retry_after

DownloadErrorKind = Literal[
    "dead", "gone", "closed", "rate limited", "failing", "certificate", "private", "too large",
    "too slow",
]  # fmt: skip

MAX_DOWNLOAD_BYTES = 10_000_000
MAX_DOWNLOAD_SECONDS = 30.0

_MAX_REDIRECTS = 5
_CHUNK_BYTES = 65_536
_COMPLETE_STATUSES = frozenset({HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION})
_VALIDATORS = frozenset({"if-none-match", "if-modified-since"})
_CHARSET = re.compile(r"""\bcharset\s*=\s*["']?([^\s"';]+)""", re.IGNORECASE)
_SAVE_IT = "Open it in a browser, save it there, and import the saved file."
_TRY_LATER = "Try again later."
_REMEDIES: Mapping[DownloadErrorKind, str] = {
    "dead": "Check the URL.",
    "gone": "Its site has removed it for good; use another URL.",
    "rate limited": _TRY_LATER,
    "closed": f"It needs a login, or its site refuses programs. {_SAVE_IT}",
    "failing": "Check that it works in a browser, and try again.",
    "certificate": "Check the URL; if it is right, its site has to renew its certificate.",
    "private": f"Only public sites are requested. {_SAVE_IT}",
    "too large": "Use the URL of a smaller page, feed or image.",
    "too slow": _TRY_LATER,
}
_EXAMPLE_URL = "Use one such as https://blog.example/post"
_BROWSER_URL = "Open it in a browser, and use the URL that the browser ends up at."


@dataclass(frozen=True, slots=True)
class Download:
    """What a URL returned.

    Attributes:
        url: the final URL, after redirects, without a fragment.
        status: 200 or 203; 304 if the request had validators and nothing has changed since.
        body: decompressed; empty for 304.
        headers: with lower-case names.
        permanent_url: the URL to request next time: where the permanent redirects (301, 308) at
            the beginning led to; the requested URL if there were none.
    """

    url: str
    status: int
    body: bytes
    headers: Mapping[str, str]
    permanent_url: str

    @property
    def content_type(self) -> str:
        """The media type, lower case, without parameters; empty if the server doesn't say."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """The character encoding that the server states, lower case; or empty."""
        found = _CHARSET.search(self.headers.get("content-type", ""))
        return found[1].lower() if found else ""


class DownloadError(NewsletterError):
    """A URL that could not be downloaded.

    Attributes:
        kind: ``dead`` (404, unknown host, invalid URL); ``gone`` (410); ``closed`` (401, 403 and
            the other 4xx); ``rate limited`` (429); ``failing`` (5xx, not HTTP, a redirect that
            isn't followed); ``certificate`` (TLS failed); ``private`` (not a public address);
            ``too large``; ``too slow``.
        status: the HTTP status, or 0 without a response.
        retry_after: seconds after which the server asks to try again, if it does.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: DownloadErrorKind,
        remedy: str = "",
        status: int = 0,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.kind: DownloadErrorKind = kind
        self.status = status
        self.retry_after = retry_after


class _Route:
    """The URLs of a download so far: the requested one, and where redirects led to."""

    def __init__(self, url: str) -> None:
        self._shown_url = encode_for_message(url)
        self.urls: list[str] = []

    def follow(self, location: str) -> str:
        """Return the next URL to request: ``location``, seen from the URL before.

        Raises:
            DownloadError: it is invalid, or the redirects don't end. A circle never does, since
                no cookies are kept.
        """
        try:
            url = encode_url(location, self.urls[-1] if self.urls else "")
        except ValueError as error:
            if not self.urls:
                raise self.make_error("dead", f"it is {error}", _EXAMPLE_URL) from None
            detail = f"it redirects to {encode_for_message(location)}, which is {error}"
            raise self.make_error("failing", detail, _BROWSER_URL) from None
        if url in self.urls:
            raise self.make_error("failing", "it redirects in a circle", _BROWSER_URL)
        if len(self.urls) > _MAX_REDIRECTS:
            raise self.make_error("failing", f"more than {_MAX_REDIRECTS} redirects", _BROWSER_URL)
        self.urls.append(url)
        return url

    def make_error(
        self,
        kind: DownloadErrorKind,
        detail: str,
        remedy: str = "",
        *,
        status: int = 0,
        retry_after: int | None = None,
    ) -> DownloadError:
        """Return the error that says which URL could not be fetched, and why."""
        redirected = (
            f" (redirected to {encode_for_message(self.urls[-1])})" if len(self.urls) > 1 else ""
        )
        return DownloadError(
            f"could not fetch {self._shown_url}{redirected}: {detail}",
            kind=kind,
            remedy=remedy or _REMEDIES[kind],
            status=status,
            retry_after=retry_after,
        )


class Downloader:
    """Downloader of public URLs; thread-safe, with at most two connections at a time per host.

    Args:
        user_agent: the ``User-Agent`` header.
        allow_loopback: allow a URL on this machine, if it is the requested one
            (``is_loopback_url``): no public page can lead there.
        resolver: host and port -> IP addresses.
        clock: monotonic, in seconds.
        now: returns the current time, for a Retry-After that states a date.
    """

    def __init__(
        self,
        user_agent: str,
        *,
        allow_loopback: bool = False,
        resolver: HostResolver = resolve_host,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        self._requester = HttpRequester(user_agent, resolver)
        self._allow_loopback = allow_loopback
        self._clock = clock
        self._now = now

    def download(  # noqa: PLR0913 - each is one limit or header, and has a default
        self,
        url: str,
        *,
        max_bytes: int = MAX_DOWNLOAD_BYTES,
        headers: Mapping[str, str] = NO_HEADERS,
        seconds: float = MAX_DOWNLOAD_SECONDS,
        accept: str = "*/*",
        found_on: str = "",
    ) -> Download:
        """Request a URL, follow its redirects and return the response.

        A redirect from https to http is followed, as browsers do: nothing secret is ever sent, and
        what comes back is untrusted either way.

        Args:
            url: an absolute http or https URL; its port may be any.
            max_bytes: size limit of the decompressed body.
            headers: validators from an earlier response: ``If-None-Match``, ``If-Modified-Since``.
                Each host that a redirect leads to gets them, too.
            seconds: time limit of all, redirects and body included.
            accept: the ``Accept`` header.
            found_on: the page or feed that contains the URL, if nobody has typed it: then another
                port than 80 and 443, and a URL on this machine, are allowed only if they are that
                page's.

        Raises:
            DownloadError: there is no response that is of use; it says why, and what to do.
        """
        deadline = Deadline(seconds, self._clock)
        all_headers = {
            "Accept": accept,
            **urllib3.util.make_headers(accept_encoding=True),
            **headers,
        }
        route = _Route(url)
        try:
            url = permanent_url = route.follow(url)
            typed_url, is_permanent = found_on or url, True
            is_local = self._allow_loopback and is_loopback_url(typed_url)
            while True:
                is_local = is_local and is_loopback_url(url)
                if not is_allowed_port(url, typed_url):
                    raise route.make_error("private", "its port is not that of a public website")
                with self._requester.open(
                    "GET", url, deadline, allow_loopback=is_local, headers=all_headers
                ) as response:
                    location = response.headers.get("Location", "")
                    if response.status not in REDIRECT_STATUSES or not location:
                        self._check_status(response, headers, route)
                        return Download(
                            url=url,
                            status=response.status,
                            body=_read_body(response, max_bytes, route),
                            headers={key.lower(): text for key, text in response.headers.items()},
                            permanent_url=permanent_url,
                        )
                is_permanent = is_permanent and response.status in PERMANENT_STATUSES
                url = route.follow(encode_location(location))
                permanent_url = url if is_permanent else permanent_url
        except RequestError as error:
            raise route.make_error(error.kind, error.detail, error.remedy) from error

    def _check_status(
        self, response: urllib3.BaseHTTPResponse, sent: Mapping[str, str], route: _Route
    ) -> None:
        """Raise an error for a status without a body that is of use."""
        status = response.status
        has_validator = any(name.lower() in _VALIDATORS for name in sent)
        if status in _COMPLETE_STATUSES or (status == HTTPStatus.NOT_MODIFIED and has_validator):
            return
        retry_after = parse_retry_after(response.headers.get("Retry-After", ""), self._now())
        kind, remedy = _classify_status(status)
        if retry_after and remedy == _TRY_LATER:
            remedy = f"Try again in {format_wait(retry_after)}."
        detail = f"{status} {responses.get(status, '')}".strip()
        raise route.make_error(kind, detail, remedy, status=status, retry_after=retry_after)


def _classify_status(status: int) -> tuple[DownloadErrorKind, str]:
    """Return the kind of an error, and its remedy if it is a special one."""
    if status == HTTPStatus.NOT_FOUND:
        return "dead", "Check the URL; the page may have moved."
    if status == HTTPStatus.GONE:
        return "gone", ""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate limited", _TRY_LATER
    is_client_error = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    if is_client_error and status != HTTPStatus.REQUEST_TIMEOUT:
        return "closed", ""
    return ("closed", "") if status == 999 else ("failing", _TRY_LATER)  # noqa: PLR2004 - LinkedIn's response to programs


def _read_body(response: urllib3.BaseHTTPResponse, max_bytes: int, route: _Route) -> bytes:
    """Read a body piece by piece; stop as soon as it is too large, compressed or not."""
    codings = response.headers.get("Content-Encoding", "").lower().split(",")
    for coding in filter(None, map(str.strip, codings)):
        if coding not in {*response.CONTENT_DECODERS, "identity"}:
            detail = "the server sent it in a compression that was not asked for"
            raise route.make_error("failing", detail, _SAVE_IT)
    body = bytearray()
    while chunk := response.read(min(_CHUNK_BYTES, max_bytes + 1 - len(body)), decode_content=True):
        body += chunk
        if len(body) > max_bytes:
            raise route.make_error("too large", f"it is larger than {_format_size(max_bytes)}")
    return bytes(body)


def _format_size(count: int) -> str:
    return f"{count / 1_000_000:g} MB" if count >= 1_000_000 else f"{count / 1_000:g} kB"  # noqa: PLR2004
