"""Rate limits of sign-ups: per form, IP address and site."""

import datetime
import ipaddress
from typing import Literal

import sqlalchemy as sa
from limits import RateLimitItemPerDay, RateLimitItemPerHour

from newsletter.db.rate_limit_storage import RateLimitTableStorage, consume_limit
from newsletter.web.site_context import Site

# Enough for a few corrected typos, too few for a replayed form.
MAX_FORM_USES = 5
# A home or a company gets a network of at least this size (RFC 6177), with all its addresses.
_IPV6_PREFIX_LENGTH = 64

SignupLimitResult = Literal["allowed", "form_reused", "ip_limit", "site_limit"]


def count_signup(
    connection: sa.Connection,
    site: Site,
    now: datetime.datetime,
    *,
    form_id: str,
    ip: str,
) -> SignupLimitResult:
    """Count a sign-up, and return whether it is within all limits.

    Args:
        connection: in a write transaction; roll it back unless ``allowed``.
        site: the newsletter.
        now: the current time, timezone-aware.
        form_id: the form's unique id.
        ip: the client's IP address.

    Returns:
        ``allowed``: within all limits. ``form_reused``: the form has been used too often.
        ``ip_limit``, ``site_limit``: the client should try again later.
    """
    storage = RateLimitTableStorage(connection, site.secret, now.timestamp())
    signup = site.config.signup
    if not consume_limit(storage, RateLimitItemPerDay(MAX_FORM_USES), "form", form_id):
        return "form_reused"
    if not consume_limit(storage, RateLimitItemPerHour(signup.per_ip_hour), "ip", normalize_ip(ip)):
        return "ip_limit"
    if not consume_limit(storage, RateLimitItemPerHour(signup.per_hour), "everybody"):
        return "site_limit"
    return "allowed"


def normalize_ip(ip: str) -> str:
    """Return the address or, for IPv6, the network that one client controls."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_PREFIX_LENGTH), strict=False))
