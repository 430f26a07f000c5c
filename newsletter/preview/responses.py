"""The preview's responses, and request bodies of a limited size."""

import mimetypes
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from newsletter.posts.stills import draw_still, find_still_name
from newsletter.posts.svg import find_svg_problem
from newsletter.preview.access_control import EMAIL_POLICY, ERROR_POLICY, FILE_POLICY

IMAGE_MEDIA_TYPES = {
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/svg+xml",
}


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


def make_issue_image_response(folder: Path, name: str) -> Response:
    """Serve an image from an issue's folder, and no other file of this machine."""
    try:
        still_name = find_still_name(folder, name)
        # Path.resolve raises RuntimeError for a link that leads to itself.
        path = Path(os.path.realpath(folder / (still_name or name), strict=True))
        media_type = mimetypes.guess_type(path.name)[0]
        is_served = (
            media_type in IMAGE_MEDIA_TYPES
            and path.is_relative_to(folder.resolve())
            and path.is_file()
            and not (media_type == "image/svg+xml" and find_svg_problem(path.read_bytes()))
        )
        drawn = draw_still(path) if is_served and still_name else None
    except (OSError, ValueError):  # not there, not readable, or a NUL in the path
        is_served = False
    if not is_served:
        return make_error_response("no such image", 404)
    headers = {
        "cache-control": "private, max-age=31536000, immutable",
        "content-security-policy": FILE_POLICY,
    }
    if drawn is not None:
        return Response(drawn, media_type=mimetypes.guess_type(name)[0], headers=headers)
    return FileResponse(path, media_type=media_type, headers=headers)


def make_error_response(message: str, status: int) -> Response:
    """Return a single problem."""
    return make_problems_response([{"message": message}], status)


def make_problems_response(problems: Sequence[Mapping[str, object]], status: int) -> Response:
    """Return problems as the page shows them."""
    headers = {"content-security-policy": ERROR_POLICY}
    return JSONResponse({"faults": problems}, status, headers)
