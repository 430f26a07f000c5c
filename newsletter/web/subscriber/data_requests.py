"""Download or erase a subscriber's data, confirmed by email.

Whoever was forwarded an issue has its reader's preferences link. So these two requests are
confirmed by an email to the address itself: its link opens a page whose button does it, once.
"""

import datetime
import logging
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import orjson
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from newsletter.db import read_transaction
from newsletter.db.schema import subscriber, transactional_email
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.consent.dry_run_erasure import erase_reader
from newsletter.subscribers.consent.suppressions import has_working_mailbox
from newsletter.subscribers.gdpr_export import find_profile, profile_to_dict
from newsletter.web.http.request_data import parse_form
from newsletter.web.page_templates import PRIVATE_HEADERS
from newsletter.web.site_context import Site
from newsletter.web.subscriber.access_token import (
    find_visitor,
    mask_address,
    unsign,
)
from newsletter.web.subscriber.requested_emails import enqueue_requested_email
from newsletter.web.subscriber.unsubscribe import render_unknown_token

# The button's value: a program that posts an empty form has not clicked it.
BUTTON_VALUE = "yes"
# If an email got lost, another can be requested after this time.
MIN_EMAIL_INTERVAL = datetime.timedelta(hours=1)

DataRequestKind = Literal["download", "erase"]

_log = logging.getLogger(__name__)


class DataRequest(NamedTuple):
    """A request that a link in an email confirms.

    Attributes:
        email_id: the id of the transactional email.
        email_data: the email's data; has ``used`` once the button was clicked.
        address: the subscriber's address.
    """

    email_id: int
    email_data: dict[str, Any]
    address: ParsedAddress


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes of the pages that the emails link to, and of their buttons."""
    return [*_make_routes(site, "download", _download), *_make_routes(site, "erase", _erase)]


def request_confirmation(site: Site, token: str, kind: DataRequestKind) -> Response:
    """Enqueue the email that confirms a request from the preferences page.

    The page says that it was sent, also if there was one within the last hour, or the mailbox was
    sent too many today. Nothing is sent to a mailbox that bounces. Whoever has unsubscribed or
    complained can be sent it, since they have requested it.
    """
    with site.engine.begin() as connection:
        visitor = find_visitor(connection, token, lock=True)
        if visitor is None:
            return render_unknown_token(site)
        is_reachable = has_working_mailbox(connection, visitor.address_key)
        enqueue_requested_email(
            site,
            connection,
            kind,
            ParsedAddress(visitor.address, visitor.address_key),
            {"subscriber_id": visitor.id},
            window=MIN_EMAIL_INTERVAL,
            allowed=is_reachable,
        )
    sender = site.config.sender
    return site.pages.render_page(
        "data_asked",
        private=True,
        kind=kind,
        sent=is_reachable,
        address=visitor.masked,
        contact=sender.reply_to or sender.address,
    )


def _make_routes(
    site: Site, kind: DataRequestKind, act: Callable[[Site, str], Response]
) -> list[BaseRoute]:
    def show(request: Request) -> Response:
        with read_transaction(site.engine) as connection:
            found = _find_request(site, connection, kind, request.path_params["signed"])
        if found is None:
            return _render_expired(site)
        return site.pages.render_page(
            "data_confirm", private=True, kind=kind, address=mask_address(found.address.address)
        )

    def submit(request: Request) -> Response:
        if parse_form(request).get(BUTTON_VALUE) != BUTTON_VALUE:
            return show(request)
        return act(site, request.path_params["signed"])

    path = f"/{kind}/{{signed}}"
    return [Route(path, show, methods=["GET"]), Route(path, submit, methods=["POST"])]


def _download(site: Site, signed: str) -> Response:
    """Return all data about the subscriber (GDPR, articles 15 and 20), except for the token."""
    with site.engine.begin() as connection:
        found = _find_request(site, connection, "download", signed, lock=True)
        if found is None:
            return _render_expired(site)
        data = profile_to_dict(find_profile(connection, found.address))
        used = {**found.email_data, "used": site.clock().isoformat()}
        is_email = transactional_email.c.id == found.email_id
        connection.execute(sa.update(transactional_email).where(is_email).values(data=used))
    headers = {**PRIVATE_HEADERS, "Content-Disposition": 'attachment; filename="my-data.json"'}
    body = orjson.dumps(data, option=orjson.OPT_INDENT_2)
    return Response(body, media_type="application/json", headers=headers)


def _erase(site: Site, signed: str) -> Response:
    with read_transaction(site.engine) as connection:
        found = _find_request(site, connection, "erase", signed)
    if found is None:
        return _render_expired(site)
    # Its email is erased as well, so that the link can't be used again.
    erasure = erase_reader(
        site.engine,
        site.project.build_dir,
        found.address.key,
        site.clock(),
        found.email_data["subscriber_id"],
    )
    if erasure.records is None:  # changed their address, or erased, a moment ago
        return _render_expired(site)
    for folder in erasure.unreachable:
        _log.warning("a reader was erased; could not look for them in %s", folder)
    return site.pages.render_page("forgotten", private=True)


def _render_expired(site: Site) -> Response:
    return site.pages.render_page("data_expired", status=410, private=True)


def _find_request(
    site: Site, connection: sa.Connection, kind: DataRequestKind, signed: str, *, lock: bool = False
) -> DataRequest | None:
    """Return the request that a valid link confirms.

    ``None`` if the link is forged, expired or used, or the subscriber has another address now.

    Args:
        site: the newsletter.
        connection: in a transaction.
        kind: what the link is for.
        signed: the signed id of the email, from the link.
        lock: whether to lock the email's row, since the link is going to be used.
    """
    lifetime = datetime.timedelta(days=site.config.signup.confirm_days)
    email_id = unsign(site, kind, signed, lifetime)
    if email_id is None:
        return None
    columns = transactional_email.c
    query = (
        sa.select(columns.data, subscriber.c.id, subscriber.c.address, subscriber.c.address_key)
        .join_from(transactional_email, subscriber, subscriber.c.address_key == columns.address_key)
        .where(columns.id == email_id, columns.kind == kind)
    )
    if lock:
        # Only the email's row: an erasure locks the subscriber before it deletes the email.
        query = query.with_for_update(of=transactional_email)
    row = connection.execute(query).one_or_none()
    if row is None or "used" in row.data or row.data["subscriber_id"] != row.id:
        return None
    return DataRequest(email_id, row.data, ParsedAddress(row.address, row.address_key))
