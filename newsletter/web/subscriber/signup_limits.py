"""How often may somebody sign up: by internet address, by mailbox, and all together."""

import datetime
import ipaddress
from typing import Literal

import sqlalchemy as sa
from limits import RateLimitItemPerDay, RateLimitItemPerHour

from newsletter.db.rate_limit_storage import RateLimitTableStorage, consume_limit
from newsletter.subscribers.address import ParsedAddress
from newsletter.web.site_context import Site

# Who mistypes an address goes back and tries again; who replays a form does so for long.
MAX_FORM_USES = 5
# A home or a company has a network of so many bits (RFC 6177), and all its addresses.
_IPV6_PREFIX_LENGTH = 64
_DOT_INSENSITIVE_DOMAINS = {"gmail.com", "googlemail.com"}

SignupLimitResult = Literal["yes", "too_often", "worn", "silently"]


def count_signup(  # noqa: PLR0913 - what is counted
    connection: sa.Connection,
    site: Site,
    now: datetime.datetime,
    *,
    form_id: str,
    ip: str,
    address: ParsedAddress,
) -> SignupLimitResult:
    """Count a sign-up; whether it is within all limits.

    Args:
        connection: in a transaction that writes; to be rolled back unless ``yes`` or ``silently``.
        site: the newsletter.
        now: aware.
        form_id: the form's own mark.
        ip: the client's address.
        address: the address that is signed up.

    Returns:
        ``worn``: the form has been used too often. ``too_often``: tell them to come back later.
        ``silently``: the mailbox has had enough; nobody is told, as it isn't theirs to know.
    """
    storage = RateLimitTableStorage(connection, site.secret, now.timestamp())
    signup = site.config.signup
    if not consume_limit(storage, RateLimitItemPerDay(MAX_FORM_USES), "form", form_id):
        return "worn"
    if not consume_limit(storage, RateLimitItemPerHour(signup.per_ip_hour), "ip", normalize_ip(ip)):
        return "too_often"
    if not consume_limit(storage, RateLimitItemPerHour(signup.per_hour), "everybody"):
        return "too_often"
    fine = consume_limit(
        storage, RateLimitItemPerDay(signup.per_address_day), "mailbox", normalize_mailbox(address)
    )
    return "yes" if fine else "silently"


def normalize_ip(ip: str) -> str:
    """Whoever has this internet address has all of these."""
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
    """Where the mail ends up: without plus tags, and without dots where they make no difference.

    For limits alone: to the list, ``ada+news@`` and ``ada@`` are two readers.
    """
    local, _, domain = address.key.rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _DOT_INSENSITIVE_DOMAINS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"
