"""Recognize URLs of private networks and of the reader's own machine."""

import re
import socket
from ipaddress import IPv4Address, ip_address
from urllib.parse import urlsplit

from newsletter.fetch.public_address import is_public_address

_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".test", ".home.arpa", ".invalid")
_COMPANY_SUFFIXES = (".internal", ".invalid")  # no reader has a host of these names at home
# ``127.1``, ``0x7f000001`` and ``2130706433`` are 127.0.0.1 to a browser (WHATWG URL 3.5).
_IPV4_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}")


def is_private_url(url: str) -> bool:
    """Return whether the URL alone shows that its host is not public."""
    if not url.lower().startswith("http"):
        return False
    name = _get_host_name(url)
    if name == "localhost" or name.endswith(_PRIVATE_SUFFIXES):
        return True
    try:
        return not is_public_address(name)
    except ValueError:
        return False


def is_loopback_url(url: str) -> bool:
    """Return whether the host is the reader's own machine."""
    name = _get_host_name(url)
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def is_company_url(url: str) -> bool:
    """Return whether the host has a name that only an organization's network knows."""
    return _get_host_name(url).endswith(_COMPANY_SUFFIXES)


def _get_host_name(url: str) -> str:
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
