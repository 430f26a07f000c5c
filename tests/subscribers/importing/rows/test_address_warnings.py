import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.subscribers.importing.rows.address_warnings import address_warning


@pytest.mark.parametrize(
    ("typed", "intended"),
    [
        ("gmial.com", "gmail.com"), ("gmal.com", "gmail.com"), ("gmaill.com", "gmail.com"),
        ("gnail.com", "gmail.com"), ("gmail.con", "gmail.com"), ("gmail.co", "gmail.com"),
        ("gmal.cmo", "gmail.com"), ("hotmial.com", "hotmail.com"), ("yaho.com", "yahoo.com"),
        ("outlok.com", "outlook.com"), ("iclod.com", "icloud.com"), ("comcst.net", "comcast.net"),
    ],
)  # fmt: skip
def test_typo_of_a_mailbox_provider_gets_a_warning(typed: str, intended: str) -> None:
    assert address_warning(f"ada@{typed}") == f"may be a typo of {intended}"


@pytest.mark.parametrize(
    "domain",
    ["gmail.com", "yahoo.fr", "yahoo.co.uk", "mail.com", "ymail.com", "email.com", "cloud.com",
     "hotmail.de", "outlook.jp", "yandex.com", "example.com", "gmail.example.org", "a.b"],
)  # fmt: skip
def test_existing_domains_get_no_warning(domain: str) -> None:
    assert address_warning(f"ada@{domain}") == ""


@pytest.mark.parametrize("local", ["info", "admin", "abuse", "no-reply", "postmaster"])
def test_shared_mailbox_gets_a_warning(local: str) -> None:
    assert address_warning(f"{local}@example.com") == "is a shared mailbox"
    assert address_warning(f"{local}.ada@example.com") == ""


@given(st.text(max_size=30))
def test_any_text_is_accepted(text: str) -> None:
    assert isinstance(address_warning(text), str)
