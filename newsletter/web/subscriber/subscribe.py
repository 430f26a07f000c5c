"""Signing up: a form, the same as JSON for the editor's own site, and a snippet to put there.

The answer tells nothing of the list: the request counts, promises a letter and commits, whoever
the address belongs to. What comes of it is decided where letters are posted (``notices``).
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
from newsletter.subscribers.address import ParsedAddress, parse_address
from newsletter.web.http.request_data import get_client_ip, parse_form, parse_json_body
from newsletter.web.site_context import Site, run_inline_on_sqlite
from newsletter.web.subscriber.signup_limits import count_signup
from newsletter.web.subscriber.transactional_emails import enqueue_email

FORM_PURPOSE = "form"
HONEYPOT_FIELD = "website"
FORM_FIELDS = ("email", "name", "token", HONEYPOT_FIELD)
MAX_NAME_LENGTH = 100
# A page may lie open for a day before somebody fills its form in.
FORM_LIFETIME = datetime.timedelta(days=1)
RETRY_SECONDS = 3600

_SUBSCRIBE_SCRIPT = Path(__file__).with_name("subscribe.js").read_bytes()


class SignupResult(NamedTuple):
    """What became of a form; the same whoever the address belongs to.

    Attributes:
        status: of the HTTP response, if the form is shown again.
        message_key: what to say, a key of ``words.yml``; empty if all is well.
    """

    status: int = 200
    message_key: str = ""


def routes(site: Site) -> list[BaseRoute]:
    """The pages and endpoints of signing up."""
    join = SignupEndpoints(site)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=site.config.public.cors_origins,
        allow_methods=("GET", "POST"),
        allow_headers=("content-type",),
    )
    api = [
        Route("/subscribe", join.submit_json, methods=["POST"]),
        Route("/form-token", join.token, methods=["GET"]),
    ]
    return [
        Route("/subscribe", run_inline_on_sqlite(site, join.show), methods=["GET"]),
        Route("/subscribe", join.submit, methods=["POST"]),
        Route("/embed", join.embed, methods=["GET"]),
        Route("/assets/subscribe.js", _serve_script, methods=["GET"]),
        Mount("/api", routes=api, middleware=[cors]),
    ]


class SignupEndpoints:
    """The endpoints.

    Args:
        site: the newsletter.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        ours = get_url_origin(get_public_url(site.config))
        # A program that is no browser names no origin.
        self._allowed_origins = {"", ours, *site.config.public.cors_origins}

    def show(self, _: Request) -> Response:
        """The page with the form."""
        return _render_form(self._site, SignupResult(), {}, missing_token=False)

    def submit(self, request: Request) -> Response:
        """The form, filled in."""
        fields = parse_form(request)
        if not fields.get("token"):
            # From a snippet without its script.
            return _render_form(self._site, SignupResult(), fields, missing_token=True)
        answer = _handle_form(self._site, fields, get_client_ip(request), "/subscribe")
        if answer.message_key:
            return _render_form(self._site, answer, fields, missing_token=False)
        return self._site.pages.render_page(
            "asked", private=True, said=_get_success_message(self._site)
        )

    def submit_json(self, request: Request) -> Response:
        """The same as JSON."""
        fields, origin = (
            _extract_fields(parse_json_body(request)),
            request.headers.get("origin", ""),
        )
        if origin not in self._allowed_origins:
            answer = SignupResult(403, "join_origin")
        elif fields is None:
            answer = SignupResult(400, "join_odd")
        else:
            source = f"/api/subscribe {origin}".strip()
            answer = _handle_form(self._site, fields, get_client_ip(request), source)
        return _make_json_response(self._site, answer)

    def token(self, _: Request) -> Response:
        """What a form on another page needs."""
        known = {"token": make_form_token(self._site), "wording": get_consent_wording(self._site)}
        return JSONResponse(known, headers={"Cache-Control": "no-store"})

    def embed(self, _: Request) -> Response:
        """The snippet, to copy."""
        address = get_public_url(self._site.config)
        return self._site.pages.render_page(
            "embed", address=address, wording=get_consent_wording(self._site)
        )


def make_form_token(site: Site) -> str:
    """What a form carries: signed, of this moment, and its own."""
    made: str = site.signer(FORM_PURPOSE).dumps(
        [site.clock().timestamp(), secrets.token_urlsafe(9)]
    )
    return made


def get_url_origin(url: str) -> str:
    """The origin of a URL, as a browser names it (RFC 6454)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def get_consent_wording(site: Site) -> str:
    """What readers agree to, as the form shows it."""
    named = site.pages.messages["join_wording"].replace("{name}", site.config.name)
    return site.config.signup.wording or named


def _serve_script(_: Request) -> Response:
    headers = {"Cache-Control": "public, max-age=3600"}
    return Response(_SUBSCRIBE_SCRIPT, media_type="text/javascript; charset=utf-8", headers=headers)


def _handle_form(site: Site, fields: Mapping[str, str], ip: str, source: str) -> SignupResult:
    """Take a form; whoever the address belongs to, the same statements run."""
    if fields.get(HONEYPOT_FIELD):
        return SignupResult()  # a program; it is told what everybody is told
    mark, wrong = _read_token(site, fields.get("token", ""))
    if wrong:
        return wrong
    try:
        address = parse_address(fields.get("email", ""))
    except SubscriberListError:
        return SignupResult(422, "join_address")
    name = fields.get("name", "").strip()
    if len(name) > MAX_NAME_LENGTH or not name.isprintable():
        return SignupResult(422, "join_name_odd")
    return _enqueue_confirmation(site, address, {"name": name, "source": source}, mark, ip)


def _enqueue_confirmation(
    site: Site, address: ParsedAddress, data: Mapping[str, str], form_id: str, ip: str
) -> SignupResult:
    now = site.clock()
    window = datetime.timedelta(hours=site.config.signup.window_hours)
    with site.engine.connect() as connection, connection.begin() as transaction:
        within = count_signup(connection, site, now, form_id=form_id, ip=ip, address=address)
        if within in {"worn", "too_often"}:
            transaction.rollback()
            return (
                SignupResult(422, "join_stale")
                if within == "worn"
                else SignupResult(429, "join_busy")
            )
        said = {**data, "wording": get_consent_wording(site)}
        enqueue_email(connection, "confirm", address, said, now, window, allowed=within == "yes")
    return SignupResult()


def _read_token(site: Site, token: str) -> tuple[str, SignupResult | None]:
    """The form's own mark, and what is wrong with it."""
    try:
        made, mark = site.signer(FORM_PURPOSE).loads(token)
    except itsdangerous.BadData:
        return "", SignupResult(422, "join_stale")
    age = site.clock().timestamp() - made
    if not 0 <= age <= FORM_LIFETIME.total_seconds():
        return "", SignupResult(422, "join_stale")
    if age < site.config.signup.least_seconds:
        return "", SignupResult(422, "join_soon")
    return mark, None


def _render_form(
    site: Site, result: SignupResult, fields: Mapping[str, str], *, missing_token: bool
) -> Response:
    """The form, with what was typed in and what is wrong with it.

    Args:
        site: the newsletter.
        result: what became of the form before.
        fields: what was in it.
        missing_token: whether it came without a token, from a page that isn't ours.
    """
    young = result.message_key == "join_soon"
    response = site.pages.render_page(
        "join",
        status=result.status,
        private=True,
        wrong=result.message_key,
        once_more=missing_token,
        email=fields.get("email", ""),
        name=fields.get("name", ""),
        # The same one gets older.
        token=fields["token"] if young else make_form_token(site),
        wording=get_consent_wording(site),
    )
    return _add_retry_after(response, result)


def _get_success_message(site: Site) -> str:
    """What everybody is told whose form is in order."""
    return site.pages.messages["asked_text" if site.config.signup.double_opt_in else "asked_single"]


def _make_json_response(site: Site, result: SignupResult) -> Response:
    """The same as JSON."""
    if not result.message_key:
        return JSONResponse({"message": _get_success_message(site)}, status_code=202)
    said = {
        "error": site.pages.messages[result.message_key],
        "again": result.message_key == "join_stale",
    }
    return _add_retry_after(JSONResponse(said, status_code=result.status), result)


def _add_retry_after(response: Response, result: SignupResult) -> Response:
    if result.status == HTTPStatus.TOO_MANY_REQUESTS:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _extract_fields(data: Any) -> dict[str, str] | None:
    """The fields of a form; ``None`` if it is none."""
    if not isinstance(data, dict):
        return None
    known = {name: data[name] for name in FORM_FIELDS if data.get(name) is not None}
    return known if all(isinstance(value, str) for value in known.values()) else None
