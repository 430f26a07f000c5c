"""What a request carries. The body was read, within its limits, before an endpoint runs."""

import unicodedata
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request


class Refused(Exception):
    """Ends a request; becomes a short page, or JSON where a program asks.

    Attributes:
        status: of HTTP.
        word: a key of ``words.yml``; the status's own if empty.
    """

    def __init__(self, status: int, word: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.word = word or f"status_{status}"


BODY = "newsletter.body"
FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 50


def raw_body(request: Request) -> bytes:
    """The whole body."""
    body: bytes = request.scope.get(BODY, b"")
    return body


def form(request: Request) -> dict[str, str]:
    """The fields of a form as browsers send it (application/x-www-form-urlencoded, UTF-8).

    Raises:
        Refused: it is none, or a field is there twice or holds a control character.
    """
    if media_type(request) != FORM:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        pairs = parse_qsl(
            raw_body(request).decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(raw_body(request)),
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST) from None
    fields = dict(pairs)
    if len(fields) < len(pairs) or any(_odd(text) for pair in pairs for text in pair):
        raise Refused(HTTPStatus.BAD_REQUEST)
    return fields


def json_body(request: Request) -> Any:
    """The body as JSON.

    Raises:
        Refused: it is none.
    """
    if media_type(request) != "application/json":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        return orjson.loads(raw_body(request))
    except orjson.JSONDecodeError:
        raise Refused(HTTPStatus.BAD_REQUEST) from None


def media_type(request: Request) -> str:
    """The type of the body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def peer(request: Request) -> str:
    """The client's internet address, as far as trusted proxies tell it."""
    return request.client.host if request.client else ""


def _odd(text: str) -> bool:
    return any(unicodedata.category(char) in {"Cc", "Cs"} for char in text)
