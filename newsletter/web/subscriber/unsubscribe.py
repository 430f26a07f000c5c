"""Unsubscribe: page with a button, one-click POST (RFC 8058), undo.

A GET changes nothing, since link scanners open every link of an email. The links never expire.
"""

import datetime
import re
from collections.abc import Mapping

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from newsletter.db import read_transaction
from newsletter.db.write_batcher import WriteBatcher
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.consent import changes, journal
from newsletter.subscribers.consent.erasure import lock_list
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.preferences import set_paused_until
from newsletter.subscribers.queries.unsubscribe_reasons import (
    UNSUBSCRIBE_REASONS,
    record_unsubscribe_reason,
)
from newsletter.web.http.request_data import get_raw_body, parse_form
from newsletter.web.site_context import Site
from newsletter.web.subscriber.access_token import Visitor, find_visitor, sign, unsign

UNSUBSCRIBE_PURPOSE, UNDO_PURPOSE, REASON_PURPOSE = "leave", "undo", "why"
JOURNAL_SOURCE = "/u"
ONE_CLICK_FIELD, ONE_CLICK_VALUE = "List-Unsubscribe", "One-Click"
_URLENCODED_BODY = f"{ONE_CLICK_FIELD}={ONE_CLICK_VALUE}".encode()
# RFC 2046, section 5.1.1: a boundary has up to 70 of these characters.
_BOUNDARY = re.compile(
    r""";\s*boundary=("?)(?P<boundary>[\w'()+,./:=? -]{1,70}?)\1\s*(?:;|$)""",
    re.ASCII | re.IGNORECASE,
)
_ONE_CLICK_DISPOSITION = re.compile(
    rb"""\s*(?i:form-data)\s*;\s*(?i:name)\s*=\s*("?)"""
    + ONE_CLICK_FIELD.encode()
    + rb"""\1\s*;?\s*"""
)
UNDO_WINDOW = datetime.timedelta(minutes=30)
# Offered after unsubscribing, for those who want fewer emails, not none.
PAUSE_INSTEAD = datetime.timedelta(days=91)


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes of the page behind every email's unsubscribe link, and of its forms."""
    # A send reaches thousands at once, so one-click unsubscribes come in bursts.
    batcher = WriteBatcher(site.engine)

    def show(request: Request) -> Response:
        with read_transaction(site.engine) as connection:
            visitor = find_visitor(connection, request.path_params["token"])
        if visitor is None:
            return render_unknown_token(site)
        signed = sign(site, UNSUBSCRIBE_PURPOSE, visitor.token)
        return site.pages.render_page("leave", private=True, who=visitor, signed=signed)

    def submit(request: Request) -> Response:
        token = request.path_params["token"]
        if is_one_click_request(request.headers.get("content-type", ""), get_raw_body(request)):
            return _unsubscribe_one_click(site, batcher, token)
        fields = parse_form(request)
        if unsign(site, UNSUBSCRIBE_PURPOSE, fields.get("leave", ""), max_age=None) == token:
            return _unsubscribe(site, token)
        if undo := unsign(site, UNDO_PURPOSE, fields.get("undo", ""), UNDO_WINDOW):
            return _undo_unsubscribe(site, token, undo, paused="pause" in fields)
        if unsign(site, REASON_PURPOSE, fields.get("signed", ""), UNDO_WINDOW) == token:
            return _record_reason(site, fields)
        return site.pages.render_page("leave_odd", status=400, private=True)

    return [
        Route("/u/{token}", show, methods=["GET"]),
        Route("/u/{token}", submit, methods=["POST"]),
    ]


def render_unknown_token(site: Site) -> Response:
    """Render a 404 for an unknown token: never issued, replaced, or its subscriber was erased."""
    sender = site.config.sender
    return site.pages.render_page(
        "nobody", status=404, private=True, contact=sender.reply_to or sender.address
    )


def _unsubscribe_one_click(site: Site, batcher: WriteBatcher, token: str) -> Response:
    def write(connection: sa.Connection) -> bool:
        visitor = find_visitor(connection, token, lock=True)
        if visitor is not None:
            changes.unsubscribe(
                connection,
                visitor.address_key,
                ChangeOrigin(site.clock(), "one_click", JOURNAL_SOURCE),
            )
        return visitor is not None

    if not batcher.run(write):
        return render_unknown_token(site)
    return PlainTextResponse("Unsubscribed.\n", headers={"Cache-Control": "no-store"})


def _unsubscribe(site: Site, token: str) -> Response:
    now = site.clock()
    with site.engine.begin() as connection:
        visitor = find_visitor(connection, token, lock=True)
        if visitor is None:
            return render_unknown_token(site)
        was_mailable = visitor.is_mailable
        changes.unsubscribe(
            connection, visitor.address_key, ChangeOrigin(now, "form", JOURNAL_SOURCE)
        )
    undo = sign(site, UNDO_PURPOSE, [token, now.isoformat()]) if was_mailable else ""
    return site.pages.render_page(
        "left",
        private=True,
        who=visitor,
        undo=undo,
        signed=sign(site, REASON_PURPOSE, token),
        reasons=UNSUBSCRIBE_REASONS,
    )


def _undo_unsubscribe(site: Site, token: str, undo: list[str], *, paused: bool) -> Response:
    """Resubscribe somebody who has just unsubscribed, unless anything has changed since."""
    now = site.clock()
    with site.engine.begin() as connection:
        # Before the subscriber's row: an erasure locks in this order.
        lock_list(connection)
        visitor = find_visitor(connection, token, lock=True)
        if visitor is None:
            return render_unknown_token(site)
        if undo[0] != token or not _has_just_unsubscribed(connection, visitor, undo[1]):
            return site.pages.render_page("leave_odd", status=400, private=True)
        origin = ChangeOrigin(now, "form", JOURNAL_SOURCE, "undo")
        changes.resubscribe(
            connection, ParsedAddress(visitor.address, visitor.address_key), "active", origin
        )
        until = now + PAUSE_INSTEAD if paused else visitor.paused_until
        if until:
            set_paused_until(connection, visitor.id, until, now)
    return site.pages.render_page("undone", private=True, who=visitor, paused=paused)


def _has_just_unsubscribed(
    connection: sa.Connection, visitor: Visitor, unsubscribed_at: str
) -> bool:
    """Whether the unsubscribe at that moment is the subscriber's latest change."""
    latest = journal.load_journal(connection, visitor.id)[-1]
    return (latest.change, latest.at.isoformat()) == (
        "unsubscribed",
        unsubscribed_at,
    ) and not visitor.suppressed


def _record_reason(site: Site, fields: Mapping[str, str]) -> Response:
    reason = fields.get("reason", "")
    if reason in UNSUBSCRIBE_REASONS:
        with site.engine.begin() as connection:
            record_unsubscribe_reason(connection, reason, site.clock())
    return site.pages.render_page("thanks", private=True)


def is_one_click_request(content_type: str, body: bytes) -> bool:
    """Whether a POST is a one-click unsubscribe (RFC 8058).

    Args:
        content_type: the request's header, may be empty.
        body: the whole body.
    """
    media_type = content_type.partition(";")[0].strip().casefold()
    if media_type == "application/x-www-form-urlencoded":
        return body == _URLENCODED_BODY
    return media_type == "multipart/form-data" and _has_one_click_field(content_type, body)


def _has_one_click_field(content_type: str, body: bytes) -> bool:
    """Whether a multipart/form-data body (RFC 7578) has the one-click field and no other.

    By pattern: the standard library's mail parser raises errors of all kinds on hostile headers.
    """
    boundary = _BOUNDARY.search(content_type)
    if not boundary:
        return False
    delimiter = re.escape(b"--" + boundary["boundary"].encode())
    only_part = re.fullmatch(
        rb"\s*"
        + delimiter
        + rb"\r?\n(?P<headers>(?:[^\r\n]+\r?\n)+)\r?\n"
        + ONE_CLICK_VALUE.encode()
        + rb"\r?\n"
        + delimiter
        + rb"--\s*",
        body,
    )
    if not only_part:
        return False
    headers = [line.partition(b":") for line in only_part["headers"].splitlines()]
    dispositions = [
        value for name, _, value in headers if name.strip().lower() == b"content-disposition"
    ]
    return len(dispositions) == 1 and bool(_ONE_CLICK_DISPOSITION.fullmatch(dispositions[0]))
