"""Recognize URLs of private networks and of the reader's own machine."""

from ipaddress import ip_address
from urllib.parse import urlsplit

_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".test", ".home.arpa", ".invalid")
_COMPANY_SUFFIXES = (".internal", ".invalid")  # no reader has a host of these names at home


def is_private_url(url: str) -> bool:
    """Return whether the URL alone shows that its host is not public."""
    if not url.lower().startswith("http"):
        return False
    name = _get_host_name(url)
    if name == "localhost" or name.endswith(_PRIVATE_SUFFIXES):
        return True
    try:
        return not ip_address(name).is_global
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
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
