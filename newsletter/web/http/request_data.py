"""Parse a request: form fields, JSON body, client IP address.

The body has been read, within its limits, before an endpoint runs.
"""

import unicodedata
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request

BODY_SCOPE_KEY = "newsletter.body"
FORM_MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_FIELDS = 50


class RequestRefusedError(Exception):
    """The request is refused; the response is a short page, or JSON for programs.

    Attributes:
        status: the HTTP status.
        message_key: a key of the words of pages; by default that of the status.
    """

    def __init__(self, status: int, message_key: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.message_key = message_key or f"status_{status}"


def get_raw_body(request: Request) -> bytes:
    """Return the request's body, not parsed."""
    body: bytes = request.scope.get(BODY_SCOPE_KEY, b"")
    return body


def parse_form(request: Request) -> dict[str, str]:
    """Return the fields of a form as browsers send it.

    That is application/x-www-form-urlencoded, in UTF-8.

    Raises:
        RequestRefusedError: not such a form, or a field is repeated or has a control character.
    """
    if get_media_type(request) != FORM_MEDIA_TYPE:
        raise RequestRefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        pairs = parse_qsl(
            get_raw_body(request).decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(get_raw_body(request)),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise RequestRefusedError(HTTPStatus.BAD_REQUEST) from None
    fields = dict(pairs)
    if len(fields) < len(pairs) or any(
        _has_control_character(text) for pair in pairs for text in pair
    ):
        raise RequestRefusedError(HTTPStatus.BAD_REQUEST)
    return fields


def parse_json_body(request: Request) -> Any:
    """Return the parsed JSON body.

    Raises:
        RequestRefusedError: it is not JSON.
    """
    if get_media_type(request) != "application/json":
        raise RequestRefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        return orjson.loads(get_raw_body(request))
    except orjson.JSONDecodeError:
        raise RequestRefusedError(HTTPStatus.BAD_REQUEST) from None


def get_media_type(request: Request) -> str:
    """Return the body's media type, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def get_client_ip(request: Request) -> str:
    """Return the client's IP address, as reported by trusted proxies."""
    return request.client.host if request.client else ""


def _has_control_character(text: str) -> bool:
    return any(unicodedata.category(char) in {"Cc", "Cs"} for char in text)
