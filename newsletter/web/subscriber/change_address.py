"""Change a subscriber's address once both addresses have confirmed it.

The response is the same whether or not the new address is on the list: an email is sent there only
if it is available, but the page doesn't reveal that.
"""

import datetime
from typing import NamedTuple

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from newsletter.config.urls import get_public_url
from newsletter.db import read_transaction
from newsletter.db.schema import address_change, subscriber
from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.erasure import lock_list
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.web.http.request_data import parse_form
from newsletter.web.site_context import Site
from newsletter.web.subscriber.access_token import (
    Visitor,
    mask_address,
    sign,
    unsign,
)
from newsletter.web.subscriber.requested_emails import (
    RequestedKind,
    enqueue_requested_email,
    normalize_mailbox,
)

LINK_PURPOSE = "move"
JOURNAL_SOURCE = "/move"
# The button's value: a program that posts an empty form has not clicked it.
BUTTON_VALUE = "yes"
# After a typo in the new address, another change can be requested after this time.
MIN_REQUEST_INTERVAL = datetime.timedelta(hours=1)
_CONFIRMED_COLUMNS = {
    "from": address_change.c.old_confirmed_at,
    "to": address_change.c.new_confirmed_at,
}


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes of the page that both emails link to, and of its button."""

    def show(request: Request) -> Response:
        with read_transaction(site.engine) as connection:
            pending = _find_pending_change(site, connection, request)
        if pending is None:
            return site.pages.render_page("move_expired", status=410, private=True)
        return site.pages.render_page(
            "move",
            private=True,
            old=mask_address(pending.old_address),
            new=mask_address(pending.new_address),
        )

    def submit(request: Request) -> Response:
        if parse_form(request).get(BUTTON_VALUE) != BUTTON_VALUE:
            return show(request)
        with site.engine.begin() as connection:
            # Before the rows: an erasure locks in this order.
            lock_list(connection)
            pending = _find_pending_change(site, connection, request)
            result = pending and _record_confirmation(connection, pending, site.clock())
        if not result:
            return site.pages.render_page("move_expired", status=410, private=True)
        return site.pages.render_page("moved", private=True, done=result == "moved")

    return [
        Route("/move/{signed}", show, methods=["GET"]),
        Route("/move/{signed}", submit, methods=["POST"]),
    ]


def request_address_change(
    site: Site, connection: sa.Connection, visitor: Visitor, new_address: ParsedAddress
) -> bool:
    """Record a requested change and enqueue emails to both addresses.

    Returns:
        Whether it was recorded: not if another address was requested within the last hour.
    """
    now = site.clock()
    is_own = address_change.c.subscriber_id == visitor.id
    previous = connection.execute(
        sa.select(address_change).where(is_own).with_for_update()
    ).one_or_none()
    if previous and previous.requested_at > now - MIN_REQUEST_INTERVAL:
        return bool(previous.address_key == new_address.key)
    connection.execute(sa.delete(address_change).where(is_own))
    connection.execute(
        sa.insert(address_change).values(
            subscriber_id=visitor.id,
            address=new_address.address,
            address_key=new_address.key,
            requested_at=now,
        )
    )
    window = datetime.timedelta(hours=site.config.signup.window_hours)
    old_address = ParsedAddress(visitor.address, visitor.address_key)
    is_available = changes.is_address_available(connection, new_address.key)
    emails: list[tuple[RequestedKind, ParsedAddress, datetime.timedelta, bool]] = [
        ("move_from", old_address, MIN_REQUEST_INTERVAL, True),
        ("move_to", new_address, window, is_available),
    ]
    # Always in the same order, since each mailbox's count is locked until the commit.
    for kind, address, interval, allowed in sorted(emails, key=lambda e: normalize_mailbox(e[1])):
        data = _make_email_data(site, visitor, new_address, kind.removeprefix("move_"))
        enqueue_requested_email(
            site, connection, kind, address, data, window=interval, allowed=allowed
        )
    return True


class _PendingChange(NamedTuple):
    """A requested change of address, and the side (``from`` or ``to``) that a link confirms."""

    subscriber_id: int
    side: str
    old_address: str
    old_key: str
    new_address: str
    new_key: str


def _make_email_data(
    site: Site, visitor: Visitor, new_address: ParsedAddress, side: str
) -> dict[str, str]:
    days = datetime.timedelta(days=site.config.signup.confirm_days)
    signed = sign(site, LINK_PURPOSE, [visitor.id, new_address.key, side])
    return {
        "url": f"{get_public_url(site.config)}/move/{signed}",
        "until": (site.clock() + days).date().isoformat(),
        "address": new_address.address,
    }


def _find_pending_change(
    site: Site, connection: sa.Connection, request: Request
) -> _PendingChange | None:
    """Return the change that a link confirms; ``None`` if the link is forged or has expired."""
    days = datetime.timedelta(days=site.config.signup.confirm_days)
    value = unsign(site, LINK_PURPOSE, request.path_params["signed"], days)
    if value is None:
        return None
    subscriber_id, new_key, side = value
    row = connection.execute(
        sa.select(
            subscriber.c.address,
            subscriber.c.address_key,
            address_change.c.address,
            address_change.c.address_key,
        )
        .join_from(address_change, subscriber)
        .where(
            address_change.c.subscriber_id == subscriber_id,
            address_change.c.address_key == new_key,
            address_change.c.requested_at > site.clock() - days,
        )
    ).one_or_none()
    return _PendingChange(subscriber_id, side, *row) if row else None


def _record_confirmation(
    connection: sa.Connection, pending: _PendingChange, now: datetime.datetime
) -> str:
    """Record one side's confirmation; change the address once both sides have confirmed.

    Returns:
        ``agreed`` if the other side has yet to confirm, ``moved`` if the address was changed, and
        ``""`` if it can't be changed any more.
    """
    # As find_visitor does for a request: of this subscriber, another one is not recorded meanwhile.
    is_theirs = subscriber.c.id == pending.subscriber_id
    connection.execute(sa.select(subscriber.c.id).where(is_theirs).with_for_update())
    is_own = sa.and_(
        address_change.c.subscriber_id == pending.subscriber_id,
        address_change.c.address_key == pending.new_key,
    )
    connection.execute(
        sa.update(address_change).where(is_own).values({_CONFIRMED_COLUMNS[pending.side]: now})
    )
    row = connection.execute(sa.select(address_change).where(is_own)).one_or_none()
    if row is None:  # another address was requested a moment ago
        return ""
    if row.old_confirmed_at is None or row.new_confirmed_at is None:
        return "agreed"
    connection.execute(sa.delete(address_change).where(is_own))
    new_address = ParsedAddress(pending.new_address, pending.new_key)
    try:
        changes.change_address(
            connection, pending.old_key, new_address, ChangeOrigin(now, "form", JOURNAL_SOURCE)
        )
    except SubscriberListError:
        return ""
    return "moved"
