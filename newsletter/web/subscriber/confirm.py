"""Confirm a sign-up (double opt-in): the page behind the link, its button.

Only the button subscribes: link scanners open every link.
"""

import datetime
from collections.abc import Mapping
from typing import Any, NamedTuple

import itsdangerous
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from newsletter.db import read_transaction
from newsletter.db.schema import subscriber, transactional_email
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.consent.erasure import lock_list
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.signup import confirm_signup, get_signup_status
from newsletter.web.consent_wording import (
    confirm_tracking_answer,
    get_agreed_question,
)
from newsletter.web.http.request_data import RequestRefusedError, parse_form
from newsletter.web.site_context import Site
from newsletter.web.subscriber.newsletter_facts import FactsReader
from newsletter.web.subscriber.transactional_emails import CONFIRM_PURPOSE, enqueue_welcome_email

JOURNAL_SOURCE = "/confirm"
# The button's value: a program that posts an empty form has not clicked it.
BUTTON_VALUE = "yes"


class SignupConfirmation(NamedTuple):
    """The confirmation email that a link belongs to.

    Attributes:
        id: the transactional email's id.
        address: the address that is signed up.
        data: the sign-up's data; has ``used`` once the button was clicked.
    """

    id: int
    address: ParsedAddress
    data: dict[str, Any]


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes of the confirmation page and its button."""
    facts = FactsReader(site)

    def show(request: Request) -> Response:
        with read_transaction(site.engine) as connection:
            confirmation = _find_confirmation(site, connection, request, lock=False)
            status = (
                get_signup_status(connection, confirmation.address.key) if confirmation else "new"
            )
        return render_state(confirmation, active=status == "active")

    def submit(request: Request) -> Response:
        fields = parse_form(request)
        if fields.get(BUTTON_VALUE) != BUTTON_VALUE:
            return show(request)
        with site.engine.begin() as connection:
            # Before the email's row: an erasure, which deletes it, locks in this order.
            lock_list(connection)
            confirmation = _find_confirmation(site, connection, request, lock=True)
            is_used = confirmation is None or "used" in confirmation.data
            if confirmation is not None and not is_used:
                _confirm(site, connection, confirmation, fields)
            status = (
                get_signup_status(connection, confirmation.address.key) if confirmation else "new"
            )
        if confirmation is not None and not is_used:
            return render_confirmed(confirmation.address.key, already=False)
        return render_state(confirmation, active=status == "active")

    def render_state(confirmation: SignupConfirmation | None, *, active: bool) -> Response:
        """Render the page with the button, or one that explains why the link no longer works."""
        if active and confirmation:
            return render_confirmed(confirmation.address.key, already=True)
        if confirmation is None or "used" in confirmation.data:
            return site.pages.render_page("expired", status=410, private=True)
        return site.pages.render_page(
            "confirm",
            private=True,
            wording=confirmation.data["wording"],
            tracking=get_agreed_question(confirmation.data),
        )

    def render_confirmed(key: str, *, already: bool) -> Response:
        """Render that the reader is subscribed, and what they can do next.

        A link that was used before leads to no preferences page: the reader may have been given
        another token since, because the emails with their links were forwarded.
        """
        with read_transaction(site.engine) as connection:
            query = sa.select(subscriber.c.token).where(subscriber.c.address_key == key)
            token = None if already else connection.scalar(query)
        return site.pages.render_page(
            "confirmed",
            private=True,
            already=already,
            token=token,
            sender=site.config.sender.address,
            facts=facts.read(),
        )

    return [
        Route("/confirm/{token}", show, methods=["GET"]),
        Route("/confirm/{token}", submit, methods=["POST"]),
    ]


def _find_confirmation(
    site: Site, connection: sa.Connection, request: Request, *, lock: bool
) -> SignupConfirmation | None:
    """Return the confirmation that a valid link belongs to; ``None`` if the link has expired.

    Args:
        site: the newsletter.
        connection: in a transaction.
        request: has the link's token in its path.
        lock: whether to lock the row, since the link is going to be used.

    Raises:
        RequestRefusedError: the token is not one of this newsletter's.
    """
    signer = site.signer(CONFIRM_PURPOSE)
    try:
        email_id, signed_at = signer.loads(request.path_params["token"], return_timestamp=True)
    except itsdangerous.BadData as error:
        raise RequestRefusedError(404) from error
    if site.clock() - signed_at > datetime.timedelta(days=site.config.signup.confirm_days):
        return None
    query = sa.select(transactional_email).where(
        transactional_email.c.id == email_id, transactional_email.c.kind == "confirm"
    )
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return (
        SignupConfirmation(row.id, ParsedAddress(row.address, row.address_key), row.data)
        if row
        else None
    )


def _confirm(
    site: Site,
    connection: sa.Connection,
    confirmation: SignupConfirmation,
    fields: Mapping[str, str],
) -> None:
    now = site.clock()
    origin = ChangeOrigin(now, "form", JOURNAL_SOURCE, confirmation.data["wording"])
    previous_status = confirm_signup(
        connection,
        confirmation.address,
        origin,
        name=confirmation.data["name"],
        tracking=confirm_tracking_answer(confirmation.data, fields),
    )
    data = {**confirmation.data, "used": now.isoformat()}
    connection.execute(
        sa.update(transactional_email)
        .where(transactional_email.c.id == confirmation.id)
        .values(data=data)
    )
    if previous_status != "active":
        enqueue_welcome_email(site, connection, confirmation.address, site.pages.language)
