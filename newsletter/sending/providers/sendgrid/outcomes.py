"""What an answer proves, and what to do next. Pure: the table of docs/explanation/exactly-once."""

import datetime
import re
from collections.abc import Mapping
from http import HTTPStatus

import orjson

from newsletter.sending.providers.provider import Kind, Outcome, Reply, Silence

# Nothing that the vendor says makes us wait longer.
LONGEST_THROTTLE = 3600.0
PLAIN_THROTTLE = 60.0

REMEDY_BY_STATUS: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "It concerns the whole issue: mend it, then send again.",
    HTTPStatus.UNAUTHORIZED: "Check SENDGRID_API_KEY: it may be mistyped, revoked, or made in "
    "the other region.",
    HTTPStatus.FORBIDDEN: "Verify the sender's address or domain at SendGrid, and give the key "
    "the permission Mail Send.",
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS: "Set sendgrid.region in newsletter.yml to the "
    "account's region.",
}

NAMED = re.compile(r"^personalizations[.\[](\d+)")
LONGEST_WORDS = 300


def judge(answer: Reply | Silence, now: datetime.datetime, *, sandbox: bool = False) -> Outcome:
    """Say what an answer proves.

    Args:
        answer: what came back.
        now: aware.
        sandbox: whether the request asked only to be checked (then 200 is success).
    """
    if isinstance(answer, Silence):
        return Outcome("unknown" if answer.left else "not_sent", _clean(answer.reason))
    words, fields = _complaints(answer)
    kind = _kind(answer.status, sandbox=sandbox)
    if kind == "accepted":
        message_id = _clean(answer.headers.get("x-message-id", ""))
        return Outcome(kind, status=answer.status, message_id=message_id)
    if kind == "rejected":
        return _refusal(answer.status, words, fields)
    if kind == "throttled":
        return Outcome(kind, words, answer.status, until=_until(answer.headers, now))
    remedy = _remedy(answer.status, words) if kind == "blocked" else ""
    return Outcome(kind, words, answer.status, remedy=remedy)


def words_of(answer: Reply | Silence) -> str:
    """The vendor's words, or what happened on the way."""
    return _clean(answer.reason) if isinstance(answer, Silence) else _complaints(answer)[0]


def _kind(status: int, *, sandbox: bool) -> Kind:
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


def _refusal(status: int, words: str, fields: list[tuple[str, str]]) -> Outcome:
    readers: dict[int, str] = {}
    for where, message in fields:
        if found := NAMED.match(where):
            readers.setdefault(int(found[1]), message)
    if readers:
        return Outcome("rejected", words, status, readers=readers)
    if any(where and not where.startswith("personalizations") for where, _ in fields):
        # It is about what all readers share: no half of the batch would fare better.
        return Outcome("blocked", words, status, remedy=_remedy(status, words))
    return Outcome("rejected", words, status)


def _complaints(reply: Reply) -> tuple[str, list[tuple[str, str]]]:
    """The vendor's words in one line, and (field, message) of each."""
    fields: list[tuple[str, str]] = []
    try:
        for error in orjson.loads(reply.body)["errors"]:
            where = error.get("field")
            # The vendor's own examples write "null" for none.
            known = where if isinstance(where, str) and where != "null" else ""
            fields.append((known, _clean(str(error["message"]))))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return f"HTTP {reply.status}", []
    if not fields:
        return f"HTTP {reply.status}", []
    some = "; ".join(dict.fromkeys(message for _, message in fields))
    return _clean(some), fields


def _clean(words: str) -> str:
    # What is not printable may not be stored either: PostgreSQL has no NUL in text.
    printable = "".join(char if char.isprintable() else " " for char in words[:LONGEST_WORDS])
    return " ".join(printable.split())


def _until(headers: Mapping[str, str], now: datetime.datetime) -> datetime.datetime:
    seconds = PLAIN_THROTTLE
    try:
        if "x-ratelimit-reset" in headers:
            seconds = float(headers["x-ratelimit-reset"]) - now.timestamp()
        elif "retry-after" in headers:
            seconds = float(headers["retry-after"])
    except ValueError:
        pass  # an HTTP date, or nonsense
    if not seconds < LONGEST_THROTTLE:  # NaN too
        seconds = LONGEST_THROTTLE
    return now + datetime.timedelta(seconds=max(seconds, 1.0))


def _remedy(status: int, words: str) -> str:
    if status == HTTPStatus.UNAUTHORIZED and "credits" in words.lower():
        return "The account's credits are used up: raise its plan at SendGrid."
    if status == HTTPStatus.FORBIDDEN and "limit" in words.lower():
        return "The account may send no more for now: see its limits at SendGrid."
    return REMEDY_BY_STATUS.get(
        status, "Check sendgrid.host in newsletter.yml: this doesn't look like SendGrid's API."
    )
