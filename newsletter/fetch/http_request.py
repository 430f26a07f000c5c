"""Send one HTTP request, to public addresses only.

Every host is resolved here, every one of its addresses is checked, and the connection goes to the
checked address: neither a changed DNS record (DNS rebinding) nor a redirect can get around it.
"""

import http.client
import io
import ipaddress
import socket
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, DecodeError, HTTPError, NewConnectionError

from newsletter.fetch.public_address import is_public_address

RequestErrorKind = Literal["dead", "failing", "certificate", "private", "too slow"]
HostResolver = Callable[[str, int], list[str]]

REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
PERMANENT_STATUSES = frozenset({301, 308})
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

_MAX_CONNECTIONS_PER_HOST = 2
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 10.0
_DNS_REMEDY = "Check the spelling of the host, and that this machine is online."
_UNQUOTED = "!$%&'()*,+/:;=?@[]^|~"  # in a URL's path and query; browsers leave these as they are


class RequestError(Exception):
    """A request that must not be sent, or that got no valid response.

    Attributes:
        kind: ``dead`` (unknown host); ``failing`` (no connection, not HTTP); ``certificate`` (TLS
            failed); ``private`` (not a public address); ``too slow`` (no response in time).
        detail: the reason, for a message: ``host boats.example not found``.
        remedy: what to do next, a full sentence, if the kind alone doesn't make it clear.
    """

    def __init__(self, kind: RequestErrorKind, detail: str, remedy: str = "") -> None:
        super().__init__(detail)
        self.kind: RequestErrorKind = kind
        self.detail = detail
        self.remedy = remedy


class Deadline:
    """The time limit of a request as a whole, with its redirects and its body.

    A limit on each read alone would never end a response that comes byte by byte.

    Args:
        seconds: from now.
        clock: monotonic, in seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def get_remaining(self) -> float:
        """Return the remaining seconds.

        Raises:
            TimeoutError: there are none.
        """
        remaining = self._end - self._clock()
        if remaining <= 0:
            raise TimeoutError
        return remaining

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Don't count the time that a block takes."""
        start = self._clock()
        yield
        self._end += self._clock() - start


class _Request(NamedTuple):
    method: str
    url: str
    headers: Mapping[str, str]


class HttpRequester:
    """Sender of single requests; thread-safe, with at most two connections at a time per host.

    It follows no redirects, keeps no cookies and uses no proxy.

    Args:
        user_agent: the ``User-Agent`` header.
        resolver: host and port -> IP addresses.
    """

    def __init__(self, user_agent: str, resolver: HostResolver) -> None:
        self._user_agent = user_agent
        self._resolver = resolver
        self._lock = threading.Lock()
        self._host_semaphores: defaultdict[str, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(_MAX_CONNECTIONS_PER_HOST)
        )

    @contextmanager
    def open(
        self,
        method: str,
        url: str,
        deadline: Deadline,
        *,
        allow_loopback: bool,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Send a request and yield its response; the body is read inside of the block.

        Args:
            method: the HTTP method.
            url: an absolute http or https URL.
            deadline: of the response and its body; waiting for a free connection doesn't count.
            allow_loopback: whether the host may be this machine.
            headers: in addition to Host, User-Agent and Accept.

        Raises:
            RequestError: the address is not public, there is no valid response, or its body breaks
                off.
            ValueError: the URL is invalid.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in {"http", "https"} or not host:
            raise RequestError("failing", f"{url[:80]} is not an http or https URL")
        with self._lock:
            semaphore = self._host_semaphores[host]
        with ExitStack() as stack:
            with deadline.pause():
                stack.enter_context(semaphore)
            addresses = self._resolve_allowed_addresses(url, allow_loopback=allow_loopback)
            request = _Request(method, url, headers)
            try:
                yield self._request_first(addresses, request, deadline, stack)
            except (HTTPError, OSError, http.client.HTTPException, UnicodeError) as error:
                raise RequestError(*_classify_error(error)) from error

    def _resolve_allowed_addresses(self, url: str, *, allow_loopback: bool) -> list[str]:
        """Return the host's IP addresses; stop if any of them is not public."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        try:
            addresses = self._resolver(host, parts.port or (443 if parts.scheme == "https" else 80))
        except (OSError, UnicodeError) as error:
            if getattr(error, "errno", None) == socket.EAI_AGAIN:
                detail = f"temporary DNS failure for {host}"
                raise RequestError("failing", detail, _DNS_REMEDY) from error
            raise RequestError("dead", f"host {host} not found", _DNS_REMEDY) from error
        for address in addresses:
            if is_public_address(address):
                continue
            ip = ipaddress.ip_address(address.partition("%")[0])
            is_this_machine = ip.is_loopback or ip.is_unspecified
            if not (allow_loopback and is_this_machine):
                subject = host if host == address else f"{host} resolves to {address}, which"
                raise RequestError("private", f"{subject} is not a public address")
        if not addresses:
            raise RequestError("dead", f"host {host} has no IP address", _DNS_REMEDY)
        return addresses

    def _request_first(
        self, addresses: list[str], request: _Request, deadline: Deadline, stack: ExitStack
    ) -> urllib3.BaseHTTPResponse:
        """Request the first address that accepts a connection; ``stack`` closes it."""
        *others, last = addresses
        for address in others:
            with suppress(ConnectTimeoutError, NewConnectionError):
                return self._request_address(address, request, deadline, stack)
        return self._request_address(last, request, deadline, stack)

    def _request_address(
        self, address: str, request: _Request, deadline: Deadline, stack: ExitStack
    ) -> urllib3.BaseHTTPResponse:
        parts = urlsplit(request.url)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
        host = host if host.isascii() else host.encode("idna").decode()  # RFC 5891
        timeout = min(_CONNECT_SECONDS, deadline.get_remaining())
        connection: HTTPConnection
        if parts.scheme == "http":
            connection = HTTPConnection(address, parts.port or 80, timeout=timeout)
        else:
            connection = HTTPSConnection(
                address, parts.port or 443, timeout=timeout, ssl_context=get_ssl_context(),
                cert_reqs=ssl.CERT_REQUIRED, server_hostname=host,
            )  # fmt: skip
        stack.callback(connection.close)
        setattr(connection, "response_class", partial(_make_response, deadline))  # noqa: B010 - http.client's hook, which has no type
        connection.request(
            request.method,
            urllib3.util.Url(
                path=quote(parts.path, safe=_UNQUOTED) or "/",
                query=quote(parts.query, safe=_UNQUOTED) or None,
            ).url,
            headers={
                "Host": f"[{host}]{port}" if ":" in host else f"{host}{port}",
                "User-Agent": self._user_agent,
                "Accept": "*/*",
                "Connection": "close",
                **request.headers,
            },
            preload_content=False,
        )
        response = connection.getresponse()
        stack.enter_context(closing(response))
        return response


class _DeadlineReader(io.RawIOBase):
    """What a socket receives until the deadline, headers and body alike."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: Deadline) -> None:
        self._raw = raw
        self._socket = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(min(_READ_SECONDS, self._deadline.get_remaining()))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _make_response(
    deadline: Deadline, sock: socket.socket, *args: Any, **options: Any
) -> http.client.HTTPResponse:
    response = http.client.HTTPResponse(sock, *args, **options)
    raw = response.fp.detach()
    response.fp = io.BufferedReader(_DeadlineReader(raw, sock, deadline))
    return response


def resolve_host(host: str, port: int) -> list[str]:
    """Return the IP addresses of a host, in the order in which the system would try them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


@lru_cache(maxsize=1)
def get_ssl_context() -> ssl.SSLContext:
    """Return the default TLS context; cached, since loading the certificates is slow."""
    return ssl.create_default_context()


def _classify_error(error: Exception) -> tuple[RequestErrorKind, str]:
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "certificate", cause.verify_message or "could not verify the certificate"
    if isinstance(cause, ssl.SSLError):
        return "certificate", "TLS handshake failed"
    if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, TimeoutError):
        return "failing", cause.strerror.lower()
    if isinstance(cause, TimeoutError) or isinstance(error, urllib3.exceptions.TimeoutError):
        return "too slow", "no response in time"
    if isinstance(cause, http.client.IncompleteRead):
        return "failing", "the response broke off"
    reason = "could not be decompressed" if isinstance(error, DecodeError) else "is not valid HTTP"
    return "failing", f"the response {reason}"
