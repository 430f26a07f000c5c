"""Asks a web server for one address, and can't be made to ask a server in a private network.

Every name is resolved here, every address of it is looked at, and the connection goes to that very
address: what a name answers a moment later, or where a redirect leads, changes nothing.
"""

import ipaddress
import socket
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http.client import responses
from typing import Literal
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

import urllib3

FetchResultKind = Literal[
    "fine", "moved", "dead", "failing", "closed", "certificate", "private", "not asked"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class FetchResult:
    """What a server said of an address.

    Attributes:
        kind: what that means; ``not asked`` if the site wants no programs (RFC 9309).
        detail: in words: ``404 Not Found``, ``the host is not known``.
        redirect_url: where a permanent redirect leads.
    """

    kind: FetchResultKind
    detail: str = ""
    redirect_url: str = ""


_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
_PERMANENT_STATUSES = frozenset({301, 308})
_RETRY_WITH_GET_STATUSES = frozenset(
    {400, 403, 404, 405, 406, 501}
)  # some servers say so to HEAD alone
_GONE_STATUSES = frozenset({404, 410})
_MAX_REDIRECTS = 10
_MAX_CONNECTIONS_PER_HOST = 2  # requests to one host
_TIMEOUT = urllib3.Timeout(connect=5.0, read=10.0)
_MAX_ROBOTS_BYTES = 500_000  # as much as must be read, RFC 9309 2.5
_NAT64_NETWORK = ipaddress.ip_network("64:ff9b::/96")
_FIRST_REDIRECT_STATUS, _FIRST_CLIENT_ERROR_STATUS, _FIRST_SERVER_ERROR_STATUS = 300, 400, 500


class _FetchStoppedError(Exception):
    """The address needs no more asking."""

    def __init__(self, result: FetchResult) -> None:
        self.result = result


HostResolver = Callable[[str, int], list[str]]


def resolve_host(host: str, port: int) -> list[str]:
    """The internet addresses of a host, in the order in which the system would try them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class SafeFetcher:
    """Asks, from any number of threads, at most two at a time at one host.

    Args:
        user_agent: the ``User-Agent`` that names us.
        allow_loopback: allow servers on this machine; for tests alone.
        resolver: name and port -> internet addresses.
    """

    def __init__(
        self,
        user_agent: str,
        *,
        allow_loopback: bool = False,
        resolver: HostResolver = resolve_host,
    ) -> None:
        self._user_agent = user_agent
        self._allow_loopback = allow_loopback
        self._resolver = resolver
        self._lock = threading.Lock()
        self._host_semaphores: defaultdict[str, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(_MAX_CONNECTIONS_PER_HOST)
        )
        self._get_robots = lru_cache(maxsize=1_000)(self._load_robots)

    def fetch(self, url: str) -> FetchResult:
        """What becomes of a reader who follows a link."""
        try:
            if not self._get_robots(_get_origin(url)).can_fetch(self._user_agent, url):
                return FetchResult("not asked", "its robots.txt asks programs to stay away")
            return self._follow_redirects(url)
        except _FetchStoppedError as stop:
            return stop.result
        except ValueError:
            return FetchResult("dead", "it is no address")

    def _follow_redirects(self, url: str) -> FetchResult:
        at, for_good = url, True
        for _ in range(_MAX_REDIRECTS):
            status, onward = self._request_status(at)
            if status not in _REDIRECT_STATUSES or not onward:
                return _classify_status(status, url, at, permanent=for_good)
            for_good = for_good and status in _PERMANENT_STATUSES
            at = urljoin(at, onward)
        return FetchResult("failing", f"it redirects more than {_MAX_REDIRECTS} times")

    def _request_status(self, url: str) -> tuple[int, str]:
        """HEAD, and GET where a server may not know that."""
        status, onward, _ = self._request("HEAD", url)
        if status in _RETRY_WITH_GET_STATUSES:
            status, onward, _ = self._request("GET", url)
        return status, onward

    def _request(self, method: str, url: str, max_bytes: int = 0) -> tuple[int, str, bytes]:
        """Status, ``Location`` and the start of the body."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in {"http", "https"} or not host:
            raise _FetchStoppedError(FetchResult("failing", f"it leads to {url[:80]}"))
        with self._lock:
            door = self._host_semaphores[host]
        with door:
            try:
                return self._request_any_address(method, url, max_bytes)
            except (urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
                raise _FetchStoppedError(_classify_error(error)) from error

    def _request_any_address(self, method: str, url: str, max_bytes: int) -> tuple[int, str, bytes]:
        addresses = self._resolve_allowed_addresses(url)
        for address in addresses[:-1]:
            try:
                return self._request_address(address, method, url, max_bytes)
            except (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.NewConnectionError):
                continue
        return self._request_address(addresses[-1], method, url, max_bytes)

    def _resolve_allowed_addresses(self, url: str) -> list[str]:
        """Where the host is; not one of them may be in a private network."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        try:
            found = self._resolver(host, parts.port or (443 if parts.scheme == "https" else 80))
        except (OSError, UnicodeError) as error:
            if getattr(error, "errno", None) == socket.EAI_AGAIN:
                raise _FetchStoppedError(
                    FetchResult("failing", f"nobody can say now where {host} is")
                ) from error
            raise _FetchStoppedError(
                FetchResult("dead", f"the host {host} is not known")
            ) from error
        for address in found:
            if not is_public_address(address) and not (
                self._allow_loopback and _is_loopback_address(address)
            ):
                detail = f"{host} is {address}, which is no public address"
                raise _FetchStoppedError(FetchResult("private", detail))
        if not found:
            raise _FetchStoppedError(FetchResult("dead", f"the host {host} has no address"))
        return found

    def _request_address(
        self, address: str, method: str, url: str, max_bytes: int
    ) -> tuple[int, str, bytes]:
        parts = urlsplit(url)
        name, port = _to_idna(parts.hostname), f":{parts.port}" if parts.port else ""
        headers = {
            "Host": f"[{name}]{port}" if ":" in name else f"{name}{port}",
            "User-Agent": self._user_agent,
            "Accept": "*/*",
            "Connection": "close",
        }
        target = urllib3.util.Url(path=parts.path or "/", query=parts.query or None).url
        with self._make_pool(address, url) as pool:
            response = pool.urlopen(
                method, target, headers=headers, retries=False, redirect=False,
                preload_content=False, assert_same_host=False,
            )  # fmt: skip
            body = response.read(max_bytes, decode_content=False) if max_bytes else b""
            response.close()
        return response.status, response.headers.get("Location", ""), body

    @staticmethod
    def _make_pool(address: str, url: str) -> urllib3.HTTPConnectionPool:
        parts = urlsplit(url)
        if parts.scheme == "http":
            return urllib3.HTTPConnectionPool(address, parts.port or 80, timeout=_TIMEOUT)
        return urllib3.HTTPSConnectionPool(
            address, parts.port or 443, timeout=_TIMEOUT, ssl_context=get_ssl_context(),
            server_hostname=_to_idna(parts.hostname),
        )  # fmt: skip

    def _load_robots(self, origin: str) -> RobotFileParser:
        """The site's wishes; where they can't be read, a visit tells more than they would."""
        rules = RobotFileParser()
        rules.parse([])
        try:
            status, onward, body = self._request("GET", f"{origin}/robots.txt", _MAX_ROBOTS_BYTES)
            if status in _REDIRECT_STATUSES and onward:
                address = urljoin(origin, onward)
                status, _, body = self._request("GET", address, _MAX_ROBOTS_BYTES)
        except _FetchStoppedError:
            return rules
        if status < _FIRST_REDIRECT_STATUS:
            rules.parse(body.decode(errors="replace").splitlines())
        return rules


def is_public_address(address: str) -> bool:
    """Whether an internet address is one that anybody may reach, whatever it is wrapped in."""
    one = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(one, ipaddress.IPv6Address):
        inner = one.ipv4_mapped or one.sixtofour or (one.teredo or (None, None))[1]
        if one in _NAT64_NETWORK:
            inner = ipaddress.IPv4Address(int(one) & 0xFFFFFFFF)
        if inner is not None:
            return is_public_address(str(inner))
    return one.is_global and not one.is_multicast


def _is_loopback_address(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


@lru_cache(maxsize=1)
def get_ssl_context() -> ssl.SSLContext:
    """What this machine trusts; it takes a while to load."""
    return ssl.create_default_context()


def _get_origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _to_idna(host: str | None) -> str:
    """As it travels: ``bücher.example`` is ``xn--bcher-kva.example`` (RFC 5891)."""
    name = host or ""
    return name if name.isascii() else name.encode("idna").decode()


def _classify_status(status: int, url: str, final_url: str, *, permanent: bool) -> FetchResult:
    detail = f"{status} {responses.get(status, '')}".strip()
    if status in _GONE_STATUSES:
        return FetchResult("dead", detail)
    if status >= _FIRST_SERVER_ERROR_STATUS and status != 999:  # noqa: PLR2004 - LinkedIn's answer to programs
        return FetchResult("failing", detail)
    if status >= _FIRST_CLIENT_ERROR_STATUS:
        return FetchResult("closed", detail)
    moved = permanent and final_url.partition("#")[0] != url.partition("#")[0]
    return FetchResult("moved", "", final_url) if moved else FetchResult("fine")


def _classify_error(error: Exception) -> FetchResult:
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    if isinstance(cause, ssl.SSLCertVerificationError):
        return FetchResult("certificate", cause.verify_message or "it can't be verified")
    if isinstance(cause, ssl.SSLError):
        return FetchResult("certificate", "no encrypted connection comes about")
    if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, TimeoutError):
        return FetchResult("failing", cause.strerror.lower())
    if isinstance(cause, TimeoutError) or isinstance(error, urllib3.exceptions.TimeoutError):
        return FetchResult("failing", "there is no answer in time")
    return FetchResult("failing", "what it answers is no HTTP")
