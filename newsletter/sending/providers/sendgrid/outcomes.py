"""Classify API responses: accepted, rejected, unknown, throttled. Pure.

This is the table of docs/explanation/exactly-once.md.
"""

import datetime
import re
from collections.abc import Mapping
from http import HTTPStatus

import orjson

from newsletter.sending.providers.provider import NoResponse, Outcome, OutcomeKind, Response

# An upper limit, whatever the rate-limit headers say.
MAX_RETRY_AFTER_SECONDS = 3600.0
DEFAULT_RETRY_AFTER_SECONDS = 60.0

REMEDY_BY_STATUS: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "This affects the whole issue: fix it, then send again.",
    HTTPStatus.UNAUTHORIZED: "Check SENDGRID_API_KEY: it may be mistyped, revoked, or made in "
    "the other region.",
    HTTPStatus.FORBIDDEN: "Verify the sender's address or domain at SendGrid, and give the key "
    "the Mail Send permission.",
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS: "Set sendgrid.region in newsletter.yml to the "
    "account's region.",
}

PERSONALIZATION_INDEX = re.compile(r"^personalizations[.\[](\d+)")
MAX_MESSAGE_LENGTH = 300


def classify_response(
    response: Response | NoResponse, now: datetime.datetime, *, sandbox: bool = False
) -> Outcome:
    """Return what a response proves about the request.

    Args:
        response: the response, or why there was none.
        now: aware.
        sandbox: whether the request was sent in sandbox mode, where 200 means success.
    """
    if isinstance(response, NoResponse):
        return Outcome(
            "unknown" if response.request_sent else "not_sent", _clean_text(response.reason)
        )
    message, fields = _parse_errors(response)
    kind = _classify_status(response.status, sandbox=sandbox)
    if kind == "accepted":
        message_id = _clean_text(response.headers.get("x-message-id", ""))
        return Outcome(kind, status=response.status, message_id=message_id)
    if kind == "rejected":
        return _classify_rejection(response.status, message, fields)
    if kind == "throttled":
        return Outcome(
            kind, message, response.status, retry_at=_parse_retry_at(response.headers, now)
        )
    remedy = suggest_remedy(response.status, message) if kind == "blocked" else ""
    return Outcome(kind, message, response.status, remedy=remedy)


def describe_response(response: Response | NoResponse) -> str:
    """Return SendGrid's error message, or the network error."""
    return (
        _clean_text(response.reason)
        if isinstance(response, NoResponse)
        else _parse_errors(response)[0]
    )


def suggest_remedy(status: int, text: str) -> str:
    """Return what a person can do about a response that blocks a send, by its error message."""
    if status == HTTPStatus.UNAUTHORIZED and "credits" in text.lower():
        return "The account's credits are used up: upgrade its plan at SendGrid."
    if status == HTTPStatus.FORBIDDEN and "limit" in text.lower():
        return "The account has reached its sending limit: see its limits at SendGrid."
    return REMEDY_BY_STATUS.get(
        status, "Check sendgrid.host in newsletter.yml: this doesn't look like SendGrid's API."
    )


def _classify_status(status: int, *, sandbox: bool) -> OutcomeKind:
    if status == HTTPStatus.ACCEPTED or (sandbox and status == HTTPStatus.OK):
        return "accepted"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "throttled"
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}:
        return "rejected"
    # Any other 3xx or 4xx was not acted on either; but a 408 may come from a proxy that timed out.
    if 3 <= status // 100 <= 4 and status != HTTPStatus.REQUEST_TIMEOUT:  # noqa: PLR2004
        return "blocked"
    return "unknown"


def _classify_rejection(status: int, text: str, fields: list[tuple[str, str]]) -> Outcome:
    recipient_errors: dict[int, str] = {}
    for field, message in fields:
        if match := PERSONALIZATION_INDEX.match(field):
            recipient_errors.setdefault(int(match[1]), message)
    if recipient_errors:
        return Outcome("rejected", text, status, recipient_errors=recipient_errors)
    if any(field and not field.startswith("personalizations") for field, _ in fields):
        # The error is about what all recipients share: splitting the batch would not help.
        return Outcome("blocked", text, status, remedy=suggest_remedy(status, text))
    return Outcome("rejected", text, status)


def _parse_errors(response: Response) -> tuple[str, list[tuple[str, str]]]:
    """Return the error messages as one line, and (field, message) of each error."""
    fields: list[tuple[str, str]] = []
    try:
        for error in orjson.loads(response.body)["errors"]:
            field = error.get("field")
            # SendGrid's own examples write "null" for no field.
            field_path = field if isinstance(field, str) and field != "null" else ""
            fields.append((field_path, _clean_text(str(error["message"]))))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return f"HTTP {response.status}", []
    if not fields:
        return f"HTTP {response.status}", []
    messages = "; ".join(dict.fromkeys(message for _, message in fields))
    return _clean_text(messages), fields


def _clean_text(text: str) -> str:
    # Unprintable characters can't all be stored: PostgreSQL has no NUL in text.
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
        pass  # an HTTP date, or not a number
    if not seconds < MAX_RETRY_AFTER_SECONDS:  # true for NaN, too
        seconds = MAX_RETRY_AFTER_SECONDS
    return now + datetime.timedelta(seconds=max(seconds, 1.0))
