"""Webhook signatures made with a test key: which are valid, and which are not."""

import base64
import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from newsletter.events.signature import (
    FRESH_AGE,
    MAX_AGE,
    MAX_CLOCK_SKEW,
    WebhookSignatureError,
    load_verification_key,
    verify_signature,
)

NOW = datetime.datetime(2026, 12, 1, 9, 0, tzinfo=datetime.UTC)
PRIVATE_KEY = ec.generate_private_key(ec.SECP256R1())
KEY = load_verification_key(
    base64.b64encode(
        PRIVATE_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode()
)
BODY = b'[{"event":"open"}]'
SECOND = datetime.timedelta(seconds=1)


def timestamp(time: datetime.datetime) -> str:
    return str(int(time.timestamp()))


def sign(data: bytes, private_key: ec.EllipticCurvePrivateKey = PRIVATE_KEY) -> str:
    return base64.b64encode(private_key.sign(data, ec.ECDSA(SHA256()))).decode()


@pytest.mark.parametrize(
    ("signed_at", "age"),
    [
        (NOW, "fresh"),
        (NOW - FRESH_AGE, "fresh"),
        (NOW + MAX_CLOCK_SKEW, "fresh"),
        (NOW - FRESH_AGE - SECOND, "late"),
        (NOW - MAX_AGE, "late"),
    ],
)
def test_recent_signature_is_valid(signed_at: datetime.datetime, age: str) -> None:
    time = timestamp(signed_at)
    assert verify_signature(KEY, sign(time.encode() + BODY), time, BODY, NOW) == age


@pytest.mark.parametrize("signed_at", [NOW + MAX_CLOCK_SKEW + SECOND, NOW - MAX_AGE - SECOND])
def test_signature_from_the_future_or_over_a_day_old_is_rejected(
    signed_at: datetime.datetime,
) -> None:
    time = timestamp(signed_at)
    with pytest.raises(WebhookSignatureError):
        verify_signature(KEY, sign(time.encode() + BODY), time, BODY, NOW)


@pytest.mark.parametrize(
    "time", ["", "1", "17961156001", " 1796115600", "1796115600\n", "१७९६११५६००"]
)
def test_timestamp_without_ten_digits_is_rejected_even_if_signed(time: str) -> None:
    with pytest.raises(WebhookSignatureError, match="ten digits"):
        verify_signature(KEY, sign(time.encode() + BODY), time, BODY, NOW)


def test_body_bytes_cannot_be_moved_into_the_timestamp() -> None:
    time = timestamp(NOW)
    signature = sign(time.encode() + b"7" + BODY)
    with pytest.raises(WebhookSignatureError):
        verify_signature(KEY, signature, f"{time}7", BODY, NOW)
    with pytest.raises(WebhookSignatureError):
        verify_signature(KEY, signature, time[1:] + "7", BODY, NOW)


def test_another_body_time_or_key_is_rejected() -> None:
    time = timestamp(NOW)
    valid = sign(time.encode() + BODY)
    by_other_key = sign(time.encode() + BODY, ec.generate_private_key(ec.SECP256R1()))
    for signature, claimed_time, body in (
        (valid, time, BODY + b" "),
        (valid, timestamp(NOW - SECOND), BODY),
        (by_other_key, time, BODY),
        (valid[:-4], time, BODY),
        ("", time, BODY),
        ("not base64!", time, BODY),
        ("é", time, BODY),
    ):
        with pytest.raises(WebhookSignatureError):
            verify_signature(KEY, signature, claimed_time, body, NOW)
