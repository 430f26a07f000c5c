"""Every documented limit of mail/send: at the limit is valid, beyond it is rejected."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from newsletter.sending.rehearsal.fake_sendgrid.validation import (
    find_unfilled_tokens,
    validate_request,
)

NOW = 1_790_000_000.0
Change = Callable[[dict[str, Any]], object]


def make_request() -> dict[str, Any]:
    return {
        "from": {"email": "editor@harbour-notes.org", "name": "Harbour Notes"},
        "subject": "Ice",
        "content": [
            {"type": "text/plain", "value": "-nl0t-"},
            {"type": "text/html", "value": "<p>ice</p>"},
        ],
        "personalizations": [
            {
                "to": [{"email": "ada@example.com", "name": "Ada"}],
                "substitutions": {"-nl0t-": "Ada"},
                "headers": {"List-Unsubscribe": "<https://harbour-notes.org/u/x>"},
                "custom_args": {"nl_send": "1"},
            }
        ],
    }


def first(body: dict[str, Any]) -> dict[str, Any]:
    personalization: dict[str, Any] = body["personalizations"][0]
    return personalization


def to(address: str) -> dict[str, Any]:
    return {"to": [{"email": address}]}


def test_valid_request_has_no_errors() -> None:
    mail_send, errors = validate_request(json.dumps(make_request()).encode(), NOW)
    assert mail_send is not None
    assert (errors, mail_send.is_sandbox, find_unfilled_tokens(mail_send)) == ([], False, set())


VALID: dict[str, Change] = {
    "1000 personalizations": lambda body: body.update(
        personalizations=[to(f"r{n}@example.com") for n in range(1000)]
    ),
    "substitutions of 10,000 bytes": lambda body: first(body).update(
        substitutions={"-a-": "x" * (10_000 - len('{"-a-": ""}'))}
    ),
    "ten categories": lambda body: body.update(categories=[f"c{n}" * 100 for n in range(10)]),
    "72 hours ahead": lambda body: body.update(send_at=int(NOW) + 72 * 3600),
    "subject of its own": lambda body: (body.pop("subject"), first(body).update(subject="x")),
    "html alone": lambda body: body["content"].pop(0),
    "sandbox": lambda body: body.update(mail_settings={"sandbox_mode": {"enable": True}}),
    "list headers": lambda body: body.update(headers={"List-Id": "x", "Feedback-ID": "a:b"}),
}


@pytest.mark.parametrize("change", VALID.values(), ids=VALID.keys())
def test_request_at_the_limits_is_valid(change: Change) -> None:
    body = make_request()
    change(body)
    assert validate_request(json.dumps(body).encode(), NOW)[1] == []


INVALID: dict[str, tuple[Change, str | None]] = {
    "1001 personalizations": (
        lambda body: body.update(personalizations=[to(f"r{n}@example.com") for n in range(1001)]),
        "personalizations",
    ),
    "none": (lambda body: body.update(personalizations=[]), "personalizations"),
    "1001 recipients": (
        lambda body: body.update(
            personalizations=[
                {"to": [{"email": f"r{m}-{n}@example.com"} for n in range(501)]} for m in range(2)
            ]
        ),
        None,
    ),
    "no recipient": (lambda body: first(body).update(to=[]), "personalizations.0.to"),
    "bad address": (
        lambda body: first(body).update(to=[{"email": "ada"}]), "personalizations.0.to.0.email",
    ),
    "the same address twice, in another case": (
        lambda body: first(body).update(cc=[{"email": "ADA@example.com"}]), "personalizations.0.to",
    ),
    "semicolon in a name": (
        lambda body: first(body)["to"][0].update(name="a;b"), "personalizations.0.to.0.name",
    ),
    "comma in a name": (
        lambda body: first(body)["to"][0].update(name="a,b"), "personalizations.0.to.0.name",
    ),
    "Unicode in from": (lambda body: body["from"].update(email="ø@a.org"), "from.email"),
    "no from": (lambda body: body.pop("from"), "from"),
    "no subject": (lambda body: body.pop("subject"), "personalizations.0.subject"),
    "empty subject": (lambda body: body.update(subject=""), "subject"),
    "no content": (lambda body: body.pop("content"), "content"),
    "empty content": (lambda body: body["content"][0].update(value=""), "content.0.value"),
    "html before text": (lambda body: body["content"].reverse(), "content"),
    "two texts": (lambda body: body["content"][1].update(type="text/plain"), "content"),
    "reserved header": (lambda body: body.update(headers={"Reply-To": "x"}), "headers"),
    "reserved header of a personalization": (
        lambda body: first(body).update(headers={"x-sg-eid": "x"}), "personalizations.0.headers",
    ),
    "line break in a header": (lambda body: body.update(headers={"X-A": "a\nb"}), "headers"),
    "header that is not a string": (lambda body: body.update(headers={"X-A": 1}), "headers.X-A"),
    "substitutions of 10,001 bytes": (
        lambda body: first(body).update(substitutions={"-a-": "ö" * 5_000}),
        "personalizations.0.substitutions",
    ),
    "tag with a space": (
        lambda body: first(body).update(substitutions={"a b": "x"}),
        "personalizations.0.substitutions",
    ),
    "custom args over 10,000 bytes": (
        lambda body: body.update(custom_args={"a": "x" * 10_000}), "custom_args",
    ),
    "custom arg that is not a string": (
        lambda body: first(body).update(custom_args={"a": 1}), "personalizations.0.custom_args.a",
    ),
    "eleven categories": (
        lambda body: body.update(categories=[str(n) for n in range(11)]), "categories",
    ),
    "category twice": (lambda body: body.update(categories=["a", "a"]), "categories"),
    "long category": (lambda body: body.update(categories=["a" * 256]), "categories.0"),
    "beyond 72 hours": (lambda body: body.update(send_at=int(NOW) + 72 * 3600 + 1), "send_at"),
    "beyond 72 hours for a personalization": (
        lambda body: first(body).update(send_at=int(NOW) * 2), "personalizations.0.send_at",
    ),
    "unknown field": (lambda body: body.update(personalisations=[]), "personalisations"),
    "unknown field of a personalization": (
        lambda body: first(body).update(bbc=[]), "personalizations.0.bbc",
    ),
    "group that is not a number": (lambda body: body.update(asm={"group_id": "5"}), "asm.group_id"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "field"), INVALID.values(), ids=INVALID.keys())
def test_request_beyond_a_limit_gets_an_error_with_its_field(
    change: Change, field: str | None
) -> None:
    body = make_request()
    change(body)
    _, errors = validate_request(json.dumps(body).encode(), NOW)
    assert field in [error.field for error in errors]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"a":' * 10_000])
def test_body_that_is_not_a_request_is_rejected(body: bytes) -> None:
    mail_send, errors = validate_request(body, NOW)
    assert mail_send is None
    assert errors


def test_token_without_a_substitution_is_found() -> None:
    body = make_request()
    body["subject"] = "-nl3t-"
    mail_send, _ = validate_request(json.dumps(body).encode(), NOW)
    assert mail_send is not None
    assert find_unfilled_tokens(mail_send) == {"-nl3t-"}
