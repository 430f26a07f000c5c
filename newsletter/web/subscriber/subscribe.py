"""Sign-up: form, JSON API and embeddable snippet for other sites.

The response reveals nothing about the list: whether or not the address is on it, the request is
counted, an email is enqueued, and the transaction is committed. What is sent is decided later, in
``transactional_emails``.
"""

import datetime
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import itsdangerous
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from newsletter.config.urls import get_public_url
from newsletter.errors import SubscriberListError
from newsletter.render.locale import format_number
from newsletter.subscribers.address import ParsedAddress, parse_address
from newsletter.web.consent_wording import (
    ANSWER_FIELD,
    ASKED_FIELD,
    get_consent_wording,
    get_signup_question,
    read_tracking_answer,
)
from newsletter.web.http.request_data import get_client_ip, parse_form, parse_json_body
from newsletter.web.site_context import Site
from newsletter.web.subscriber.newsletter_facts import FactsReader
from newsletter.web.subscriber.requested_emails import enqueue_requested_email
from newsletter.web.subscriber.signup_limits import count_signup

FORM_PURPOSE = "form"
HONEYPOT_FIELD = "website"
FORM_FIELDS = ("email", "name", "token", ASKED_FIELD, ANSWER_FIELD, HONEYPOT_FIELD)
MAX_NAME_LENGTH = 100
# A page may stay open for a day before its form is submitted.
FORM_LIFETIME = datetime.timedelta(days=1)
RETRY_SECONDS = 3600

_SUBSCRIBE_SCRIPT = Path(__file__).with_name("subscribe.js").read_bytes()


class SignupResult(NamedTuple):
    """The result of a form; the same whether or not the address is on the list.

    Attributes:
        status: the HTTP status, if the form is shown again.
        message_key: the error message, a key of the words of pages; empty on success.
    """

    status: int = 200
    message_key: str = ""


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes of the sign-up page, API and snippet."""
    endpoints = SignupEndpoints(site)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=site.config.public.cors_origins,
        allow_methods=("GET", "POST"),
        allow_headers=("content-type",),
    )
    api = [
        Route("/subscribe", endpoints.submit_json, methods=["POST"]),
        Route("/form-token", endpoints.token, methods=["GET"]),
    ]
    return [
        Route("/subscribe", endpoints.show, methods=["GET"]),
        Route("/subscribe", endpoints.submit, methods=["POST"]),
        Route("/embed", endpoints.embed, methods=["GET"]),
        Route("/assets/subscribe.js", _serve_script, methods=["GET"]),
        Mount("/api", routes=api, middleware=[cors]),
    ]


class SignupEndpoints:
    """The endpoints of the sign-up.

    Args:
        site: the newsletter.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._facts = FactsReader(site)
        own_origin = get_url_origin(get_public_url(site.config))
        # Programs other than browsers send no Origin header.
        self._allowed_origins = {"", own_origin, *site.config.public.cors_origins}

    def show(self, _: Request) -> Response:
        """Show the form."""
        return self._render_form(SignupResult(), {}, missing_token=False)

    def submit(self, request: Request) -> Response:
        """Handle the submitted form."""
        fields = parse_form(request)
        if not fields.get("token"):
            # Submitted by the snippet without its script.
            return self._render_form(SignupResult(), fields, missing_token=True)
        result = _handle_form(self._site, fields, get_client_ip(request), "/subscribe")
        if result.message_key:
            return self._render_form(result, fields, missing_token=False)
        return self._site.pages.render_page(
            "asked", private=True, said=_get_success_message(self._site)
        )

    def submit_json(self, request: Request) -> Response:
        """Handle a sign-up sent as JSON."""
        fields, origin = (
            _extract_fields(parse_json_body(request)),
            request.headers.get("origin", ""),
        )
        if origin not in self._allowed_origins:
            result = SignupResult(403, "join_origin")
        elif fields is None:
            result = SignupResult(400, "join_odd")
        else:
            source = f"/api/subscribe {origin}".strip()
            result = _handle_form(self._site, fields, get_client_ip(request), source)
        return _make_json_response(self._site, result)

    def token(self, _: Request) -> Response:
        """Return the token and the consent wording for a form on another page."""
        data = {
            "token": make_form_token(self._site),
            "wording": get_consent_wording(self._site),
            "tracking": get_signup_question(self._site),
        }
        return JSONResponse(data, headers={"Cache-Control": "no-store"})

    def embed(self, _: Request) -> Response:
        """Show the snippet to copy."""
        address = get_public_url(self._site.config)
        return self._site.pages.render_page(
            "embed",
            address=address,
            wording=get_consent_wording(self._site),
            tracking=get_signup_question(self._site),
        )

    def _render_form(
        self, result: SignupResult, fields: Mapping[str, str], *, missing_token: bool
    ) -> Response:
        """Render the form, with the previous input and the error message.

        Args:
            result: the previous result of the form.
            fields: the previous input.
            missing_token: whether it was submitted without a token, from another site's page.
        """
        site = self._site
        facts = self._facts.read()
        too_early = result.message_key == "join_soon"
        response = site.pages.render_page(
            "join",
            status=result.status,
            private=True,
            wrong=result.message_key,
            once_more=missing_token,
            email=fields.get("email", ""),
            name=fields.get("name", ""),
            asks_name=site.config.signup.ask_name,
            # Keep the token of a submission that came too early: it will be old enough next time.
            token=fields["token"] if too_early else make_form_token(site),
            wording=get_consent_wording(site),
            tracking=get_signup_question(site),
            agrees=fields.get(ANSWER_FIELD) == "yes",
            frequency=site.config.signup.frequency or "",
            facts=facts,
            readers=format_number(facts.readers, site.pages.language) if facts.readers else "",
        )
        return _add_retry_after(response, result)


def make_form_token(site: Site) -> str:
    """Return a form's token: the current time and a unique id, signed."""
    token: str = site.signer(FORM_PURPOSE).dumps(
        [site.clock().timestamp(), secrets.token_urlsafe(9)]
    )
    return token


def get_url_origin(url: str) -> str:
    """Return the origin of a URL as browsers send it (RFC 6454)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _serve_script(_: Request) -> Response:
    headers = {"Cache-Control": "public, max-age=3600"}
    return Response(_SUBSCRIBE_SCRIPT, media_type="text/javascript; charset=utf-8", headers=headers)


def _handle_form(site: Site, fields: Mapping[str, str], ip: str, source: str) -> SignupResult:
    """Validate a form and enqueue its confirmation email.

    The same SQL statements run whether or not the address is on the list.
    """
    if fields.get(HONEYPOT_FIELD):
        site.refused_signups.count("honeypot", site.clock())
        return SignupResult()  # a bot: it gets the same response as everybody
    form_id, error = _read_token(site, fields.get("token", ""))
    if error:
        reason = "too_fast" if error.message_key == "join_soon" else "bad_token"
        site.refused_signups.count(reason, site.clock())
        return error
    try:
        address = parse_address(fields.get("email", ""))
    except SubscriberListError:
        return SignupResult(422, "join_address")
    name = fields.get("name", "").strip()
    if len(name) > MAX_NAME_LENGTH or not name.isprintable():
        return SignupResult(422, "join_name_odd")
    data = {"name": name, "source": source, **read_tracking_answer(site, fields)}
    return _enqueue_confirmation(site, address, data, form_id, ip)


def _enqueue_confirmation(
    site: Site, address: ParsedAddress, data: Mapping[str, Any], form_id: str, ip: str
) -> SignupResult:
    now = site.clock()
    window = datetime.timedelta(hours=site.config.signup.window_hours)
    with site.engine.connect() as connection, connection.begin() as transaction:
        limit = count_signup(connection, site, now, form_id=form_id, ip=ip)
        if limit != "allowed":
            transaction.rollback()
            site.refused_signups.count(limit, now)
            return (
                SignupResult(422, "join_stale")
                if limit == "form_reused"
                else SignupResult(429, "join_busy")
            )
        email_data = {**data, "wording": get_consent_wording(site)}
        result = enqueue_requested_email(
            site, connection, "confirm", address, email_data, window=window
        )
    if result == "mailbox_limit":
        site.refused_signups.count("mailbox_limit", now)
    return SignupResult()


def _read_token(site: Site, token: str) -> tuple[str, SignupResult | None]:
    """Return the form's unique id from its token, or an error."""
    try:
        made_at, form_id = site.signer(FORM_PURPOSE).loads(token)
    except itsdangerous.BadData:
        return "", SignupResult(422, "join_stale")
    age = site.clock().timestamp() - made_at
    if not 0 <= age <= FORM_LIFETIME.total_seconds():
        return "", SignupResult(422, "join_stale")
    if age < site.config.signup.least_seconds:
        return "", SignupResult(422, "join_soon")
    return form_id, None


def _get_success_message(site: Site) -> str:
    """Return the message after every valid form."""
    return site.pages.messages["asked_text" if site.config.signup.double_opt_in else "asked_single"]


def _make_json_response(site: Site, result: SignupResult) -> Response:
    """Return a result as JSON."""
    if not result.message_key:
        return JSONResponse({"message": _get_success_message(site)}, status_code=202)
    error = {
        "error": site.pages.messages[result.message_key],
        "again": result.message_key == "join_stale",
    }
    return _add_retry_after(JSONResponse(error, status_code=result.status), result)


def _add_retry_after(response: Response, result: SignupResult) -> Response:
    if result.status == HTTPStatus.TOO_MANY_REQUESTS:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _extract_fields(data: Any) -> dict[str, str] | None:
    """Return a form's fields from JSON; ``None`` if they are not strings in an object."""
    if not isinstance(data, dict):
        return None
    fields = {name: data[name] for name in FORM_FIELDS if data.get(name) is not None}
    return fields if all(isinstance(value, str) for value in fields.values()) else None
