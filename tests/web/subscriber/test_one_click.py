"""RFC 8058: which body unsubscribes, and that no other does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.web.subscriber.unsubscribe import is_one_click_request

FORM = "application/x-www-form-urlencoded"
PART = 'Content-Disposition: form-data; name="List-Unsubscribe"'


def multipart(head: str = PART, value: str = "One-Click", parts: int = 1) -> bytes:
    each = f"--b\r\n{head}\r\n\r\n{value}\r\n" * parts
    return f"{each}--b--\r\n".encode()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, b"List-Unsubscribe=One-Click"),
        (f"{FORM}; charset=utf-8", b"List-Unsubscribe=One-Click"),
        ("Multipart/Form-Data; boundary=b", multipart()),
        ('multipart/form-data; boundary="b"', multipart()),
    ],
)
def test_the_bodies_of_the_standard(kind: str, body: bytes) -> None:
    assert is_one_click_request(kind, body)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, b""),
        (FORM, b"List-Unsubscribe=One-Click\r\n"),
        (FORM, b"List-Unsubscribe=One-Click&x=1"),
        (FORM, b"List-Unsubscribe=one-click"),
        (FORM, b"list-unsubscribe=One-Click"),
        (FORM, b"List-Unsubscribe=One%2DClick"),
        ("", b"List-Unsubscribe=One-Click"),
        ("text/plain", b"List-Unsubscribe=One-Click"),
        ("application/json", b'{"List-Unsubscribe": "One-Click"}'),
        ("multipart/form-data", multipart()),
        ("multipart/form-data; boundary=c", multipart()),
        ("multipart/form-data; boundary=b", multipart(value="Two-Clicks")),
        ("multipart/form-data; boundary=b", multipart(parts=2)),
        ("multipart/form-data; boundary=b", multipart(head=f'{PART}; filename="a"')),
        ("multipart/form-data; boundary=b", multipart(head=PART.replace("List-", ""))),
        ("multipart/form-data; boundary=b", b"before\r\n" + multipart()),
        ("multipart/form-data; boundary=b", multipart()[:-6]),
        ("multipart/form-data; boundary=\u00df", multipart()),
    ],
)  # fmt: skip
def test_nothing_else(kind: str, body: bytes) -> None:
    assert not is_one_click_request(kind, body)


@given(kind=st.text(max_size=40), body=st.binary(max_size=200))
def test_whatever_comes_is_answered(kind: str, body: bytes) -> None:
    is_one_click_request(f"multipart/form-data; {kind}", body)
    assert not is_one_click_request(kind, body)
