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
from newsletter.web.http.request_data import form, json_body, peer
from newsletter.web.site_context import Site, swift
from newsletter.web.subscriber.signup_limits import count
from newsletter.web.subscriber.transactional_emails import enqueue_email

FORM = "form"
HONEYPOT = "website"
FIELDS = ("email", "name", "token", HONEYPOT)
LONGEST_NAME = 100
# A page may lie open for a day before somebody fills its form in.
GOOD_FOR = datetime.timedelta(days=1)
RETRY_SECONDS = 3600

_SCRIPT = Path(__file__).with_name("subscribe.js").read_bytes()


class Answer(NamedTuple):
    """What became of a form; the same whoever the address belongs to.

    Attributes:
        status: of the HTTP response, if the form is shown again.
        word: what to say, a key of ``words.yml``; empty if all is well.
    """

    status: int = 200
    word: str = ""


def routes(site: Site) -> list[BaseRoute]:
    """The pages and endpoints of signing up."""
    join = Join(site)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=site.config.public.cors_origins,
        allow_methods=("GET", "POST"),
        allow_headers=("content-type",),
    )
    api = [
        Route("/subscribe", join.take_json, methods=["POST"]),
        Route("/form-token", join.token, methods=["GET"]),
    ]
    return [
        Route("/subscribe", swift(site, join.show), methods=["GET"]),
        Route("/subscribe", join.take, methods=["POST"]),
        Route("/embed", join.embed, methods=["GET"]),
        Route("/assets/subscribe.js", _script, methods=["GET"]),
        Mount("/api", routes=api, middleware=[cors]),
    ]


class Join:
    """The endpoints.

    Args:
        site: the newsletter.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        ours = origin_of(get_public_url(site.config))
        # A program that is no browser names no origin.
        self._origins = {"", ours, *site.config.public.cors_origins}

    def show(self, _: Request) -> Response:
        """The page with the form."""
        return _page(self._site, Answer(), {}, once_more=False)

    def take(self, request: Request) -> Response:
        """The form, filled in."""
        fields = form(request)
        if not fields.get("token"):
            # From a snippet without its script.
            return _page(self._site, Answer(), fields, once_more=True)
        answer = _ask(self._site, fields, peer(request), "/subscribe")
        if answer.word:
            return _page(self._site, answer, fields, once_more=False)
        return self._site.pages.page("asked", private=True, said=_said(self._site))

    def take_json(self, request: Request) -> Response:
        """The same as JSON."""
        fields, origin = _strings(json_body(request)), request.headers.get("origin", "")
        if origin not in self._origins:
            answer = Answer(403, "join_origin")
        elif fields is None:
            answer = Answer(400, "join_odd")
        else:
            source = f"/api/subscribe {origin}".strip()
            answer = _ask(self._site, fields, peer(request), source)
        return _told(self._site, answer)

    def token(self, _: Request) -> Response:
        """What a form on another page needs."""
        known = {"token": form_token(self._site), "wording": wording(self._site)}
        return JSONResponse(known, headers={"Cache-Control": "no-store"})

    def embed(self, _: Request) -> Response:
        """The snippet, to copy."""
        address = get_public_url(self._site.config)
        return self._site.pages.page("embed", address=address, wording=wording(self._site))


def form_token(site: Site) -> str:
    """What a form carries: signed, of this moment, and its own."""
    made: str = site.signer(FORM).dumps([site.clock().timestamp(), secrets.token_urlsafe(9)])
    return made


def origin_of(url: str) -> str:
    """The origin of a URL, as a browser names it (RFC 6454)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def wording(site: Site) -> str:
    """What readers agree to, as the form shows it."""
    named = site.pages.words["join_wording"].replace("{name}", site.config.name)
    return site.config.signup.wording or named


def _script(_: Request) -> Response:
    headers = {"Cache-Control": "public, max-age=3600"}
    return Response(_SCRIPT, media_type="text/javascript; charset=utf-8", headers=headers)


def _ask(site: Site, fields: Mapping[str, str], ip: str, source: str) -> Answer:
    """Take a form; whoever the address belongs to, the same statements run."""
    if fields.get(HONEYPOT):
        return Answer()  # a program; it is told what everybody is told
    mark, wrong = _read_token(site, fields.get("token", ""))
    if wrong:
        return wrong
    try:
        address = parse_address(fields.get("email", ""))
    except SubscriberListError:
        return Answer(422, "join_address")
    name = fields.get("name", "").strip()
    if len(name) > LONGEST_NAME or not name.isprintable():
        return Answer(422, "join_name_odd")
    return _promise(site, address, {"name": name, "source": source}, mark, ip)


def _promise(
    site: Site, address: ParsedAddress, data: Mapping[str, str], mark: str, ip: str
) -> Answer:
    now = site.clock()
    window = datetime.timedelta(hours=site.config.signup.window_hours)
    with site.engine.connect() as connection, connection.begin() as transaction:
        within = count(connection, site, now, form=mark, ip=ip, to=address)
        if within in {"worn", "too_often"}:
            transaction.rollback()
            return Answer(422, "join_stale") if within == "worn" else Answer(429, "join_busy")
        said = {**data, "wording": wording(site)}
        enqueue_email(connection, "confirm", address, said, now, window, allowed=within == "yes")
    return Answer()


def _read_token(site: Site, token: str) -> tuple[str, Answer | None]:
    """The form's own mark, and what is wrong with it."""
    try:
        made, mark = site.signer(FORM).loads(token)
    except itsdangerous.BadData:
        return "", Answer(422, "join_stale")
    age = site.clock().timestamp() - made
    if not 0 <= age <= GOOD_FOR.total_seconds():
        return "", Answer(422, "join_stale")
    if age < site.config.signup.least_seconds:
        return "", Answer(422, "join_soon")
    return mark, None


def _page(site: Site, answer: Answer, fields: Mapping[str, str], *, once_more: bool) -> Response:
    """The form, with what was typed in and what is wrong with it.

    Args:
        site: the newsletter.
        answer: what became of the form before.
        fields: what was in it.
        once_more: whether it came without a token, from a page that isn't ours.
    """
    young = answer.word == "join_soon"
    response = site.pages.page(
        "join",
        status=answer.status,
        private=True,
        wrong=answer.word,
        once_more=once_more,
        email=fields.get("email", ""),
        name=fields.get("name", ""),
        # The same one gets older.
        token=fields["token"] if young else form_token(site),
        wording=wording(site),
    )
    return _retry_later(response, answer)


def _said(site: Site) -> str:
    """What everybody is told whose form is in order."""
    return site.pages.words["asked_text" if site.config.signup.double_opt_in else "asked_single"]


def _told(site: Site, answer: Answer) -> Response:
    """The same as JSON."""
    if not answer.word:
        return JSONResponse({"message": _said(site)}, status_code=202)
    said = {"error": site.pages.words[answer.word], "again": answer.word == "join_stale"}
    return _retry_later(JSONResponse(said, status_code=answer.status), answer)


def _retry_later(response: Response, answer: Answer) -> Response:
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _strings(data: Any) -> dict[str, str] | None:
    """The fields of a form; ``None`` if it is none."""
    if not isinstance(data, dict):
        return None
    known = {name: data[name] for name in FIELDS if data.get(name) is not None}
    return known if all(isinstance(value, str) for value in known.values()) else None
