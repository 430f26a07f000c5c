"""The preview's responses, and request bodies of a limited size."""

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from newsletter.preview.access_control import EMAIL_POLICY, ERROR_POLICY


class BodyTooLargeError(Exception):
    """A request's body that is larger than its route allows."""


class BadRequestError(Exception):
    """A request's body that its route can't read."""


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return a request's body.

    Raises:
        BodyTooLargeError: it has more than ``max_bytes``; no more of it is read.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise BodyTooLargeError
    return body


def make_email_response(document: str) -> Response:
    """Return an email's HTML under the policy of emails: it can run nothing."""
    headers = {"content-security-policy": EMAIL_POLICY}
    return Response(document, media_type="text/html", headers=headers)


def make_eml_response(message: bytes, name: str) -> Response:
    """Return a message as a file ``NAME.eml`` to save."""
    disposition = f'attachment; filename="{name}.eml"'
    return Response(
        message, media_type="message/rfc822", headers={"content-disposition": disposition}
    )


def make_error_response(message: str, status: int) -> Response:
    """Return a single problem."""
    return make_problems_response([{"message": message}], status)


def make_problems_response(problems: Sequence[Mapping[str, object]], status: int) -> Response:
    """Return problems as the page shows them."""
    headers = {"content-security-policy": ERROR_POLICY}
    return JSONResponse({"faults": problems}, status, headers)
