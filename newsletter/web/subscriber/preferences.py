"""Preferences page: name, topics, pause, address, data requests.

The token in the link grants access, except to the data as a whole: downloading or erasing it is
confirmed by email, since an issue may have been forwarded with its links. Each form is signed
against cross-site requests and does one thing; unsubscribing is on the page behind the unsubscribe
link.
"""

import datetime
from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from newsletter.db import read_transaction
from newsletter.db.schema import subscriber_tag
from newsletter.errors import SubscriberListError
from newsletter.render.locale import format_date
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.tracking_answers import (
    load_tracking_answers,
    record_tracking_answers,
)
from newsletter.subscribers.importing.rows.row_parser import clean_name
from newsletter.subscribers.preferences import (
    set_chosen_tags,
    set_paused_until,
    set_subscriber_name,
)
from newsletter.subscribers.topics import load_opt_outs, set_chosen_topics
from newsletter.web.consent_wording import (
    ANSWER_FIELD,
    ASKED_FIELD,
    get_tracking_question,
)
from newsletter.web.http.request_data import parse_form
from newsletter.web.site_context import Site
from newsletter.web.subscriber import change_address, data_requests
from newsletter.web.subscriber.access_token import (
    FORM_LIFETIME,
    Visitor,
    find_visitor,
    sign,
    unsign,
)
from newsletter.web.subscriber.unsubscribe import UNSUBSCRIBE_PURPOSE, render_unknown_token

FORM_PURPOSE = "preferences"
JOURNAL_SOURCE = "/p"
PAUSE_DAYS = {"week": 7, "month": 30, "quarter": 91}
MAX_PAUSE = datetime.timedelta(days=366)
MAX_NAME_LENGTH = 100

_SELECT_TAGS = sa.select(subscriber_tag.c.tag).where(
    subscriber_tag.c.subscriber_id == sa.bindparam("id")
)

FormFields = Mapping[str, str]
# Handles a submitted form and returns the key of its success message in the words.
FormAction = Callable[[Site, sa.Connection, Visitor, FormFields], str]


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes of the page behind every email's preferences link, and of its forms."""

    def show(request: Request) -> Response:
        return _render_preferences(site, request.path_params["token"])

    def submit(request: Request) -> Response:
        token, fields = request.path_params["token"], parse_form(request)
        is_signed = unsign(site, FORM_PURPOSE, fields.get("signed", ""), FORM_LIFETIME) == token
        match fields.get("do") if is_signed else None:
            case "download" | "erase" as kind:
                return data_requests.request_confirmation(site, token, kind)
            case str(action) if action in _ACTIONS:
                return _run_action(site, token, _ACTIONS[action], fields)
        return _render_preferences(
            site, token, error=_InvalidFieldError("preferences_stale"), status=400
        )

    return [
        Route("/p/{token}", show, methods=["GET"]),
        Route("/p/{token}", submit, methods=["POST"]),
    ]


def _render_preferences(
    site: Site,
    token: str,
    *,
    done_key: str = "",
    error: "_InvalidFieldError | None" = None,
    status: int = 200,
) -> Response:
    """Render the page, with a success or an error message if given.

    Args:
        site: the newsletter.
        token: the subscriber's token.
        done_key: the success message, a key of the words of pages.
        error: the error to show, with what was entered in its field.
        status: the HTTP status.
    """
    with read_transaction(site.engine) as connection:
        visitor = find_visitor(connection, token)
        if visitor is None:
            return render_unknown_token(site)
        offered = site.config.preferences.tags
        rows = connection.scalars(_SELECT_TAGS, {"id": visitor.id}) if offered else ()
        tags = {tag.casefold() for tag in rows}
        answers = load_tracking_answers(connection, visitor.id)
        opted_out = {opt_out.topic for opt_out in load_opt_outs(connection, visitor.address_key)}
    asked = site.config.tracking.asked_actions
    zone = ZoneInfo(site.config.timezone)
    now = site.clock()
    until = visitor.paused_until if visitor.paused_until and visitor.paused_until > now else None
    return site.pages.render_page(
        "preferences",
        status=status,
        private=True,
        who=visitor,
        reader=visitor.is_mailable,
        topics=[
            (topic, label, topic.casefold() not in opted_out)
            for topic, label in site.config.preferences.topics.items()
        ],
        tags=[(tag, label, tag.casefold() in tags) for tag, label in offered.items()],
        paused_until=until.astimezone(zone).date() if until else None,
        paused_until_text=(
            format_date(until.astimezone(zone).date(), site.pages.language) if until else ""
        ),
        first_day=now.astimezone(zone).date() + datetime.timedelta(days=1),
        last_day=(now + MAX_PAUSE).astimezone(zone).date(),
        tracking=get_tracking_question(site),
        agreed=[bool(answers.get(action)) for action in asked],
        signed=sign(site, FORM_PURPOSE, visitor.token),
        signed_leave=sign(site, UNSUBSCRIBE_PURPOSE, visitor.token),
        done=done_key,
        wrong=error.message_key if error else "",
        typed=error.typed if error else "",
    )


def _run_action(site: Site, token: str, action: FormAction, fields: FormFields) -> Response:
    try:
        with site.engine.begin() as connection:
            visitor = find_visitor(connection, token, lock=True)
            if visitor is None:
                return render_unknown_token(site)
            if not visitor.is_mailable:
                raise _InvalidFieldError("preferences_out")  # noqa: TRY301 - rendered below
            done_key = action(site, connection, visitor, fields)
    except _InvalidFieldError as error:
        return _render_preferences(site, token, error=error, status=422)
    return _render_preferences(site, token, done_key=done_key)


class _InvalidFieldError(Exception):
    """A field's value is invalid; nothing is changed.

    Attributes:
        message_key: a key of the words of pages.
        typed: the value, to be shown again.
    """

    def __init__(self, message_key: str, typed: str = "") -> None:
        super().__init__(message_key)
        self.message_key = message_key
        self.typed = typed


def _save_profile(
    site: Site, connection: sa.Connection, visitor: Visitor, fields: FormFields
) -> str:
    """Save name and choices, which are one form on own pages that are older than topics."""
    _save_name(site, connection, visitor, fields)
    return _save_choices(site, connection, visitor, fields)


def _save_name(site: Site, connection: sa.Connection, visitor: Visitor, fields: FormFields) -> str:
    name = fields.get("name", "").strip()
    try:
        clean_name(name)
    except SubscriberListError:
        raise _InvalidFieldError("preferences_name", name) from None
    if len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise _InvalidFieldError("preferences_name", name)
    set_subscriber_name(connection, visitor.id, name, site.clock())
    return "preferences_saved"


def _save_choices(
    site: Site, connection: sa.Connection, visitor: Visitor, fields: FormFields
) -> str:
    offered = list(site.config.preferences.tags)
    chosen = [tag for number, tag in enumerate(offered) if f"tag{number}" in fields]
    set_chosen_tags(connection, visitor.id, offered, chosen)
    _save_topics(site, connection, visitor, fields)
    return "preferences_saved"


def _save_topics(
    site: Site, connection: sa.Connection, visitor: Visitor, fields: FormFields
) -> None:
    """Save the topics that the form has asked about; one that was added since stays wanted."""
    # Another spelling in the settings is the same topic, also while a page is open.
    shown = {topic.casefold(): topic for topic in fields.get("topics", "").split()}
    asked = [topic for topic in site.config.preferences.topics if topic.casefold() in shown]
    wanted = [topic for topic in asked if f"topic-{shown[topic.casefold()]}" in fields]
    set_chosen_topics(
        connection, visitor.address_key, asked, wanted, (site.clock(), JOURNAL_SOURCE)
    )


def _set_pause(site: Site, connection: sa.Connection, visitor: Visitor, fields: FormFields) -> str:
    now = site.clock()
    choice = fields.get("for", "")
    if choice == "none":
        set_paused_until(connection, visitor.id, None, now)
        return "preferences_resumed"
    if choice in PAUSE_DAYS:
        until = now + datetime.timedelta(days=PAUSE_DAYS[choice])
    else:
        until = _parse_local_midnight(site, fields.get("until", ""))
    if not now < until <= now + MAX_PAUSE + datetime.timedelta(days=1):
        raise _InvalidFieldError("preferences_date")
    set_paused_until(connection, visitor.id, until, now)
    return "preferences_paused"


def _parse_local_midnight(site: Site, day: str) -> datetime.datetime:
    zone = ZoneInfo(site.config.timezone)
    try:
        date = datetime.date.fromisoformat(day)
        return datetime.datetime.combine(date, datetime.time.min, zone).astimezone(datetime.UTC)
    except (ValueError, OverflowError):  # east of Greenwich, the year 1 begins in the year 0
        raise _InvalidFieldError("preferences_date") from None


def _request_move(
    site: Site, connection: sa.Connection, visitor: Visitor, fields: FormFields
) -> str:
    typed = fields.get("email", "")
    try:
        new_address = parse_address(typed)
    except SubscriberListError:
        raise _InvalidFieldError("preferences_address", typed) from None
    if new_address.key == visitor.address_key:
        raise _InvalidFieldError("preferences_same", typed)
    if not change_address.request_address_change(site, connection, visitor, new_address):
        raise _InvalidFieldError("preferences_wait")
    return "preferences_asked"


def _answer_tracking(
    site: Site, connection: sa.Connection, visitor: Visitor, fields: FormFields
) -> str:
    question = get_tracking_question(site)
    answer = {"yes": True, "no": False}.get(fields.get(ANSWER_FIELD, ""))
    if question is None or answer is None or fields.get(ASKED_FIELD) != question["asked"]:
        raise _InvalidFieldError("preferences_stale")
    answers = dict.fromkeys(site.config.tracking.asked_actions, answer)
    origin = ChangeOrigin(site.clock(), "form", JOURNAL_SOURCE, question["wording"])
    record_tracking_answers(connection, visitor.id, answers, origin)
    return "preferences_saved"


_ACTIONS: Mapping[str, FormAction] = {
    "save": _save_profile,
    "topics": _save_choices,
    "name": _save_name,
    "pause": _set_pause,
    "move": _request_move,
    "tracking": _answer_tracking,
}
