"""Limits on connections to the public site: time, number, per address.

No limit of uvicorn's own closes a client that sends or reads nothing, or very slowly.
"""

import asyncio
import ipaddress
import socket
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

if sys.platform != "win32":
    import resource

_WANTED_OPEN_FILES = 4_096
_IPV6_PREFIX = 64  # bits that stand for one customer of a provider (RFC 6177)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits on the connections of one server.

    Attributes:
        head_seconds: time for a request's whole head, from the end of the response before it.
        body_seconds: time for a request's whole body.
        request_seconds: time from the head to the last byte of the response.
        stalled_seconds: time for which a client may take nothing of what is sent to it.
        connections: number in all.
        connections_per_address: number of an IPv4 address or an IPv6 network of 64 bits that is
            not a trusted proxy.
        accepted_at_once: connections that are accepted before any of them is looked at.
    """

    head_seconds: float = 10.0
    body_seconds: float = 10.0
    request_seconds: float = 300.0
    stalled_seconds: float = 30.0
    connections: int = 1_000
    connections_per_address: int = 100
    accepted_at_once: int = 256

    def fit_open_files(self, open_files: int) -> "ConnectionLimits":
        """Return the limits for a process that may open so many files.

        Half of them are left for the database, the pictures, and newcomers that are turned away.
        """
        connections = max(min(self.connections, open_files // 2), 1)
        return replace(
            self,
            connections=connections,
            connections_per_address=max(min(self.connections_per_address, connections // 2), 1),
            accepted_at_once=max(min(self.accepted_at_once, open_files // 4), 1),
        )


DEFAULT_LIMITS = ConnectionLimits()


class ConnectionCounter:
    """The number of open connections, in all and of each address.

    If there are too many in all, one is cut that waits for a request and is of the address that has
    the most such, so that a few clients with many connections shut nobody else out.

    Args:
        limits: how many there may be.
        trusted_proxies: addresses or networks of which each connection may be another reader's.
    """

    def __init__(self, limits: ConnectionLimits, trusted_proxies: Iterable[str]) -> None:
        self._limits = limits
        self._proxies = [ipaddress.ip_network(network) for network in trusted_proxies]
        self._count = 0
        self._count_by_network: Counter[str] = Counter()
        # The longest waiting first.
        self._waiting_by_network: dict[str, dict[asyncio.Transport, None]] = {}

    def add(self, address: str, transport: asyncio.Transport) -> bool:
        """Count a connection, which waits for a request; return whether it is within the limits.

        Args:
            address: the client's IP address; empty for a local socket, which counts as a proxy.
            transport: the connection, which may be cut later to make room for another one.
        """
        network = self._get_network(address)
        self._count += 1
        self._count_by_network[network] += 1
        if network and self._count_by_network[network] > self._limits.connections_per_address:
            return False
        if self._count > self._limits.connections and not self._make_room():
            return False
        self.start_waiting(address, transport)
        return True

    def remove(self, address: str, transport: asyncio.Transport) -> None:
        """Stop counting a connection that ``add`` counted."""
        self.stop_waiting(address, transport)
        network = self._get_network(address)
        self._count -= 1
        self._count_by_network[network] -= 1
        if not self._count_by_network[network]:
            del self._count_by_network[network]

    def start_waiting(self, address: str, transport: asyncio.Transport) -> None:
        """Note that a connection waits for a request."""
        network = self._get_network(address)
        if network:  # those of a proxy are other readers' each
            self._waiting_by_network.setdefault(network, {})[transport] = None

    def stop_waiting(self, address: str, transport: asyncio.Transport) -> None:
        """Note that a connection has sent a request, or is closed."""
        network = self._get_network(address)
        waiting = self._waiting_by_network.get(network, {})
        waiting.pop(transport, None)
        if not waiting:
            self._waiting_by_network.pop(network, None)

    def _make_room(self) -> bool:
        """Cut a connection of the client with the most that wait; return whether there is one.

        A client of which only one waits may be any reader, and is left, and so is a connection to
        which the rest of a response is still being sent.
        """
        network, waiting = max(
            self._waiting_by_network.items(), key=lambda item: len(item[1]), default=("", {})
        )
        idle = (transport for transport in waiting if not transport.get_write_buffer_size())
        longest = next(idle, None)
        if len(waiting) <= 1 or longest is None:
            return False
        del self._waiting_by_network[network][longest]
        longest.abort()
        return True

    def _get_network(self, address: str) -> str:
        """Return what counts as one client; empty for a proxy."""
        ip = _parse_address(address)
        if not ip or any(ip in network for network in self._proxies):
            return ""
        return find_client_network(address)


def find_client_network(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or an IPv6 network of 64 bits.

    Args:
        address: an IP address; any other text is returned as it is.
    """
    ip = _parse_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((ip, _IPV6_PREFIX), strict=False))
    return str(ip or address)


def _parse_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip


def raise_open_file_limit() -> int:
    """Raise this process's limit on open files as far as needed; return the limit."""
    if sys.platform == "win32":
        return _WANTED_OPEN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _WANTED_OPEN_FILES
    wanted = _WANTED_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _WANTED_OPEN_FILES)
    if soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return soft


def limit_stalled_writes(listener: socket.socket, seconds: float) -> None:
    """Let the kernel close accepted connections whose client takes nothing for so long.

    TCP_USER_TIMEOUT (RFC 5482) is inherited by the connections. Only Linux has it; elsewhere such
    clients stay until the limit of the whole request.
    """
    if option := getattr(socket, "TCP_USER_TIMEOUT", None):
        listener.setsockopt(socket.IPPROTO_TCP, option, round(seconds * 1000))
