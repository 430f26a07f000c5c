"""Real requests against the schema of the API, written down in the double's rulebook."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from sending_fixtures import MakeReaders, configured

from newsletter.render.email import Email
from newsletter.sending.providers.provider import RequestId
from newsletter.sending.providers.sendgrid.payload import (
    build_request,
    prepare_email,
    split_into_batches,
)
from newsletter.sending.rehearsal.fake_sendgrid.schema import MailSend
from newsletter.sending.rehearsal.fake_sendgrid.validation import validate_request
from newsletter.sending.sample import build_test_requests as requests_for_tests

STAMP = RequestId("1", "2", "3")

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "all options": {
        "tracking": {"opens": True, "clicks": True},
        "sendgrid": {"asm_group": 12, "categories": ["issue"], "sandbox": True},
    },
    "vendor's way out": {"public_url": None, "sendgrid": {"asm_group": 12}},
    "one request a reader": {"sendgrid": {"personalize": "per_request"}},
}


@pytest.fixture(scope="module")
def schema() -> jsonschema_rs.Validator:
    written = MailSend.model_json_schema(by_alias=True)
    return jsonschema_rs.Draft202012Validator(written)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_what_we_send_is_what_the_api_takes(
    schema: jsonschema_rs.Validator,
    email: Email,
    make_readers: MakeReaders,
    settings: dict[str, Any],
) -> None:
    letter = prepare_email(email, configured(**settings))
    for batch in split_into_batches(letter, make_readers(1_203)):
        body = build_request(letter, batch, STAMP).body
        assert [error.message for error in schema.iter_errors(json.loads(body))] == []
        assert validate_request(body, 0)[1] == []


def test_test_copies_and_mails_without_reply_to_too(
    schema: jsonschema_rs.Validator, email: Email
) -> None:
    bare = replace(email, reply_to=None, headers=())
    for one in requests_for_tests(bare, configured(), ["me@example.com"]):
        assert schema.is_valid(json.loads(one.body))


SLIPS: dict[str, Callable[[dict[str, Any]], object]] = {
    "misnamed field": lambda body: body.update(personalisations=[]),
    "no sender": lambda body: body.pop("from"),
    "id as a number": lambda body: body["personalizations"][0]["custom_args"].update(nl_send=1),
    "switch as text": lambda body: body["tracking_settings"]["open_tracking"].update(enable="no"),
    "one more reader": lambda body: body["personalizations"].append(body["personalizations"][0]),
}


@pytest.mark.parametrize("slip", SLIPS.values(), ids=SLIPS.keys())
def test_the_schema_sees_a_slip(
    schema: jsonschema_rs.Validator,
    email: Email,
    make_readers: MakeReaders,
    slip: Callable[[dict[str, Any]], object],
) -> None:
    body = json.loads(
        build_request(prepare_email(email, configured()), make_readers(1_000), STAMP).body
    )
    assert schema.is_valid(body)
    slip(body)
    assert not schema.is_valid(body)
