"""Whether SendGrid has signed what came (its Signed Event Webhook). Pure.

ECDSA on P-256 with SHA-256 (FIPS 186-5) over the timestamp and the body as it came, with nothing
between the two: the timestamp has to be ten digits, or some of the body could be called time.

How old a signed body may be: SendGrid may send the same signed bytes for a day until we take
them, so age alone refuses nothing before that. Whoever sends an old body once more changes
nothing either way, for its events are on record by their ids.
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
# SendGrid tries for 24 hours.
MAX_AGE = datetime.timedelta(hours=24) + FRESH_AGE
# Clocks differ.
MAX_CLOCK_SKEW = datetime.timedelta(minutes=2)

_TIMESTAMP = re.compile(r"[0-9]{10}")


class WebhookSignatureError(Exception):
    """The body isn't what SendGrid has signed lately; the message says why."""


def load_verification_key(text: str) -> EllipticCurvePublicKey:
    """The verification key that SendGrid shows (DER in base64), checked by the configuration."""
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
    """Check who has signed a body, and when.

    Args:
        key: from ``load_key``.
        signature: the header X-Twilio-Email-Event-Webhook-Signature, DER in base64.
        timestamp: the header X-Twilio-Email-Event-Webhook-Timestamp.
        body: as it came.
        now: aware.

    Returns:
        ``late``: signed so long ago that it is a retry, or somebody's replay of it.

    Raises:
        Forged: it is not signed, not by this key, not this body, too old or of the future.
    """
    if not _TIMESTAMP.fullmatch(timestamp):
        raise WebhookSignatureError("the timestamp is not ten digits")
    try:
        key.verify(
            base64.b64decode(signature, validate=True), timestamp.encode() + body, ECDSA(SHA256())
        )
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise WebhookSignatureError("the signature is not that of this body by this key") from error
    age = now - datetime.datetime.fromtimestamp(int(timestamp), datetime.UTC)
    if age < -MAX_CLOCK_SKEW:
        raise WebhookSignatureError("it was signed in the future: is this machine's clock right?")
    if age > MAX_AGE:
        raise WebhookSignatureError("it was signed more than a day ago")
    return "fresh" if age <= FRESH_AGE else "late"
