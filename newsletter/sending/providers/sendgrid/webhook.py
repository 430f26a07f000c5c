"""Verify the signature of a request of SendGrid's Event Webhook."""

import datetime
from collections.abc import Callable, Sequence
from typing import Literal

from newsletter.events.signature import (
    WebhookSignatureError,
    load_verification_key,
    verify_signature,
)
from newsletter.sending.providers.provider import EventVerifier

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"


def make_verifier(verification_key: str) -> EventVerifier:
    """Return a function that verifies the requests that are signed for a key."""
    key = load_verification_key(verification_key)

    def verify(
        get_headers: Callable[[str], Sequence[str]], body: bytes, now: datetime.datetime
    ) -> Literal["fresh", "late"]:
        signature, timestamp = (
            _get_single_header(get_headers, name) for name in (SIGNATURE_HEADER, TIMESTAMP_HEADER)
        )
        return verify_signature(key, signature, timestamp, body, now)

    return verify


def _get_single_header(get_headers: Callable[[str], Sequence[str]], name: str) -> str:
    """Return a header that occurs exactly once.

    Of a repeated header, a proxy may have checked the other value.

    Raises:
        WebhookSignatureError: the header is missing or repeated.
    """
    values = get_headers(name)
    if len(values) != 1:
        raise WebhookSignatureError(
            f"the header {name} is missing" if not values else f"the header {name} is repeated"
        )
    return values[0]
