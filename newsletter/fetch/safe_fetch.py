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

Kind = Literal[
    "fine", "moved", "dead", "failing", "closed", "certificate", "private", "not asked"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said of an address.

    Attributes:
        kind: what that means; ``not asked`` if the site wants no programs (RFC 9309).
        detail: in words: ``404 Not Found``, ``the host is not known``.
        leads_to: where a permanent redirect leads.
    """

    kind: Kind
    detail: str = ""
    leads_to: str = ""


_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FOR_GOOD = frozenset({301, 308})
_NO_HEAD = frozenset({400, 403, 404, 405, 406, 501})  # some servers say so to HEAD alone
_GONE = frozenset({404, 410})
_MOST_REDIRECTS = 10
_AT_ONCE = 2  # requests to one host
_TIMEOUT = urllib3.Timeout(connect=5.0, read=10.0)
_ROBOTS_BYTES = 500_000  # as much as must be read, RFC 9309 2.5
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_REDIRECT_FROM, _REFUSED, _ERROR = 300, 400, 500


class _StopError(Exception):
    """The address needs no more asking."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


Resolve = Callable[[str, int], list[str]]


def resolve(host: str, port: int) -> list[str]:
    """The internet addresses of a host, in the order in which the system would try them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class Visitor:
    """Asks, from any number of threads, at most two at a time at one host.

    Args:
        agent: the ``User-Agent`` that names us.
        loopback: allow servers on this machine; for tests alone.
        lookup: name and port -> internet addresses.
    """

    def __init__(self, agent: str, *, loopback: bool = False, lookup: Resolve = resolve) -> None:
        self._agent = agent
        self._loopback = loopback
        self._lookup = lookup
        self._lock = threading.Lock()
        self._doors: defaultdict[str, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(_AT_ONCE)
        )
        self._robots = lru_cache(maxsize=1_000)(self._read_robots)

    def visit(self, url: str) -> Answer:
        """What becomes of a reader who follows a link."""
        try:
            if not self._robots(_origin(url)).can_fetch(self._agent, url):
                return Answer("not asked", "its robots.txt asks programs to stay away")
            return self._follow(url)
        except _StopError as stop:
            return stop.answer
        except ValueError:
            return Answer("dead", "it is no address")

    def _follow(self, url: str) -> Answer:
        at, for_good = url, True
        for _ in range(_MOST_REDIRECTS):
            status, onward = self._status(at)
            if status not in _REDIRECTS or not onward:
                return _judged(status, url, at, for_good=for_good)
            for_good = for_good and status in _FOR_GOOD
            at = urljoin(at, onward)
        return Answer("failing", f"it redirects more than {_MOST_REDIRECTS} times")

    def _status(self, url: str) -> tuple[int, str]:
        """HEAD, and GET where a server may not know that."""
        status, onward, _ = self._ask("HEAD", url)
        if status in _NO_HEAD:
            status, onward, _ = self._ask("GET", url)
        return status, onward

    def _ask(self, method: str, url: str, most: int = 0) -> tuple[int, str, bytes]:
        """Status, ``Location`` and the start of the body."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in {"http", "https"} or not host:
            raise _StopError(Answer("failing", f"it leads to {url[:80]}"))
        with self._lock:
            door = self._doors[host]
        with door:
            try:
                return self._ask_addresses(method, url, most)
            except (urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
                raise _StopError(_trouble(error)) from error

    def _ask_addresses(self, method: str, url: str, most: int) -> tuple[int, str, bytes]:
        addresses = self._addresses(url)
        for address in addresses[:-1]:
            try:
                return self._ask_address(address, method, url, most)
            except (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.NewConnectionError):
                continue
        return self._ask_address(addresses[-1], method, url, most)

    def _addresses(self, url: str) -> list[str]:
        """Where the host is; not one of them may be in a private network."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        try:
            found = self._lookup(host, parts.port or (443 if parts.scheme == "https" else 80))
        except (OSError, UnicodeError) as error:
            if getattr(error, "errno", None) == socket.EAI_AGAIN:
                raise _StopError(
                    Answer("failing", f"nobody can say now where {host} is")
                ) from error
            raise _StopError(Answer("dead", f"the host {host} is not known")) from error
        for address in found:
            if not is_public(address) and not (self._loopback and _is_loopback(address)):
                detail = f"{host} is {address}, which is no public address"
                raise _StopError(Answer("private", detail))
        if not found:
            raise _StopError(Answer("dead", f"the host {host} has no address"))
        return found

    def _ask_address(
        self, address: str, method: str, url: str, most: int
    ) -> tuple[int, str, bytes]:
        parts = urlsplit(url)
        name, port = _ascii(parts.hostname), f":{parts.port}" if parts.port else ""
        headers = {
            "Host": f"[{name}]{port}" if ":" in name else f"{name}{port}",
            "User-Agent": self._agent,
            "Accept": "*/*",
            "Connection": "close",
        }
        target = urllib3.util.Url(path=parts.path or "/", query=parts.query or None).url
        with self._pool(address, url) as pool:
            response = pool.urlopen(
                method, target, headers=headers, retries=False, redirect=False,
                preload_content=False, assert_same_host=False,
            )  # fmt: skip
            body = response.read(most, decode_content=False) if most else b""
            response.close()
        return response.status, response.headers.get("Location", ""), body

    @staticmethod
    def _pool(address: str, url: str) -> urllib3.HTTPConnectionPool:
        parts = urlsplit(url)
        if parts.scheme == "http":
            return urllib3.HTTPConnectionPool(address, parts.port or 80, timeout=_TIMEOUT)
        return urllib3.HTTPSConnectionPool(
            address, parts.port or 443, timeout=_TIMEOUT, ssl_context=tls(),
            server_hostname=_ascii(parts.hostname),
        )  # fmt: skip

    def _read_robots(self, origin: str) -> RobotFileParser:
        """The site's wishes; where they can't be read, a visit tells more than they would."""
        rules = RobotFileParser()
        rules.parse([])
        try:
            status, onward, body = self._ask("GET", f"{origin}/robots.txt", _ROBOTS_BYTES)
            if status in _REDIRECTS and onward:
                address = urljoin(origin, onward)
                status, _, body = self._ask("GET", address, _ROBOTS_BYTES)
        except _StopError:
            return rules
        if status < _REDIRECT_FROM:
            rules.parse(body.decode(errors="replace").splitlines())
        return rules


def is_public(address: str) -> bool:
    """Whether an internet address is one that anybody may reach, whatever it is wrapped in."""
    one = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(one, ipaddress.IPv6Address):
        inner = one.ipv4_mapped or one.sixtofour or (one.teredo or (None, None))[1]
        if one in _NAT64:
            inner = ipaddress.IPv4Address(int(one) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return one.is_global and not one.is_multicast


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


@lru_cache(maxsize=1)
def tls() -> ssl.SSLContext:
    """What this machine trusts; it takes a while to load."""
    return ssl.create_default_context()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _ascii(host: str | None) -> str:
    """As it travels: ``bücher.example`` is ``xn--bcher-kva.example`` (RFC 5891)."""
    name = host or ""
    return name if name.isascii() else name.encode("idna").decode()


def _judged(status: int, url: str, at: str, *, for_good: bool) -> Answer:
    detail = f"{status} {responses.get(status, '')}".strip()
    if status in _GONE:
        return Answer("dead", detail)
    if status >= _ERROR and status != 999:  # noqa: PLR2004 - LinkedIn's answer to programs
        return Answer("failing", detail)
    if status >= _REFUSED:
        return Answer("closed", detail)
    moved = for_good and at.partition("#")[0] != url.partition("#")[0]
    return Answer("moved", "", at) if moved else Answer("fine")


def _trouble(error: Exception) -> Answer:
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Answer("certificate", cause.verify_message or "it can't be verified")
    if isinstance(cause, ssl.SSLError):
        return Answer("certificate", "no encrypted connection comes about")
    if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, TimeoutError):
        return Answer("failing", cause.strerror.lower())
    if isinstance(cause, TimeoutError) or isinstance(error, urllib3.exceptions.TimeoutError):
        return Answer("failing", "there is no answer in time")
    return Answer("failing", "what it answers is no HTTP")
