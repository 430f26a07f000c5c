"""Leaving: a page with one button, the mail program's one click (RFC 8058), and the way back.

A GET changes nothing, since scanners follow every link of a mail. The links never expire.
"""

import datetime
from collections.abc import Mapping
from email.parser import BytesParser
from email.policy import HTTP

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from newsletter.db import read_transaction
from newsletter.db.write_batcher import WriteBatcher
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.consent import changes, journal
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.preferences import set_paused_until
from newsletter.subscribers.queries.unsubscribe_reasons import (
    UNSUBSCRIBE_REASONS,
    record_unsubscribe_reason,
)
from newsletter.web.http.request_data import get_raw_body, parse_form
from newsletter.web.site_context import Site, run_inline_on_sqlite
from newsletter.web.subscriber.access_token import Visitor, find_visitor, sign, unsign

UNSUBSCRIBE_PURPOSE, UNDO_PURPOSE, REASON_PURPOSE = "leave", "undo", "why"
JOURNAL_SOURCE = "/u"
UNDO_WINDOW = datetime.timedelta(minutes=30)
# For whoever finds that they wanted fewer, not none.
PAUSE_INSTEAD = datetime.timedelta(days=91)


def routes(site: Site) -> list[BaseRoute]:
    """The page behind every mail's unsubscribe link, and what is posted there."""
    # A mail goes to thousands at once, and so come those who leave.
    together = WriteBatcher(site.engine)

    def show(request: Request) -> Response:
        with read_transaction(site.engine) as connection:
            who = find_visitor(connection, request.path_params["token"])
        if who is None:
            return render_unknown_token(site)
        signed = sign(site, UNSUBSCRIBE_PURPOSE, who.token)
        return site.pages.render_page("leave", private=True, who=who, signed=signed)

    def take(request: Request) -> Response:
        token = request.path_params["token"]
        if is_one_click_request(request.headers.get("content-type", ""), get_raw_body(request)):
            return _unsubscribe_one_click(site, together, token)
        fields = parse_form(request)
        if unsign(site, UNSUBSCRIBE_PURPOSE, fields.get("leave", ""), max_age=None) == token:
            return _unsubscribe(site, token)
        if undo := unsign(site, UNDO_PURPOSE, fields.get("undo", ""), UNDO_WINDOW):
            return _undo_unsubscribe(site, token, undo, paused="pause" in fields)
        if unsign(site, REASON_PURPOSE, fields.get("signed", ""), UNDO_WINDOW) == token:
            return _record_reason(site, fields)
        return site.pages.render_page("leave_odd", status=400, private=True)

    return [
        Route("/u/{token}", run_inline_on_sqlite(site, show), methods=["GET"]),
        Route("/u/{token}", take, methods=["POST"]),
    ]


def render_unknown_token(site: Site) -> Response:
    """For a token that is nobody's: never was, has been replaced, or its reader was erased."""
    sender = site.config.sender
    return site.pages.render_page(
        "nobody", status=404, private=True, contact=sender.reply_to or sender.address
    )


def _unsubscribe_one_click(site: Site, batcher: WriteBatcher, token: str) -> Response:
    def write(connection: sa.Connection) -> bool:
        who = find_visitor(connection, token)
        if who is not None:
            changes.unsubscribe(
                connection, who.address_key, ChangeOrigin(site.clock(), "one_click", JOURNAL_SOURCE)
            )
        return who is not None

    if not batcher.run(write):
        return render_unknown_token(site)
    return PlainTextResponse("Unsubscribed.\n", headers={"Cache-Control": "no-store"})


def _unsubscribe(site: Site, token: str) -> Response:
    now = site.clock()
    with site.engine.begin() as connection:
        who = find_visitor(connection, token)
        if who is None:
            return render_unknown_token(site)
        was_reader = who.is_mailable
        changes.unsubscribe(connection, who.address_key, ChangeOrigin(now, "form", JOURNAL_SOURCE))
    undo = sign(site, UNDO_PURPOSE, [token, now.isoformat()]) if was_reader else ""
    return site.pages.render_page(
        "left",
        private=True,
        who=who,
        undo=undo,
        signed=sign(site, REASON_PURPOSE, token),
        reasons=UNSUBSCRIBE_REASONS,
    )


def _undo_unsubscribe(site: Site, token: str, undo: list[str], *, paused: bool) -> Response:
    """Bring somebody back who has just left by the button, unless anything happened since."""
    now = site.clock()
    with site.engine.begin() as connection:
        who = find_visitor(connection, token)
        if who is None:
            return render_unknown_token(site)
        if undo[0] != token or not _has_just_unsubscribed(connection, who, undo[1]):
            return site.pages.render_page("leave_odd", status=400, private=True)
        origin = ChangeOrigin(now, "form", JOURNAL_SOURCE, "undo")
        changes.resubscribe(
            connection, ParsedAddress(who.address, who.address_key), "active", origin
        )
        until = now + PAUSE_INSTEAD if paused else who.paused_until
        if until:
            set_paused_until(connection, who.id, until, now)
    return site.pages.render_page("undone", private=True, who=who, paused=paused)


def _has_just_unsubscribed(
    connection: sa.Connection, visitor: Visitor, unsubscribed_at: str
) -> bool:
    """Whether leaving at that moment was the last that happened."""
    last = journal.load_journal(connection, visitor.id)[-1]
    return (last.change, last.at.isoformat()) == (
        "unsubscribed",
        unsubscribed_at,
    ) and not visitor.suppressed


def _record_reason(site: Site, fields: Mapping[str, str]) -> Response:
    reason = fields.get("reason", "")
    if reason in UNSUBSCRIBE_REASONS:
        with site.engine.begin() as connection:
            record_unsubscribe_reason(connection, reason, site.clock())
    return site.pages.render_page("thanks", private=True)


ONE_CLICK_FIELD, ONE_CLICK_VALUE = "List-Unsubscribe", "One-Click"
_URLENCODED_BODY = f"{ONE_CLICK_FIELD}={ONE_CLICK_VALUE}".encode()


def is_one_click_request(content_type: str, body: bytes) -> bool:
    """Whether a POST asks for it.

    Args:
        content_type: the request's header, perhaps empty.
        body: whole.
    """
    kind = content_type.partition(";")[0].strip().casefold()
    if kind == "application/x-www-form-urlencoded":
        return body == _URLENCODED_BODY
    return kind == "multipart/form-data" and _has_one_click_field(content_type, body)


def _has_one_click_field(content_type: str, body: bytes) -> bool:
    """Whether the body has that one field (RFC 7578)."""
    if not content_type.isascii() or "\r" in content_type or "\n" in content_type:
        return False
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    parts = list(message.iter_parts()) if message.is_multipart() else []
    around = f"{message.preamble or ''}{message.epilogue or ''}"
    if message.defects or around.strip() or len(parts) != 1:
        return False
    [part] = parts
    name = part.get_param("name", header="content-disposition")
    return (
        part.get_content_disposition() == "form-data"
        and name == ONE_CLICK_FIELD
        and part.get_filename() is None
        and part.get_payload() == ONE_CLICK_VALUE
    )
