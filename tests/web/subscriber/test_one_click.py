"""Which bodies are one-click unsubscribes (RFC 8058), and that no other is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.web.subscriber.unsubscribe import is_one_click_request

FORM = "application/x-www-form-urlencoded"
PART = 'Content-Disposition: form-data; name="List-Unsubscribe"'


def multipart(headers: str = PART, value: str = "One-Click", parts: int = 1) -> bytes:
    body = f"--b\r\n{headers}\r\n\r\n{value}\r\n" * parts
    return f"{body}--b--\r\n".encode()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, b"List-Unsubscribe=One-Click"),
        (f"{FORM}; charset=utf-8", b"List-Unsubscribe=One-Click"),
        ("Multipart/Form-Data; boundary=b", multipart()),
        ('multipart/form-data; boundary="b"', multipart()),
        ("multipart/form-data;charset=utf-8;BOUNDARY=b", multipart()),
        ("multipart/form-data; boundary=b; charset=utf-8", multipart()),
        ("multipart/form-data; boundary=b", multipart().replace(b"\r\n", b"\n")),
        ("multipart/form-data; boundary=b", b"\r\n" + multipart()),
        (
            "multipart/form-data; boundary=b",
            multipart(headers=PART.lower().replace("list-unsubscribe", "List-Unsubscribe")),
        ),
        ("multipart/form-data; boundary=b", multipart(headers=PART.replace('"', ""))),
        (
            "multipart/form-data; boundary=b",
            multipart(headers=f"{PART}\r\nContent-Type: text/plain"),
        ),
        ('multipart/form-data; boundary="a.b(c)"', multipart().replace(b"--b", b"--a.b(c)")),
    ],
)
def test_bodies_of_the_standard_are_accepted(content_type: str, body: bytes) -> None:
    assert is_one_click_request(content_type, body)


@pytest.mark.parametrize(
    ("content_type", "body"),
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
        ("multipart/form-data; boundary=b", multipart(headers=f'{PART}; filename="a"')),
        ("multipart/form-data; boundary=b", multipart(headers=PART.replace("List-", ""))),
        ("multipart/form-data; boundary=b", b"before\r\n" + multipart()),
        ("multipart/form-data; boundary=b", multipart()[:-6]),
        ("multipart/form-data; boundary=\u00df", multipart()),
        ("multipart/form-data; boundary=.", multipart()),
        ("multipart/form-data; 0*", multipart()),
        ("multipart/form-data; boundary*0=b; boundary*=b", multipart()),
        ("multipart/form-data; boundary=b", multipart(headers=f"{PART}\r\n{PART}")),
        ("multipart/form-data; boundary=b", multipart(headers="Content-Type: text/plain")),
        ("multipart/form-data; boundary=b", multipart(headers="no colon")),
        ("multipart/form-data; boundary=b", b""),
    ],
)
def test_other_bodies_are_rejected(content_type: str, body: bytes) -> None:
    assert not is_one_click_request(content_type, body)


@given(content_type=st.text(max_size=40), body=st.binary(max_size=200))
def test_any_body_is_handled_without_error(content_type: str, body: bytes) -> None:
    is_one_click_request(f"multipart/form-data; {content_type}", body)
    assert not is_one_click_request(content_type, body)
