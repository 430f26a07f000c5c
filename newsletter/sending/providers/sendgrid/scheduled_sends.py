"""Mail that SendGrid holds until its time: a name for it, and taking it back."""

from http import HTTPStatus
from typing import Any

import orjson

from newsletter.errors import ProviderError
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.outcomes import describe_response

MAX_RESPONSE_BYTES = 65_536


def create_batch_id(client: SendGridClient) -> str:
    """Ask SendGrid for a name for all of a send. Nothing is sent by that.

    Raises:
        VendorError: it gives none.
    """
    answer = client.post("mail/batch", b"{}")
    batch_id = _response_field(answer, HTTPStatus.CREATED, "batch_id")
    if not isinstance(batch_id, str) or not batch_id:
        raise ProviderError(
            f"SendGrid gave no batch id to schedule by: {describe_response(answer)}",
            remedy="Nothing was sent. Try again, or schedule on this machine with --local.",
        )
    return batch_id


def cancel_scheduled(client: SendGridClient, batch_id: str) -> None:
    """Tell SendGrid to forget what it holds under ``batch_id``; may be done again.

    Raises:
        VendorError: it did not say that it will.
    """
    body = orjson.dumps({"batch_id": batch_id, "status": "cancel"})
    answer = client.post("user/scheduled_sends", body)
    if _response_field(answer, HTTPStatus.CREATED, "status") == "cancel":
        return
    # Perhaps it was told already, and that answer was lost.
    known = client.get(f"user/scheduled_sends/{batch_id}", {}, MAX_RESPONSE_BYTES)
    for entry in _parse_json(known, HTTPStatus.OK) or ():
        if entry == {"batch_id": batch_id, "status": "cancel"}:
            return
    raise ProviderError(
        f"SendGrid has not confirmed that it takes the mail back: {describe_response(answer)}",
        remedy="What it holds may still go out. Run the same command again at once, or cancel "
        f"batch {batch_id} in SendGrid's own pages.",
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
