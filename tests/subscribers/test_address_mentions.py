"""An address is found in a text however it is escaped; a similar one is not."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.subscribers.address_mentions import find_mentions, mentions_address

ADA = "ada@example.com"


@pytest.mark.parametrize(
    "text",
    [
        b"ada@example.com",
        b"Write to <ADA@Example.COM>.",
        b'{"email": "ada@example.com"}',
        b"{'email': 'ada@example.com'}",
        rb'"ada\u0040example.com"',
        rb'"\u0061\u0064\u0061\u0040example\u002ecom"',
        rb'"{\"email\": \"ada\\u0040example.com\"}"',
        rb'"ada\x40example.com"',
        rb'"\u003cada@example.com\u003e"',
        b"email=ada%40example.com&event=unsubscribe",
        b"https://news.example/?email=ada@example.com&x=1",
        b"redirect=https%3A%2F%2Fnews.example%2F%3Fe%3Dada%2540example.com",
        b"%61%64%61%40example.com",
        b"ada&#64;example.com ada&#x40;example.com",
        b"ada+spring-2026@example.com",
        b"ada%2Bspring%40example.com",
        b"mailto:ada@example.com",
        "„ada@example.com“ hat sich abgemeldet".encode(),
        ADA.encode("utf-16-le"),
        b"\xff\0ada@example.com\0\xff",
        gzip.compress(b'[{"email": "ada@example.com"}]', mtime=0),
        b"@ada@example.com",
        b"x" * 10_000 + b" ada@example.com",
        b"\\" * 300_000 + b" ada@example.com",
    ],
)
def test_address_is_found(text: bytes) -> None:
    assert mentions_address(text, ADA)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"ada", b"@", b"ada@", b"@example.com", b"ada@example", b"ada at example.com",
        b"canada@example.com", b"x.ada@example.com", b"ada@example.com.au",
        b"ada@example.community", b"ada@mail.example.com", b"o'ada@example.com",
        b"news+ada@example.com",
    ],
)  # fmt: skip
def test_other_address_is_not_found(text: bytes) -> None:
    assert not mentions_address(text, ADA)


def test_address_with_a_tag_and_of_an_international_domain_are_found() -> None:
    assert mentions_address(b"ada+a@example.com", "ada+a@example.com")
    assert not mentions_address(b"ada@example.com", "ada+a@example.com")
    assert mentions_address("ada@bücher.example".encode(), "ada@xn--bcher-kva.example")
    assert mentions_address(b"o'brien@example.com", "o'brien@example.com")


def test_each_at_sign_is_told_apart() -> None:
    assert [set(keys) for keys in find_mentions(b"ada@example.com bo+x@example.com a @ b")] == [
        {ADA},
        {"bo@example.com", "bo+x@example.com"},
        set(),
    ]


@given(st.binary(max_size=200) | st.text("a@.%u\\40&#x;\"'+= ", max_size=60).map(str.encode))
def test_any_text_can_be_searched(text: bytes) -> None:
    assert mentions_address(text + b" ada@example.com ", ADA)
