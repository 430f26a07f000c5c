"""Rate limits of sign-ups: per form, IP address, mailbox and site."""

import datetime
import ipaddress
from typing import Literal

import sqlalchemy as sa
from limits import RateLimitItemPerDay, RateLimitItemPerHour

from newsletter.db.rate_limit_storage import RateLimitTableStorage, consume_limit
from newsletter.subscribers.address import ParsedAddress
from newsletter.web.site_context import Site

# Enough for a few corrected typos, too few for a replayed form.
MAX_FORM_USES = 5
# A home or a company gets a network of at least this size (RFC 6177), with all its addresses.
_IPV6_PREFIX_LENGTH = 64
_DOT_INSENSITIVE_DOMAINS = {"gmail.com", "googlemail.com"}

SignupLimitResult = Literal["allowed", "form_reused", "too_often", "mailbox_limit"]


def count_signup(  # noqa: PLR0913 - each is counted
    connection: sa.Connection,
    site: Site,
    now: datetime.datetime,
    *,
    form_id: str,
    ip: str,
    address: ParsedAddress,
) -> SignupLimitResult:
    """Count a sign-up, and return whether it is within all limits.

    Args:
        connection: in a write transaction; roll it back if ``form_reused`` or ``too_often``.
        site: the newsletter.
        now: the current time, timezone-aware.
        form_id: the form's unique id.
        ip: the client's IP address.
        address: the address that is signed up.

    Returns:
        ``allowed``: within all limits. ``form_reused``: the form has been used too often.
        ``too_often``: the client should try again later. ``mailbox_limit``: the mailbox is over
        its limit; the response must not reveal that, since it may be somebody else's mailbox.
    """
    storage = RateLimitTableStorage(connection, site.secret, now.timestamp())
    signup = site.config.signup
    if not consume_limit(storage, RateLimitItemPerDay(MAX_FORM_USES), "form", form_id):
        return "form_reused"
    if not consume_limit(storage, RateLimitItemPerHour(signup.per_ip_hour), "ip", normalize_ip(ip)):
        return "too_often"
    if not consume_limit(storage, RateLimitItemPerHour(signup.per_hour), "everybody"):
        return "too_often"
    is_within = consume_limit(
        storage, RateLimitItemPerDay(signup.per_address_day), "mailbox", normalize_mailbox(address)
    )
    return "allowed" if is_within else "mailbox_limit"


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


def normalize_mailbox(address: ParsedAddress) -> str:
    """Return the mailbox behind an address: no plus tag, no dots where they don't matter.

    For limits only: in the list, ``ada+news@`` and ``ada@`` are two subscribers.
    """
    local, _, domain = address.key.rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _DOT_INSENSITIVE_DOMAINS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"
