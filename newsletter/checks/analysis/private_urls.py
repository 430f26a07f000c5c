"""Recognize URLs of private networks and of the reader's own machine."""

from newsletter.fetch.public_address import is_public_address
from newsletter.fetch.request_url import get_host_name

_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".test", ".home.arpa", ".invalid")
_COMPANY_SUFFIXES = (".internal", ".invalid")  # no reader has a host of these names at home


def is_private_url(url: str) -> bool:
    """Return whether the URL alone shows that its host is not public."""
    if not url.lower().startswith("http"):
        return False
    name = get_host_name(url)
    if name == "localhost" or name.endswith(_PRIVATE_SUFFIXES):
        return True
    try:
        return not is_public_address(name)
    except ValueError:
        return False


def is_company_url(url: str) -> bool:
    """Return whether the host has a name that only an organization's network knows."""
    return get_host_name(url).endswith(_COMPANY_SUFFIXES)
