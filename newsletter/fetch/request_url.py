"""Read a URL as it is requested: its host, its port, in ASCII. Pure."""

import re
import socket
from ipaddress import IPv4Address, ip_address
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from newsletter.url_secrets import mask_url_secrets

_PORTS = {"http": 80, "https": 443}
_MAX_SHOWN = 300  # characters
_ASCII = "".join(map(chr, range(0x21, 0x7F)))
# ``127.1``, ``0x7f000001`` and ``2130706433`` are 127.0.0.1 to a browser (WHATWG URL 3.5).
_IPV4_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}")


def get_host_name(url: str) -> str:
    """Return the host's name, without the root's dot; an IPv4 number in its usual form."""
    try:
        name = (urlsplit(url).hostname or "").removesuffix(".")
    except ValueError:
        return ""
    if _IPV4_NUMBER.fullmatch(name):
        try:
            return str(IPv4Address(socket.inet_aton(name)))
        except OSError:  # a part is too large
            return name
    return name


def is_loopback_url(url: str) -> bool:
    """Return whether the host is this machine: ``localhost``, ``127.0.0.1``, ``[::1]``."""
    name = get_host_name(url)
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 6.3
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def encode_url(url: str, base_url: str = "") -> str:
    """Return a URL, relative to another one perhaps, in ASCII and without a fragment.

    Raises:
        ValueError: it is not valid, not http or https, or holds a password; its text says which,
            after "it is".
    """
    try:
        parts = urlsplit(urldefrag(urljoin(base_url, url.strip())).url)
        port = parts.port
    except ValueError:
        raise ValueError("not a valid URL") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("not an http or https URL")
    if "@" in parts.netloc:
        raise ValueError("a URL with a user name or password")
    host = parts.hostname
    try:
        host = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        raise ValueError("not a valid URL") from None
    host = f"[{host}]" if ":" in host else quote(host, safe=_ASCII)
    return parts._replace(
        netloc=host if port is None else f"{host}:{port}",
        path=quote(parts.path, safe=_ASCII) or "/",
        query=quote(parts.query, safe=_ASCII),
    ).geturl()


def encode_location(location: str) -> str:
    """Return a ``Location`` header, whose bytes are read as Latin-1, in ASCII."""
    return quote(location.strip().encode("latin-1", "replace"), safe=_ASCII)


def encode_for_message(url: str) -> str:
    """Return a URL, which may be invalid, as it can be shown: in ASCII, without its secrets."""
    scheme, slashes, rest = url.strip().partition("://") if "://" in url else ("", "", url.strip())
    authority, slash, path = rest.partition("/")
    shown = mask_url_secrets(f"{scheme}{slashes}{authority.rpartition('@')[2]}{slash}{path}")
    clipped = shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}..."
    return quote(clipped, safe=_ASCII)


def is_allowed_port(url: str, typed_url: str) -> bool:
    """Return whether a URL has a website's port, or the host and port that somebody typed."""
    parts, typed = urlsplit(url), urlsplit(typed_url)
    port = parts.port or _PORTS[parts.scheme]
    is_same_host = parts.hostname == typed.hostname or (
        is_loopback_url(url) and is_loopback_url(typed_url)
    )
    return port in _PORTS.values() or (is_same_host and port == typed.port)
