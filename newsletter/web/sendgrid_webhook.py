"""SendGrid's Event Webhook: what it reports is believed if it is signed, and kept at once.

It is answered with 2xx only after all of it is durably stored; whatever else it hears, SendGrid
sends the same events again for a day.
"""

import datetime
import logging
from collections.abc import Callable

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from newsletter.config import Config
from newsletter.errors import DatabaseError, SubscriberListError
from newsletter.events.parse import WebhookBody, parse_webhook_body
from newsletter.events.signature import (
    WebhookSignatureError,
    load_verification_key,
    verify_signature,
)
from newsletter.sending.feedback.event_intake import ingest_events, reconcile_from_events
from newsletter.sending.ledger.find_sends import open_ledger
from newsletter.web.http.request_data import get_raw_body
from newsletter.web.site_context import Site

WEBHOOK_PATH = "/webhooks/sendgrid"
SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"

_VERIFICATION_KEY_REMEDY = (
    "set sendgrid.webhook_key to the verification key of its Signed Event Webhook"
)
_log = logging.getLogger(__name__)

SignatureCheck = Callable[[Request, bytes, datetime.datetime], str]


class _WebhookRefusedError(Exception):
    """The request is not taken: status and what to say."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def routes(site: Site) -> list[BaseRoute]:
    """Where SendGrid posts its events."""
    believe = _make_signature_check(site.config)
    ledger = open_ledger(site.engine, site.config)
    # There is one writer anyway. Whoever waits is served in turn, and meanwhile takes neither the
    # GIL from it nor a thread from the pages.
    in_turn = CapacityLimiter(1)

    def take(request: Request) -> Response:
        try:
            body = _parse_request(request, believe, site.clock())
            done = ingest_events(ledger, site.config, body.events)
            reconcile_from_events(ledger, body.events)
        except _WebhookRefusedError as refused:
            _log.warning("a webhook was refused: %s", refused.message)
            return JSONResponse({"error": refused.message}, refused.status)
        except DatabaseError as error:
            _log.error("a webhook could not be stored; SendGrid sends it again: %s", error)
            return JSONResponse({"error": "try again later"}, 503, {"Retry-After": "30"})
        if body.invalid_count:
            _log.warning("a webhook held %d entries that are no events", body.invalid_count)
        return JSONResponse(
            {"new": done.new_count, "known": done.known_count, "odd": body.invalid_count}
        )

    async def queue(request: Request) -> Response:
        return await to_thread.run_sync(take, request, limiter=in_turn)

    return [Route(WEBHOOK_PATH, queue, methods=["POST"])]


def _make_signature_check(config: Config) -> SignatureCheck:
    """What tells whether a request is SendGrid's: how old, or a refusal."""
    if config.sendgrid.webhook_key:
        key = load_verification_key(config.sendgrid.webhook_key)

        def signed(request: Request, body: bytes, now: datetime.datetime) -> str:
            try:
                signature, time = (
                    _get_single_header(request, name)
                    for name in (SIGNATURE_HEADER, TIMESTAMP_HEADER)
                )
                return verify_signature(key, signature, time, body, now)
            except WebhookSignatureError as forged:
                raise _WebhookRefusedError(403, str(forged)) from forged

        return signed
    if config.sendgrid.webhook_unsigned:
        _log.warning(
            "ANYBODY can report events here, and unsubscribe readers by it, since "
            "sendgrid.webhook_unsigned is on; to stop that, %s", _VERIFICATION_KEY_REMEDY
        )  # fmt: skip
        return lambda *_: "fresh"

    _log.warning("SendGrid's events are refused; to take them, %s", _VERIFICATION_KEY_REMEDY)

    def nothing(*_: object) -> str:
        raise _WebhookRefusedError(403, "events are not taken here")

    return nothing


def _parse_request(
    request: Request, check_signature: SignatureCheck, now: datetime.datetime
) -> WebhookBody:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if (
        kind != "application/json"
        or request.headers.get("content-encoding", "identity") != "identity"
    ):
        raise _WebhookRefusedError(415, "events come as application/json, not compressed")
    data = get_raw_body(request)
    age = check_signature(request, data, now)
    try:
        body = parse_webhook_body(data)
    except SubscriberListError as error:
        raise _WebhookRefusedError(400, str(error)) from error
    if age == "late":
        _log.warning(
            "a webhook was signed more than 10 minutes ago: a retry of SendGrid's, or a replay; "
            "of its %d events, those that are known change nothing", len(body.events)
        )  # fmt: skip
    return body


def _get_single_header(request: Request, name: str) -> str:
    """A header that is there once; of two, another program may have read the other."""
    found = request.headers.getlist(name)
    if len(found) != 1:
        raise WebhookSignatureError(
            f"there is no header {name}" if not found else f"two headers {name}"
        )
    return found[0]
