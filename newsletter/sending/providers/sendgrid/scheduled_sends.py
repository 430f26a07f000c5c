"""Mail that SendGrid holds until its time: a name for it, and taking it back."""

from http import HTTPStatus
from typing import Any

import orjson

from newsletter.errors import ProviderError
from newsletter.sending.providers.provider import Reply, Silence
from newsletter.sending.providers.sendgrid.client import Mailer
from newsletter.sending.providers.sendgrid.outcomes import words_of

ANSWER_BYTES = 65_536


def new_batch_id(mailer: Mailer) -> str:
    """Ask SendGrid for a name for all of a send. Nothing is sent by that.

    Raises:
        VendorError: it gives none.
    """
    answer = mailer.post("mail/batch", b"{}")
    batch_id = _member(answer, HTTPStatus.CREATED, "batch_id")
    if not isinstance(batch_id, str) or not batch_id:
        raise ProviderError(
            f"SendGrid gave no batch id to schedule by: {words_of(answer)}",
            remedy="Nothing was sent. Try again, or schedule on this machine with --local.",
        )
    return batch_id


def take_back(mailer: Mailer, batch_id: str) -> None:
    """Tell SendGrid to forget what it holds under ``batch_id``; may be done again.

    Raises:
        VendorError: it did not say that it will.
    """
    body = orjson.dumps({"batch_id": batch_id, "status": "cancel"})
    answer = mailer.post("user/scheduled_sends", body)
    if _member(answer, HTTPStatus.CREATED, "status") == "cancel":
        return
    # Perhaps it was told already, and that answer was lost.
    known = mailer.get(f"user/scheduled_sends/{batch_id}", {}, ANSWER_BYTES)
    for entry in _parsed(known, HTTPStatus.OK) or ():
        if entry == {"batch_id": batch_id, "status": "cancel"}:
            return
    raise ProviderError(
        f"SendGrid has not confirmed that it takes the mail back: {words_of(answer)}",
        remedy="What it holds may still go out. Run the same command again at once, or cancel "
        f"batch {batch_id} in SendGrid's own pages.",
    )


def _member(answer: Reply | Silence, status: int, name: str) -> Any:
    data = _parsed(answer, status)
    return data.get(name) if isinstance(data, dict) else None


def _parsed(answer: Reply | Silence, status: int) -> Any:
    if isinstance(answer, Silence) or answer.status != status:
        return None
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
