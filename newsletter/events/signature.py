"""Verify the signature of SendGrid's Signed Event Webhook. Pure.

ECDSA on P-256 with SHA-256 (FIPS 186-5) over the timestamp and the raw body, with nothing between
the two: the timestamp must have ten digits, or a part of the body could be passed off as time.

How old a signed body may be: SendGrid may send the same signed bytes for a day until we accept
them, so nothing is rejected for its age before that. A replayed body changes nothing anyway, since
its events are recorded by their ids.
"""

import base64
import binascii
import datetime
import re
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

FRESH_AGE = datetime.timedelta(minutes=10)
# SendGrid retries for 24 hours.
MAX_AGE = datetime.timedelta(hours=24) + FRESH_AGE
# SendGrid's clock may be ahead of ours.
MAX_CLOCK_SKEW = datetime.timedelta(minutes=2)

_TIMESTAMP = re.compile(r"[0-9]{10}")


class WebhookSignatureError(Exception):
    """The signature is invalid, too old or from the future; the message says which."""


def load_verification_key(text: str) -> EllipticCurvePublicKey:
    """Return the verification key (DER in base64), which the configuration has validated."""
    key = load_der_public_key(base64.b64decode(text))
    assert isinstance(key, EllipticCurvePublicKey)
    return key


def verify_signature(
    key: EllipticCurvePublicKey,
    signature: str,
    timestamp: str,
    body: bytes,
    now: datetime.datetime,
) -> Literal["fresh", "late"]:
    """Verify the signature of a body and classify its age.

    Args:
        key: from ``load_verification_key``.
        signature: the header X-Twilio-Email-Event-Webhook-Signature, DER in base64.
        timestamp: the header X-Twilio-Email-Event-Webhook-Timestamp.
        body: the raw body.
        now: aware.

    Returns:
        ``late`` if it was signed so long ago that it is a retry or a replay, else ``fresh``.

    Raises:
        WebhookSignatureError: it is not signed, signed by another key, changed, too old, or from
            the future.
    """
    if not _TIMESTAMP.fullmatch(timestamp):
        raise WebhookSignatureError("the timestamp is not ten digits")
    try:
        key.verify(
            base64.b64decode(signature, validate=True), timestamp.encode() + body, ECDSA(SHA256())
        )
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise WebhookSignatureError("the signature doesn't match the body and the key") from error
    age = now - datetime.datetime.fromtimestamp(int(timestamp), datetime.UTC)
    if age < -MAX_CLOCK_SKEW:
        raise WebhookSignatureError("it was signed in the future; check this machine's clock")
    if age > MAX_AGE:
        raise WebhookSignatureError("it was signed more than a day ago")
    return "fresh" if age <= FRESH_AGE else "late"
