"""A reader's own page: name, tags, a pause, another address, their data, to be forgotten.

The token in the link is the key. Each form carries the page's signature and does one thing; leaving
is on the page behind the unsubscribe link.
"""

import datetime
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from newsletter.db import read_transaction
from newsletter.db.schema import subscriber_tag
from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import ParsedAddress, parse_address
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.gdpr_export import find_profile, profile_to_dict
from newsletter.subscribers.importing.rows.row_parser import clean_name
from newsletter.subscribers.preferences import (
    set_chosen_tags,
    set_paused_until,
    set_subscriber_name,
)
from newsletter.web.http.request_data import form
from newsletter.web.page_templates import PRIVATE
from newsletter.web.site_context import Site, swift
from newsletter.web.subscriber import change_address
from newsletter.web.subscriber.access_token import GOOD_FOR, Visitor, opened, sign, visitor
from newsletter.web.subscriber.unsubscribe import nobody

PREFERENCES = "preferences"
PAUSES = {"week": 7, "month": 30, "quarter": 91}
LONGEST_PAUSE = datetime.timedelta(days=366)
LONGEST_NAME = 100

_TAGS_OF = sa.select(subscriber_tag.c.tag).where(
    subscriber_tag.c.subscriber_id == sa.bindparam("id")
)

Fields = Mapping[str, str]
# What a form does: a key of words.yml that says what came of it.
Act = Callable[[Site, sa.Connection, Visitor, Fields], str]


def routes(site: Site) -> list[BaseRoute]:
    """The page behind every mail's preferences link, and its forms."""

    def show(request: Request) -> Response:
        return _page(site, request.path_params["token"])

    def take(request: Request) -> Response:
        token, fields = request.path_params["token"], form(request)
        meant = opened(site, PREFERENCES, fields.get("signed", ""), GOOD_FOR) == token
        match fields.get("do") if meant else None:
            case "download":
                return _download(site, token)
            case "erase":
                return _erase(site, token, fields)
            case str(do) if do in _ACTS:
                return _act(site, token, _ACTS[do], fields)
        return _page(site, token, wrong="preferences_stale", status=400)

    return [
        Route("/p/{token}", swift(site, show), methods=["GET"]),
        Route("/p/{token}", take, methods=["POST"]),
    ]


def _page(
    site: Site, token: str, *, done: str = "", wrong: str = "", status: int = 200
) -> Response:
    """The page as things stand, with what has just been done or couldn't be.

    Args:
        site: the newsletter.
        token: the reader's.
        done: a key of words.yml.
        wrong: likewise.
        status: of the answer.
    """
    with read_transaction(site.engine) as connection:
        who = visitor(connection, token)
        if who is None:
            return nobody(site)
        offered = site.config.preferences.tags
        tags = set(connection.scalars(_TAGS_OF, {"id": who.id})) if offered else set()
    zone = ZoneInfo(site.config.timezone)
    now = site.clock()
    until = who.paused_until if who.paused_until and who.paused_until > now else None
    return site.pages.page(
        "preferences",
        status=status,
        private=True,
        who=who,
        reader=who.gets_mail,
        tags=[(tag, text, tag in tags) for tag, text in offered.items()],
        paused_until=until.astimezone(zone).date() if until else None,
        first_day=now.astimezone(zone).date() + datetime.timedelta(days=1),
        last_day=(now + LONGEST_PAUSE).astimezone(zone).date(),
        signed=sign(site, PREFERENCES, who.token),
        done=done,
        wrong=wrong,
    )


def _act(site: Site, token: str, act: Act, fields: Fields) -> Response:
    try:
        with site.engine.begin() as connection:
            who = visitor(connection, token)
            if who is None:
                return nobody(site)
            if not who.gets_mail:
                return _page(site, token, wrong="preferences_out", status=422)
            done = act(site, connection, who, fields)
    except _WrongError as wrong:
        return _page(site, token, wrong=wrong.word, status=422)
    return _page(site, token, done=done)


class _WrongError(Exception):
    """A field holds what can't be; nothing is changed."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


def _save(site: Site, connection: sa.Connection, who: Visitor, fields: Fields) -> str:
    name = fields.get("name", "").strip()
    try:
        clean_name(name)
    except SubscriberListError:
        raise _WrongError("preferences_name") from None
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise _WrongError("preferences_name")
    offered = list(site.config.preferences.tags)
    chosen = [tag for number, tag in enumerate(offered) if f"tag{number}" in fields]
    set_subscriber_name(connection, who.id, name, site.clock())
    set_chosen_tags(connection, who.id, offered, chosen)
    return "preferences_saved"


def _pause(site: Site, connection: sa.Connection, who: Visitor, fields: Fields) -> str:
    now = site.clock()
    choice = fields.get("for", "")
    if choice == "none":
        set_paused_until(connection, who.id, None, now)
        return "preferences_resumed"
    if choice in PAUSES:
        until = now + datetime.timedelta(days=PAUSES[choice])
    else:
        until = _midnight(site, fields.get("until", ""))
    if not now < until <= now + LONGEST_PAUSE + datetime.timedelta(days=1):
        raise _WrongError("preferences_date")
    set_paused_until(connection, who.id, until, now)
    return "preferences_paused"


def _midnight(site: Site, day: str) -> datetime.datetime:
    try:
        date = datetime.date.fromisoformat(day)
    except ValueError:
        raise _WrongError("preferences_date") from None
    zone = ZoneInfo(site.config.timezone)
    return datetime.datetime.combine(date, datetime.time.min, zone).astimezone(datetime.UTC)


def _move(site: Site, connection: sa.Connection, who: Visitor, fields: Fields) -> str:
    try:
        to = parse_address(fields.get("email", ""))
    except SubscriberListError:
        raise _WrongError("preferences_address") from None
    if to.key == who.key:
        raise _WrongError("preferences_same")
    if not change_address.ask(site, connection, who, to):
        raise _WrongError("preferences_wait")
    return "preferences_asked"


_ACTS: Mapping[str, Act] = {"save": _save, "pause": _pause, "move": _move}


def _download(site: Site, token: str) -> Response:
    """All that is known of them (GDPR, articles 15 and 20), but for the token."""
    with read_transaction(site.engine) as connection:
        who = visitor(connection, token)
        if who is None:
            return nobody(site)
        data: dict[str, Any] = profile_to_dict(
            find_profile(connection, ParsedAddress(who.address, who.key))
        )
    headers = {**PRIVATE, "Content-Disposition": 'attachment; filename="my-data.json"'}
    told = orjson.dumps(data, option=orjson.OPT_INDENT_2)
    return Response(told, media_type="application/json", headers=headers)


def _erase(site: Site, token: str, fields: Fields) -> Response:
    if fields.get("sure") != "yes":
        return _page(site, token, wrong="preferences_sure", status=422)
    with read_transaction(site.engine) as connection:
        who = visitor(connection, token)
    if who is None:
        return nobody(site)
    erase_address(site.engine, who.key, site.clock())
    return site.pages.page("forgotten", private=True)
