"""Create and cancel scheduled sends in SendGrid's API."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol

import orjson

from newsletter.errors import ProviderError
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.outcomes import describe_response

MAX_RESPONSE_BYTES = 65_536


class JsonApi(Protocol):
    """What is needed of the client, which has these functions as methods."""

    def get(self, path: str, query: Mapping[str, str], max_bytes: int) -> Response | NoResponse:
        """GET a path, once."""

    def post(self, path: str, body: bytes) -> Response | NoResponse:
        """POST JSON to a path, once."""


def create_batch_id(client: JsonApi) -> str:
    """Request a batch id under which a send can be scheduled; no email is sent.

    Raises:
        ProviderError: SendGrid returned no id.
    """
    response = client.post("mail/batch", b"{}")
    batch_id = _response_field(response, HTTPStatus.CREATED, "batch_id")
    if not isinstance(batch_id, str) or not batch_id:
        raise ProviderError(
            f"SendGrid returned no batch id for the scheduled send: {describe_response(response)}",
            remedy="Nothing was sent. Try again, or schedule on this machine with --local.",
        )
    return batch_id


def cancel_scheduled(client: JsonApi, batch_id: str) -> None:
    """Cancel the scheduled send with this batch id. Idempotent.

    Raises:
        ProviderError: SendGrid did not confirm it.
    """
    body = orjson.dumps({"batch_id": batch_id, "status": "cancel"})
    response = client.post("user/scheduled_sends", body)
    if _is_cancelled(_parse_json(response, HTTPStatus.CREATED), batch_id):
        return
    # An earlier cancellation may have succeeded although its response was lost.
    current = client.get(f"user/scheduled_sends/{batch_id}", {}, MAX_RESPONSE_BYTES)
    entries = _parse_json(current, HTTPStatus.OK)
    if isinstance(entries, list) and any(_is_cancelled(entry, batch_id) for entry in entries):
        return
    raise ProviderError(
        f"SendGrid has not confirmed the cancellation: {describe_response(response)}",
        remedy="The scheduled emails may still go out. Run the same command again at once, or "
        f"cancel batch {batch_id} on SendGrid's website.",
    )


def _is_cancelled(entry: object, batch_id: str) -> bool:
    return (
        isinstance(entry, dict)
        and entry.get("batch_id") == batch_id
        and entry.get("status") == "cancel"
    )


def _response_field(response: Response | NoResponse, status: int, name: str) -> Any:
    data = _parse_json(response, status)
    return data.get(name) if isinstance(data, dict) else None


def _parse_json(response: Response | NoResponse, status: int) -> Any:
    if isinstance(response, NoResponse) or response.status != status:
        return None
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return None
