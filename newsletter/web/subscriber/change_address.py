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
from newsletter.web.http.request_data import form
from newsletter.web.site_context import Site
from newsletter.web.subscriber.access_token import Visitor, masked, opened, sign
from newsletter.web.subscriber.transactional_emails import enqueue_email

MOVE = "move"
SOURCE = "/move"
# The button's; a program that sends an empty form has not pressed it.
YES = "yes"
# Who has mistyped the new address can ask again after so long.
PATIENCE = datetime.timedelta(hours=1)
_SIDES = {"from": address_change.c.old_agreed_at, "to": address_change.c.new_agreed_at}


def routes(site: Site) -> list[BaseRoute]:
    """The page that both letters link to, and its button."""

    def show(request: Request) -> Response:
        with read_transaction(site.engine) as connection:
            asked = _asked(site, connection, request)
        if asked is None:
            return site.pages.page("move_expired", status=410, private=True)
        return site.pages.page(
            "move", private=True, old=masked(asked.address), new=masked(asked.to)
        )

    def take(request: Request) -> Response:
        if form(request).get(YES) != YES:
            return show(request)
        with site.engine.begin() as connection:
            asked = _asked(site, connection, request)
            done = asked and _agree(connection, asked, site.clock())
        if not done:
            return site.pages.page("move_expired", status=410, private=True)
        return site.pages.page("moved", private=True, done=done == "moved")

    return [
        Route("/move/{signed}", show, methods=["GET"]),
        Route("/move/{signed}", take, methods=["POST"]),
    ]


def ask(site: Site, connection: sa.Connection, who: Visitor, to: ParsedAddress) -> bool:
    """Note a reader's wish and promise a letter to both addresses.

    Returns:
        Whether it was noted: not if they have asked for another address a moment ago.
    """
    now = site.clock()
    mine = address_change.c.subscriber_id == who.id
    last = connection.execute(sa.select(address_change).where(mine).with_for_update()).one_or_none()
    if last and last.asked_at > now - PATIENCE:
        return bool(last.address_key == to.key)
    connection.execute(sa.delete(address_change).where(mine))
    connection.execute(
        sa.insert(address_change).values(
            subscriber_id=who.id, address=to.address, address_key=to.key, asked_at=now
        )
    )
    window = datetime.timedelta(hours=site.config.signup.window_hours)
    old = ParsedAddress(who.address, who.key)
    enqueue_email(connection, "move_from", old, _letter(site, who, to, "from"), now, PATIENCE)
    may = changes.is_address_available(connection, to.key)
    enqueue_email(connection, "move_to", to, _letter(site, who, to, "to"), now, window, allowed=may)
    return True


class _Asked(NamedTuple):
    """A change of address that is asked for, and the side that a link speaks for."""

    id: int
    side: str
    address: str
    key: str
    to: str
    to_key: str


def _letter(site: Site, who: Visitor, to: ParsedAddress, side: str) -> dict[str, str]:
    days = datetime.timedelta(days=site.config.signup.confirm_days)
    signed = sign(site, MOVE, [who.id, to.key, side])
    return {
        "url": f"{get_public_url(site.config)}/move/{signed}",
        "until": (site.clock() + days).date().isoformat(),
        "address": to.address,
    }


def _asked(site: Site, connection: sa.Connection, request: Request) -> _Asked | None:
    """What a link is about; ``None`` if it is none of ours, or its time is over."""
    days = datetime.timedelta(days=site.config.signup.confirm_days)
    found = opened(site, MOVE, request.path_params["signed"], days)
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
            address_change.c.asked_at > site.clock() - days,
        )
    ).one_or_none()
    return _Asked(id_, side, *row) if row else None


def _agree(connection: sa.Connection, asked: _Asked, now: datetime.datetime) -> str:
    """One side says yes; with the other's it is done. ``""`` if it can't be any more."""
    mine = address_change.c.subscriber_id == asked.id
    connection.execute(sa.update(address_change).where(mine).values({_SIDES[asked.side]: now}))
    row = connection.execute(sa.select(address_change).where(mine)).one()
    if row.old_agreed_at is None or row.new_agreed_at is None:
        return "agreed"
    connection.execute(sa.delete(address_change).where(mine))
    to = ParsedAddress(asked.to, asked.to_key)
    try:
        changes.change_address(connection, asked.key, to, ChangeOrigin(now, "form", SOURCE))
    except SubscriberListError:
        return ""
    return "moved"
