"""Receive SendGrid's Event Webhook: verify the signature, store events.

The response is 2xx only after everything is durably stored: events, and what is not understood as
it was received. On any other response SendGrid retries the same request for a day.
"""

import datetime
import logging
from collections.abc import Callable

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from newsletter.config import Config
from newsletter.errors import DatabaseError
from newsletter.events.read_events import WebhookBody
from newsletter.events.signature import WebhookSignatureError
from newsletter.sending.feedback.event_intake import ingest_events, reconcile_from_events
from newsletter.sending.ledger.find_sends import open_ledger
from newsletter.sending.providers.provider import Provider
from newsletter.sending.providers.registry import get_provider
from newsletter.web.http.request_data import get_raw_body
from newsletter.web.site_context import Site

WEBHOOK_PATH = "/webhooks/sendgrid"

_VERIFICATION_KEY_REMEDY = (
    "set sendgrid.webhook_key to the verification key of its Signed Event Webhook"
)
_log = logging.getLogger(__name__)

SignatureCheck = Callable[[Request, bytes, datetime.datetime], str]


class _WebhookRefusedError(Exception):
    """The request is refused, with a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def routes(site: Site) -> list[BaseRoute]:
    """Return the route that SendGrid posts its events to."""
    provider = get_provider(site.config)
    check_signature = _make_signature_check(provider, site.config)
    ledger = open_ledger(site.engine, site.config)
    # Only one request can write at a time anyway. The others wait in a queue, where they take
    # neither the GIL from the writer nor a worker thread from the pages.
    one_at_a_time = CapacityLimiter(1)

    def receive(request: Request) -> Response:
        try:
            body = _parse_request(provider, request, check_signature, site.clock())
            result = ingest_events(ledger, site.config, body.events, body.unreadable)
            reconcile_from_events(ledger, body.events)
        except _WebhookRefusedError as refused:
            _log.warning("a webhook was refused: %s", refused.message)
            return JSONResponse({"error": refused.message}, refused.status)
        except DatabaseError as error:
            _log.error("a webhook could not be stored; SendGrid will retry it: %s", error)
            return JSONResponse({"error": "try again later"}, 503, {"Retry-After": "30"})
        odd_count = len(body.unreadable)
        if odd_count:
            _log.warning(
                "a webhook had %d entries that are not events; they are kept: see newsletter "
                "events unreadable",
                odd_count,
            )
        return JSONResponse(
            {"new": result.new_count, "known": result.known_count, "odd": odd_count}
        )

    async def receive_in_turn(request: Request) -> Response:
        return await to_thread.run_sync(receive, request, limiter=one_at_a_time)

    return [Route(WEBHOOK_PATH, receive_in_turn, methods=["POST"])]


def _make_signature_check(provider: Provider, config: Config) -> SignatureCheck:
    """Return a function that returns a signature's age, or raises if it isn't SendGrid's."""
    if verify := provider.make_event_verifier():

        def check_signature(request: Request, body: bytes, now: datetime.datetime) -> str:
            try:
                return verify(request.headers.getlist, body, now)
            except WebhookSignatureError as error:
                raise _WebhookRefusedError(403, str(error)) from error

        return check_signature
    if config.sendgrid.webhook_unsigned:
        _log.warning(
            "ANYBODY can post events here, and so unsubscribe readers, since "
            "sendgrid.webhook_unsigned is on; to stop that, %s",
            _VERIFICATION_KEY_REMEDY,
        )
        return lambda *_: "fresh"

    _log.warning("SendGrid's events are refused; to accept them, %s", _VERIFICATION_KEY_REMEDY)

    def refuse_all(*_: object) -> str:
        raise _WebhookRefusedError(403, "events are not accepted here")

    return refuse_all


def _parse_request(
    provider: Provider, request: Request, check_signature: SignatureCheck, now: datetime.datetime
) -> WebhookBody:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if (
        media_type != "application/json"
        or request.headers.get("content-encoding", "identity") != "identity"
    ):
        raise _WebhookRefusedError(415, "events must be uncompressed application/json")
    data = get_raw_body(request)
    age = check_signature(request, data, now)
    body = provider.parse_events(data, now)
    if age == "late":
        _log.warning(
            "a webhook was signed more than 10 minutes ago: a retry by SendGrid, or a replay; "
            "of its %d events, those already stored change nothing",
            len(body.events),
        )
    return body
