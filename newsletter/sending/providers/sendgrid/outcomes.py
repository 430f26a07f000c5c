"""What an answer proves, and what to do next. Pure: the table of docs/explanation/exactly-once."""

import datetime
import re
from collections.abc import Mapping
from http import HTTPStatus

import orjson

from newsletter.sending.providers.provider import NoResponse, Outcome, OutcomeKind, Response

# Nothing that the vendor says makes us wait longer.
MAX_RETRY_AFTER_SECONDS = 3600.0
DEFAULT_RETRY_AFTER_SECONDS = 60.0

REMEDY_BY_STATUS: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "It concerns the whole issue: mend it, then send again.",
    HTTPStatus.UNAUTHORIZED: "Check SENDGRID_API_KEY: it may be mistyped, revoked, or made in "
    "the other region.",
    HTTPStatus.FORBIDDEN: "Verify the sender's address or domain at SendGrid, and give the key "
    "the permission Mail Send.",
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS: "Set sendgrid.region in newsletter.yml to the "
    "account's region.",
}

PERSONALIZATION_INDEX = re.compile(r"^personalizations[.\[](\d+)")
MAX_MESSAGE_LENGTH = 300


def classify_response(
    response: Response | NoResponse, now: datetime.datetime, *, sandbox: bool = False
) -> Outcome:
    """Say what an answer proves.

    Args:
        response: what came back.
        now: aware.
        sandbox: whether the request asked only to be checked (then 200 is success).
    """
    if isinstance(response, NoResponse):
        return Outcome(
            "unknown" if response.request_sent else "not_sent", _clean_text(response.reason)
        )
    words, fields = _parse_errors(response)
    kind = _classify_status(response.status, sandbox=sandbox)
    if kind == "accepted":
        message_id = _clean_text(response.headers.get("x-message-id", ""))
        return Outcome(kind, status=response.status, message_id=message_id)
    if kind == "rejected":
        return _classify_rejection(response.status, words, fields)
    if kind == "throttled":
        return Outcome(
            kind, words, response.status, retry_at=_parse_retry_at(response.headers, now)
        )
    remedy = _suggest_remedy(response.status, words) if kind == "blocked" else ""
    return Outcome(kind, words, response.status, remedy=remedy)


def describe_response(response: Response | NoResponse) -> str:
    """The vendor's words, or what happened on the way."""
    return (
        _clean_text(response.reason)
        if isinstance(response, NoResponse)
        else _parse_errors(response)[0]
    )


def _classify_status(status: int, *, sandbox: bool) -> OutcomeKind:
    if status == HTTPStatus.ACCEPTED or (sandbox and status == HTTPStatus.OK):
        return "accepted"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "throttled"
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}:
        return "rejected"
    # Any other 3xx or 4xx was not acted on either; but a 408 may be a proxy's, of its own wait.
    if 3 <= status // 100 <= 4 and status != HTTPStatus.REQUEST_TIMEOUT:  # noqa: PLR2004
        return "blocked"
    return "unknown"


def _classify_rejection(status: int, text: str, fields: list[tuple[str, str]]) -> Outcome:
    readers: dict[int, str] = {}
    for where, message in fields:
        if found := PERSONALIZATION_INDEX.match(where):
            readers.setdefault(int(found[1]), message)
    if readers:
        return Outcome("rejected", text, status, recipient_errors=readers)
    if any(where and not where.startswith("personalizations") for where, _ in fields):
        # It is about what all readers share: no half of the batch would fare better.
        return Outcome("blocked", text, status, remedy=_suggest_remedy(status, text))
    return Outcome("rejected", text, status)


def _parse_errors(response: Response) -> tuple[str, list[tuple[str, str]]]:
    """The vendor's words in one line, and (field, message) of each."""
    fields: list[tuple[str, str]] = []
    try:
        for error in orjson.loads(response.body)["errors"]:
            where = error.get("field")
            # The vendor's own examples write "null" for none.
            known = where if isinstance(where, str) and where != "null" else ""
            fields.append((known, _clean_text(str(error["message"]))))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return f"HTTP {response.status}", []
    if not fields:
        return f"HTTP {response.status}", []
    some = "; ".join(dict.fromkeys(message for _, message in fields))
    return _clean_text(some), fields


def _clean_text(text: str) -> str:
    # What is not printable may not be stored either: PostgreSQL has no NUL in text.
    printable = "".join(char if char.isprintable() else " " for char in text[:MAX_MESSAGE_LENGTH])
    return " ".join(printable.split())


def _parse_retry_at(headers: Mapping[str, str], now: datetime.datetime) -> datetime.datetime:
    seconds = DEFAULT_RETRY_AFTER_SECONDS
    try:
        if "x-ratelimit-reset" in headers:
            seconds = float(headers["x-ratelimit-reset"]) - now.timestamp()
        elif "retry-after" in headers:
            seconds = float(headers["retry-after"])
    except ValueError:
        pass  # an HTTP date, or nonsense
    if not seconds < MAX_RETRY_AFTER_SECONDS:  # NaN too
        seconds = MAX_RETRY_AFTER_SECONDS
    return now + datetime.timedelta(seconds=max(seconds, 1.0))


def _suggest_remedy(status: int, text: str) -> str:
    if status == HTTPStatus.UNAUTHORIZED and "credits" in text.lower():
        return "The account's credits are used up: raise its plan at SendGrid."
    if status == HTTPStatus.FORBIDDEN and "limit" in text.lower():
        return "The account may send no more for now: see its limits at SendGrid."
    return REMEDY_BY_STATUS.get(
        status, "Check sendgrid.host in newsletter.yml: this doesn't look like SendGrid's API."
    )
