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
from newsletter.web.http.request_data import form, raw_body
from newsletter.web.site_context import Site, swift
from newsletter.web.subscriber.access_token import Visitor, opened, sign, visitor

LEAVE, UNDO, WHY = "leave", "undo", "why"
SOURCE = "/u"
STRAIGHT_AFTER = datetime.timedelta(minutes=30)
# For whoever finds that they wanted fewer, not none.
LONG_PAUSE = datetime.timedelta(days=91)


def routes(site: Site) -> list[BaseRoute]:
    """The page behind every mail's unsubscribe link, and what is posted there."""
    # A mail goes to thousands at once, and so come those who leave.
    together = WriteBatcher(site.engine)

    def show(request: Request) -> Response:
        with read_transaction(site.engine) as connection:
            who = visitor(connection, request.path_params["token"])
        if who is None:
            return nobody(site)
        signed = sign(site, LEAVE, who.token)
        return site.pages.page("leave", private=True, who=who, signed=signed)

    def take(request: Request) -> Response:
        token = request.path_params["token"]
        if is_one_click(request.headers.get("content-type", ""), raw_body(request)):
            return _one_click(site, together, token)
        fields = form(request)
        if opened(site, LEAVE, fields.get("leave", ""), within=None) == token:
            return _leave(site, token)
        if undo := opened(site, UNDO, fields.get("undo", ""), STRAIGHT_AFTER):
            return _undo(site, token, undo, paused="pause" in fields)
        if opened(site, WHY, fields.get("signed", ""), STRAIGHT_AFTER) == token:
            return _why(site, fields)
        return site.pages.page("leave_odd", status=400, private=True)

    return [
        Route("/u/{token}", swift(site, show), methods=["GET"]),
        Route("/u/{token}", take, methods=["POST"]),
    ]


def nobody(site: Site) -> Response:
    """For a token that is nobody's: never was, has been replaced, or its reader was erased."""
    sender = site.config.sender
    return site.pages.page(
        "nobody", status=404, private=True, contact=sender.reply_to or sender.address
    )


def _one_click(site: Site, together: WriteBatcher, token: str) -> Response:
    def write(connection: sa.Connection) -> bool:
        who = visitor(connection, token)
        if who is not None:
            changes.unsubscribe(
                connection, who.key, ChangeOrigin(site.clock(), "one_click", SOURCE)
            )
        return who is not None

    if not together.run(write):
        return nobody(site)
    return PlainTextResponse("Unsubscribed.\n", headers={"Cache-Control": "no-store"})


def _leave(site: Site, token: str) -> Response:
    now = site.clock()
    with site.engine.begin() as connection:
        who = visitor(connection, token)
        if who is None:
            return nobody(site)
        was_reader = who.gets_mail
        changes.unsubscribe(connection, who.key, ChangeOrigin(now, "form", SOURCE))
    undo = sign(site, UNDO, [token, now.isoformat()]) if was_reader else ""
    return site.pages.page(
        "left",
        private=True,
        who=who,
        undo=undo,
        signed=sign(site, WHY, token),
        reasons=UNSUBSCRIBE_REASONS,
    )


def _undo(site: Site, token: str, undo: list[str], *, paused: bool) -> Response:
    """Bring somebody back who has just left by the button, unless anything happened since."""
    now = site.clock()
    with site.engine.begin() as connection:
        who = visitor(connection, token)
        if who is None:
            return nobody(site)
        if undo[0] != token or not _just_left(connection, who, undo[1]):
            return site.pages.page("leave_odd", status=400, private=True)
        origin = ChangeOrigin(now, "form", SOURCE, "undo")
        changes.resubscribe(connection, ParsedAddress(who.address, who.key), "active", origin)
        until = now + LONG_PAUSE if paused else who.paused_until
        if until:
            set_paused_until(connection, who.id, until, now)
    return site.pages.page("undone", private=True, who=who, paused=paused)


def _just_left(connection: sa.Connection, who: Visitor, at: str) -> bool:
    """Whether leaving at that moment was the last that happened."""
    last = journal.load_journal(connection, who.id)[-1]
    return (last.change, last.at.isoformat()) == ("unsubscribed", at) and not who.suppressed


def _why(site: Site, fields: Mapping[str, str]) -> Response:
    reason = fields.get("reason", "")
    if reason in UNSUBSCRIBE_REASONS:
        with site.engine.begin() as connection:
            record_unsubscribe_reason(connection, reason, site.clock())
    return site.pages.page("thanks", private=True)


NAME, VALUE = "List-Unsubscribe", "One-Click"
_URLENCODED = f"{NAME}={VALUE}".encode()


def is_one_click(content_type: str, body: bytes) -> bool:
    """Whether a POST asks for it.

    Args:
        content_type: the request's header, perhaps empty.
        body: whole.
    """
    kind = content_type.partition(";")[0].strip().casefold()
    if kind == "application/x-www-form-urlencoded":
        return body == _URLENCODED
    return kind == "multipart/form-data" and _says_so(content_type, body)


def _says_so(content_type: str, body: bytes) -> bool:
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
        and name == NAME
        and part.get_filename() is None
        and part.get_payload() == VALUE
    )
