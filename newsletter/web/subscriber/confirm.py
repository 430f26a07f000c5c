"""The link in a confirmation: a page with one button. Only the button subscribes."""

import datetime
from typing import Any, NamedTuple

import itsdangerous
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from newsletter.db import read_transaction
from newsletter.db.schema import transactional_email
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.signup import confirm_signup, get_signup_status
from newsletter.web.http.request_data import RequestRefusedError, parse_form
from newsletter.web.site_context import Site
from newsletter.web.subscriber.transactional_emails import CONFIRM_PURPOSE, enqueue_welcome_email

JOURNAL_SOURCE = "/confirm"
# The button's; a program that sends an empty form has not pressed it.
BUTTON_VALUE = "yes"


class SignupConfirmation(NamedTuple):
    """The notice that a link belongs to.

    Attributes:
        id: the notice's.
        address: whose.
        data: as promised; ``used`` once the button was pressed.
    """

    id: int
    address: ParsedAddress
    data: dict[str, Any]


def routes(site: Site) -> list[BaseRoute]:
    """The page of the link, and its button."""

    def show(request: Request) -> Response:
        with read_transaction(site.engine) as connection:
            asked = _find_confirmation(site, connection, request, lock=False)
            now = get_signup_status(connection, asked.address.key) if asked else "new"
        return _render_state(site, asked, active=now == "active")

    def take(request: Request) -> Response:
        if parse_form(request).get(BUTTON_VALUE) != BUTTON_VALUE:
            return show(request)
        with site.engine.begin() as connection:
            asked = _find_confirmation(site, connection, request, lock=True)
            if asked is None or "used" in asked.data:
                now = get_signup_status(connection, asked.address.key) if asked else "new"
                return _render_state(site, asked, active=now == "active")
            _confirm(site, connection, asked)
        return site.pages.render_page("confirmed", private=True, already=False)

    return [
        Route("/confirm/{token}", show, methods=["GET"]),
        Route("/confirm/{token}", take, methods=["POST"]),
    ]


def _render_state(site: Site, confirmation: SignupConfirmation | None, *, active: bool) -> Response:
    """What there is to see before the button is pressed, or when it can't be any more."""
    if active:
        return site.pages.render_page("confirmed", private=True, already=True)
    if confirmation is None or "used" in confirmation.data:
        return site.pages.render_page("expired", status=410, private=True)
    return site.pages.render_page("confirm", private=True, wording=confirmation.data["wording"])


def _find_confirmation(
    site: Site, connection: sa.Connection, request: Request, *, lock: bool
) -> SignupConfirmation | None:
    """The notice of a good link; ``None`` if its time is over.

    Args:
        site: the newsletter.
        connection: in a transaction.
        request: with the link's token.
        lock: whether the link is going to be used.

    Raises:
        Refused: this newsletter made no such link.
    """
    signer = site.signer(CONFIRM_PURPOSE)
    try:
        number, made = signer.loads(request.path_params["token"], return_timestamp=True)
    except itsdangerous.BadData as error:
        raise RequestRefusedError(404) from error
    if site.clock() - made > datetime.timedelta(days=site.config.signup.confirm_days):
        return None
    mine = sa.select(transactional_email).where(
        transactional_email.c.id == number, transactional_email.c.kind == "confirm"
    )
    row = connection.execute(mine.with_for_update() if lock else mine).one_or_none()
    return (
        SignupConfirmation(row.id, ParsedAddress(row.address, row.address_key), row.data)
        if row
        else None
    )


def _confirm(site: Site, connection: sa.Connection, confirmation: SignupConfirmation) -> None:
    now = site.clock()
    origin = ChangeOrigin(now, "form", JOURNAL_SOURCE, confirmation.data["wording"])
    before = confirm_signup(
        connection, confirmation.address, origin, name=confirmation.data["name"]
    )
    used = {**confirmation.data, "used": now.isoformat()}
    connection.execute(
        sa.update(transactional_email)
        .where(transactional_email.c.id == confirmation.id)
        .values(data=used)
    )
    if before != "active":
        enqueue_welcome_email(site, connection, confirmation.address)
