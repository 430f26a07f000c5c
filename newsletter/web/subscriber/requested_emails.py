"""Enqueue the emails that strangers can request, within one limit.

Anybody can enter any address in a form, and whoever was forwarded an issue has its reader's
preferences link. So all these emails to one mailbox share one limit, ``signup.per_address_day``.
"""

import datetime
from collections.abc import Mapping
from typing import Any, Literal

import sqlalchemy as sa
from limits import RateLimitItem, RateLimitItemPerDay

from newsletter.db.rate_limit_storage import RateLimitTableStorage, consume_limit, refund_limit
from newsletter.sending.transactional_queue import enqueue_email
from newsletter.subscribers.address import ParsedAddress
from newsletter.web.site_context import Site

# In an email's data, the language of the page on which it was requested.
LANGUAGE_KEY = "language"
_DOT_INSENSITIVE_DOMAINS = {"gmail.com", "googlemail.com"}

RequestedKind = Literal["confirm", "move_from", "move_to", "download", "erase"]
EnqueueResult = Literal["enqueued", "not_enqueued", "mailbox_limit"]


def enqueue_requested_email(  # noqa: PLR0913 - what an email is made of
    site: Site,
    connection: sa.Connection,
    kind: RequestedKind,
    address: ParsedAddress,
    data: Mapping[str, Any],
    *,
    window: datetime.timedelta,
    allowed: bool = True,
) -> EnqueueResult:
    """Enqueue an email, unless its mailbox has been sent too many today.

    Only an email that is enqueued counts. The same statements are executed whatever the result, so
    that timing reveals nothing; nor must the response.

    Args:
        site: the newsletter.
        connection: in a transaction that writes.
        kind: which email.
        address: the recipient's address.
        data: what is needed to render it; JSON.
        window: at most one email of the kind to the address in any period of that length.
        allowed: if false, nothing is enqueued.

    Returns:
        ``enqueued``; ``mailbox_limit``: the mailbox is over its limit; ``not_enqueued``: not
        allowed, or there was one in the window.
    """
    now = site.clock()
    storage, limit, names = _open_mailbox_limit(site, connection, address, now)
    within_limit = consume_limit(storage, limit, *names)
    data = {**data, LANGUAGE_KEY: site.pages.language}
    is_enqueued = enqueue_email(
        connection, kind, address, data, now, window, allowed=allowed and within_limit
    )
    hits = 0 if is_enqueued else 1
    refund_limit(storage, limit, *names, counted_at=now.timestamp(), hits=hits)
    if is_enqueued:
        return "enqueued"
    return "not_enqueued" if within_limit else "mailbox_limit"


def refund_requested_email(
    site: Site, connection: sa.Connection, address: ParsedAddress, enqueued_at: datetime.datetime
) -> None:
    """Take an email that was dropped instead of sent from its mailbox's count."""
    storage, limit, names = _open_mailbox_limit(site, connection, address, site.clock())
    refund_limit(storage, limit, *names, counted_at=enqueued_at.timestamp())


def normalize_mailbox(address: ParsedAddress) -> str:
    """Return the mailbox behind an address: no plus tag, no dots where they don't matter.

    For limits only: in the list, ``ada+news@`` and ``ada@`` are two subscribers.
    """
    local, _, domain = address.key.rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _DOT_INSENSITIVE_DOMAINS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def _open_mailbox_limit(
    site: Site, connection: sa.Connection, address: ParsedAddress, now: datetime.datetime
) -> tuple[RateLimitTableStorage, RateLimitItem, tuple[str, str]]:
    """Return the storage, the limit and the names of the mailbox's count."""
    storage = RateLimitTableStorage(connection, site.secret, now.timestamp())
    limit = RateLimitItemPerDay(site.config.signup.per_address_day)
    return storage, limit, ("mailbox", normalize_mailbox(address))
