"""Requests that are built for a send, against the fake's JSON Schema of the API."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from sending_fixtures import MakeReaders, configured

from newsletter.render.email import Email
from newsletter.sending.providers.prepared_email import split_into_batches
from newsletter.sending.providers.provider import RequestId
from newsletter.sending.providers.sendgrid.payload import build_request, prepare_email
from newsletter.sending.rehearsal.fake_sendgrid.schema import MailSend
from newsletter.sending.rehearsal.fake_sendgrid.validation import validate_request
from newsletter.sending.sample import build_test_requests

REQUEST_ID = RequestId("1", "2", "3")

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "all options": {
        "tracking": {"opens": True, "clicks": True},
        "sendgrid": {"asm_group": 12, "categories": ["issue"], "sandbox": True},
    },
    "unsubscribe by SendGrid": {"public_url": None, "sendgrid": {"asm_group": 12}},
    "request per recipient": {"sendgrid": {"personalize": "per_request"}},
}


@pytest.fixture(scope="module")
def schema() -> jsonschema_rs.Validator:
    json_schema = MailSend.model_json_schema(by_alias=True)
    return jsonschema_rs.Draft202012Validator(json_schema)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_built_requests_match_the_schema(
    schema: jsonschema_rs.Validator,
    email: Email,
    make_readers: MakeReaders,
    settings: dict[str, Any],
) -> None:
    prepared = prepare_email(email, configured(**settings))
    for batch in split_into_batches(prepared, make_readers(1_203)):
        body = build_request(prepared, batch, REQUEST_ID).body
        assert [error.message for error in schema.iter_errors(json.loads(body))] == []
        assert validate_request(body, 0)[1] == []


def test_test_emails_without_reply_to_match_the_schema(
    schema: jsonschema_rs.Validator, email: Email
) -> None:
    minimal = replace(email, reply_to=None, headers=())
    for request in build_test_requests(minimal, configured(), ["me@example.com"]):
        assert schema.is_valid(json.loads(request.body))


MISTAKES: dict[str, Callable[[dict[str, Any]], object]] = {
    "misnamed field": lambda body: body.update(personalisations=[]),
    "no sender": lambda body: body.pop("from"),
    "id as a number": lambda body: body["personalizations"][0]["custom_args"].update(nl_send=1),
    "switch as text": lambda body: body["tracking_settings"]["open_tracking"].update(enable="no"),
    "too many recipients": lambda body: body["personalizations"].append(
        body["personalizations"][0]
    ),
}


@pytest.mark.parametrize("make_mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_schema_rejects_a_mistake(
    schema: jsonschema_rs.Validator,
    email: Email,
    make_readers: MakeReaders,
    make_mistake: Callable[[dict[str, Any]], object],
) -> None:
    body = json.loads(
        build_request(prepare_email(email, configured()), make_readers(1_000), REQUEST_ID).body
    )
    assert schema.is_valid(body)
    make_mistake(body)
    assert not schema.is_valid(body)
