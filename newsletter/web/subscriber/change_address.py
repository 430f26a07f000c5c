"""A reader's change of address: asked for on their page, done when both addresses have agreed.

The answer is the same whatever the list knows of the new address: a letter goes there only if
nobody has it, but that the page doesn't tell.
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
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.web.http.request_data import parse_form
from newsletter.web.site_context import Site
from newsletter.web.subscriber.access_token import Visitor, mask_address, sign, unsign
from newsletter.web.subscriber.transactional_emails import enqueue_email

LINK_PURPOSE = "move"
JOURNAL_SOURCE = "/move"
# The button's; a program that sends an empty form has not pressed it.
BUTTON_VALUE = "yes"
# Who has mistyped the new address can ask again after so long.
MIN_REQUEST_INTERVAL = datetime.timedelta(hours=1)
_AGREED_COLUMNS = {
    "from": address_change.c.old_confirmed_at,
    "to": address_change.c.new_confirmed_at,
}


def routes(site: Site) -> list[BaseRoute]:
    """The page that both letters link to, and its button."""

    def show(request: Request) -> Response:
        with read_transaction(site.engine) as connection:
            asked = _find_pending_change(site, connection, request)
        if asked is None:
            return site.pages.render_page("move_expired", status=410, private=True)
        return site.pages.render_page(
            "move",
            private=True,
            old=mask_address(asked.old_address),
            new=mask_address(asked.new_address),
        )

    def take(request: Request) -> Response:
        if parse_form(request).get(BUTTON_VALUE) != BUTTON_VALUE:
            return show(request)
        with site.engine.begin() as connection:
            asked = _find_pending_change(site, connection, request)
            done = asked and _record_agreement(connection, asked, site.clock())
        if not done:
            return site.pages.render_page("move_expired", status=410, private=True)
        return site.pages.render_page("moved", private=True, done=done == "moved")

    return [
        Route("/move/{signed}", show, methods=["GET"]),
        Route("/move/{signed}", take, methods=["POST"]),
    ]


def request_address_change(
    site: Site, connection: sa.Connection, visitor: Visitor, new_address: ParsedAddress
) -> bool:
    """Note a reader's wish and promise a letter to both addresses.

    Returns:
        Whether it was noted: not if they have asked for another address a moment ago.
    """
    now = site.clock()
    mine = address_change.c.subscriber_id == visitor.id
    last = connection.execute(sa.select(address_change).where(mine).with_for_update()).one_or_none()
    if last and last.requested_at > now - MIN_REQUEST_INTERVAL:
        return bool(last.address_key == new_address.key)
    connection.execute(sa.delete(address_change).where(mine))
    connection.execute(
        sa.insert(address_change).values(
            subscriber_id=visitor.id,
            address=new_address.address,
            address_key=new_address.key,
            requested_at=now,
        )
    )
    window = datetime.timedelta(hours=site.config.signup.window_hours)
    old = ParsedAddress(visitor.address, visitor.address_key)
    enqueue_email(
        connection,
        "move_from",
        old,
        _make_email_data(site, visitor, new_address, "from"),
        now,
        MIN_REQUEST_INTERVAL,
    )
    may = changes.is_address_available(connection, new_address.key)
    enqueue_email(
        connection,
        "move_to",
        new_address,
        _make_email_data(site, visitor, new_address, "to"),
        now,
        window,
        allowed=may,
    )
    return True


class _PendingChange(NamedTuple):
    """A change of address that is asked for, and the side that a link speaks for."""

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
    """What a link is about; ``None`` if it is none of ours, or its time is over."""
    days = datetime.timedelta(days=site.config.signup.confirm_days)
    found = unsign(site, LINK_PURPOSE, request.path_params["signed"], days)
    if found is None:
        return None
    id_, to_key, side = found
    row = connection.execute(
        sa.select(
            subscriber.c.address,
            subscriber.c.address_key,
            address_change.c.address,
            address_change.c.address_key,
        )
        .join_from(address_change, subscriber)
        .where(
            address_change.c.subscriber_id == id_,
            address_change.c.address_key == to_key,
            address_change.c.requested_at > site.clock() - days,
        )
    ).one_or_none()
    return _PendingChange(id_, side, *row) if row else None


def _record_agreement(
    connection: sa.Connection, pending: _PendingChange, now: datetime.datetime
) -> str:
    """One side says yes; with the other's it is done. ``""`` if it can't be any more."""
    mine = address_change.c.subscriber_id == pending.subscriber_id
    connection.execute(
        sa.update(address_change).where(mine).values({_AGREED_COLUMNS[pending.side]: now})
    )
    row = connection.execute(sa.select(address_change).where(mine)).one()
    if row.old_confirmed_at is None or row.new_confirmed_at is None:
        return "agreed"
    connection.execute(sa.delete(address_change).where(mine))
    to = ParsedAddress(pending.new_address, pending.new_key)
    try:
        changes.change_address(
            connection, pending.old_key, to, ChangeOrigin(now, "form", JOURNAL_SOURCE)
        )
    except SubscriberListError:
        return ""
    return "moved"
