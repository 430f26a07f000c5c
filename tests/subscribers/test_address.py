import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import parse_address

LOCAL = st.text("abzAZ09._+-'!\"@ \u00e9\u0130\r\n\0", min_size=0, max_size=66)
LABEL = st.text("abZ09-_.\u00fc\u00df\u200b ", min_size=0, max_size=66)


@pytest.mark.parametrize(
    ("text", "address", "key"),
    [
        ("Ada.Lovelace@Example.COM", "Ada.Lovelace@example.com", "ada.lovelace@example.com"),
        ("  ada@example.com\t", "ada@example.com", "ada@example.com"),
        ("\ufeffada@example.com\xa0", "ada@example.com", "ada@example.com"),
        ("o'brien+news@x.example", "o'brien+news@x.example", "o'brien+news@x.example"),
        ("Ada@M\u00dcNCHEN.de", "Ada@m\u00fcnchen.de", "ada@xn--mnchen-3ya.de"),
        ("ada@xn--mnchen-3ya.de", "ada@m\u00fcnchen.de", "ada@xn--mnchen-3ya.de"),
        ("l" * 64 + "@example.com", "l" * 64 + "@example.com", "l" * 64 + "@example.com"),
    ],
)
def test_address_and_key(text: str, address: str, key: str) -> None:
    assert parse_address(text) == (address, key)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the email address is missing"),
        (" \t", "the email address is missing"),
        ("ada", "'ada' is not a valid email address"),
        ("ada@", "is not a valid email address"),
        ("ada@localhost", "is not a valid email address"),
        ("ada@example.com, bo@example.com", "is not a valid email address"),
        ("Ada <ada@example.com>", "is not a valid email address"),
        ("ada@exam\nple.com", "is not a valid email address"),
        ("ada\r\nBcc: all@example.com", "is not a valid email address"),
        ("ada@example.com\n", "is not a valid email address"),
        ("ada\0@example.com", "is not a valid email address"),
        ("a\u200bda@example.com", "is not a valid email address"),
        ("\u00e9mile@example.com", "non-ASCII characters before the @"),
        ("l" * 65 + "@example.com", "is not a valid email address"),
        ("ada@" + "d" * 64 + ".com", "is not a valid email address"),
        ("ada@" + ("d" * 62 + ".") * 4 + "com", "is not a valid email address"),
        ("a" * 10_000_000, "…' is not a valid email address"),
    ],
)
def test_invalid_address_is_rejected_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(SubscriberListError) as caught:
        parse_address(text)
    message = caught.value.problems[0].message
    assert reason in message
    assert len(message) < 300


@given(local=LOCAL, domain=st.one_of(LABEL, LABEL.map(lambda text: f"{text}.com")))
@example("a", "example.com")
@example("A.b", "\u00fc\u00df.example.com")
def test_fast_path_agrees_with_full_validation(local: str, domain: str) -> None:
    text = f"{local}@{domain}".strip(" \t\xa0\ufeff")
    try:
        found = validate_email(text, check_deliverability=False, strict=True)
    except EmailNotValidError:
        expected = None
    else:
        expected = found.normalized if found.local_part.isascii() else None
    try:
        address = parse_address(text).address
    except SubscriberListError:
        address = None
    assert address == expected


@given(st.emails())
def test_key_is_stable_and_ascii(text: str) -> None:
    try:
        address, key = parse_address(text)
    except SubscriberListError:
        return
    assert key.isascii()
    assert key.isprintable()
    assert parse_address(address) == (address, key)
    assert parse_address(key).key == key
    assert parse_address(text.upper()).key == key


@given(st.text())
def test_any_text_is_parsed_or_rejected(text: str) -> None:
    try:
        address, key = parse_address(text)
    except SubscriberListError:
        return
    assert address.count("@") == key.count("@") == 1
