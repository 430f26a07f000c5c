"""Signatures made with a key of the test: what is believed, and what is not."""

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
SECRET = ec.generate_private_key(ec.SECP256R1())
KEY = load_verification_key(
    base64.b64encode(
        SECRET.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode()
)
BODY = b'[{"event":"open"}]'
SECOND = datetime.timedelta(seconds=1)


def at(time: datetime.datetime) -> str:
    return str(int(time.timestamp()))


def signed(data: bytes, secret: ec.EllipticCurvePrivateKey = SECRET) -> str:
    return base64.b64encode(secret.sign(data, ec.ECDSA(SHA256()))).decode()


@pytest.mark.parametrize(
    ("made", "age"),
    [
        (NOW, "fresh"),
        (NOW - FRESH_AGE, "fresh"),
        (NOW + MAX_CLOCK_SKEW, "fresh"),
        (NOW - FRESH_AGE - SECOND, "late"),
        (NOW - MAX_AGE, "late"),
    ],
)
def test_what_was_signed_lately_is_believed(made: datetime.datetime, age: str) -> None:
    time = at(made)
    assert verify_signature(KEY, signed(time.encode() + BODY), time, BODY, NOW) == age


@pytest.mark.parametrize("made", [NOW + MAX_CLOCK_SKEW + SECOND, NOW - MAX_AGE - SECOND])
def test_the_future_and_the_day_before_are_not(made: datetime.datetime) -> None:
    time = at(made)
    with pytest.raises(WebhookSignatureError):
        verify_signature(KEY, signed(time.encode() + BODY), time, BODY, NOW)


@pytest.mark.parametrize(
    "time", ["", "1", "17961156001", " 1796115600", "1796115600\n", "१७९६११५६००"]
)
def test_a_time_that_is_not_ten_digits_is_none_even_if_signed(time: str) -> None:
    with pytest.raises(WebhookSignatureError, match="ten digits"):
        verify_signature(KEY, signed(time.encode() + BODY), time, BODY, NOW)


def test_no_byte_of_the_body_can_be_called_time() -> None:
    time = at(NOW)
    whole = signed(time.encode() + b"7" + BODY)
    with pytest.raises(WebhookSignatureError):
        verify_signature(KEY, whole, f"{time}7", BODY, NOW)
    with pytest.raises(WebhookSignatureError):
        verify_signature(KEY, whole, time[1:] + "7", BODY, NOW)


def test_another_body_time_or_key_is_refused() -> None:
    time = at(NOW)
    right = signed(time.encode() + BODY)
    stranger = signed(time.encode() + BODY, ec.generate_private_key(ec.SECP256R1()))
    for signature, when, body in (
        (right, time, BODY + b" "),
        (right, at(NOW - SECOND), BODY),
        (stranger, time, BODY),
        (right[:-4], time, BODY),
        ("", time, BODY),
        ("not base64!", time, BODY),
        ("é", time, BODY),
    ):
        with pytest.raises(WebhookSignatureError):
            verify_signature(KEY, signature, when, body, NOW)
