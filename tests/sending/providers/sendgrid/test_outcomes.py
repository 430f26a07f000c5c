"""What each response proves: the table of docs/explanation/exactly-once.md, row by row."""

import datetime
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.sending.providers.provider import NoResponse, Outcome, Response
from newsletter.sending.providers.sendgrid.outcomes import (
    MAX_RETRY_AFTER_SECONDS,
    classify_response,
)
from newsletter.sending.retry_policy import (
    BACKOFF_MAX_SECONDS,
    MAX_ATTEMPTS,
    BatchAction,
    backoff_seconds,
    decide_batch_action,
)

NOW = datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC)


def error_body(*pairs: tuple[str, str | None]) -> bytes:
    return json.dumps(
        {"errors": [{"message": message, "field": field} for message, field in pairs]}
    ).encode()


def classify(status: int, body: bytes = b"", **headers: str) -> Outcome:
    header_map = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify_response(Response(status, header_map, body), NOW)


def test_202_is_accepted_and_200_in_sandbox_mode() -> None:
    outcome = classify(202, x_message_id="abc")
    assert (outcome.kind, outcome.message_id) == ("accepted", "abc")
    assert classify_response(Response(200, {}, b""), NOW, sandbox=True).kind == "accepted"


@pytest.mark.parametrize("status", [200, 201, 204, 206, 408, 500, 502, 503, 504, 599, 600, 100])
def test_inconclusive_status_is_unknown(status: int) -> None:
    assert classify(status).kind == "unknown"


def test_no_response_is_not_sent_only_if_the_request_was_not_sent() -> None:
    assert classify_response(NoResponse(request_sent=True, reason="reset"), NOW).kind == "unknown"
    assert (
        classify_response(NoResponse(request_sent=False, reason="refused"), NOW).kind == "not_sent"
    )


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 404, 405, 415, 451])
def test_rejection_of_the_account_or_host_is_blocked_with_a_remedy(status: int) -> None:
    outcome = classify(status, error_body(("access forbidden", None)))
    assert (outcome.kind, outcome.message) == ("blocked", "access forbidden")
    assert outcome.remedy


@pytest.mark.parametrize(
    ("status", "message", "remedy"),
    [
        (401, "Maximum credits exceeded", "plan"),
        (401, "authorization required", "SENDGRID_API_KEY"),
        (403, "You have exceeded your messaging limits", "limits"),
        (403, "The from address does not match", "Verify"),
        (451, "data residency", "region"),
    ],
)
def test_remedy_depends_on_status_and_message(status: int, message: str, remedy: str) -> None:
    assert remedy in classify(status, error_body((message, None))).remedy


def test_400_with_recipient_fields_rejects_those_recipients_with_their_messages() -> None:
    outcome = classify(
        400,
        error_body(
            ("Bad address.", "personalizations.3.to.0.email"),
            ("Bad name.", "personalizations[17].to"),
        ),
    )
    assert outcome.kind == "rejected"
    assert outcome.recipient_errors == {3: "Bad address.", 17: "Bad name."}
    action = decide_batch_action(outcome, recipient_count=100, attempts=0, now=NOW, jitter=0)
    assert action == BatchAction("ready", "rejected", recipient_errors=outcome.recipient_errors)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"[]", b'{"errors":null}', b'{"errors":[]}', b'{"errors":["x"]}',
        error_body(("x", None)), error_body(("x", "null")), error_body(("x", "personalizations")),
    ],
)  # fmt: skip
def test_rejection_without_recipients_splits_the_batch_down_to_one_recipient(body: bytes) -> None:
    for status in (400, 413):
        outcome = classify(status, body)
        assert (outcome.kind, outcome.recipient_errors) == ("rejected", {})
        action = decide_batch_action(outcome, recipient_count=2, attempts=0, now=NOW, jitter=0)
        assert action == BatchAction("split", "rejected")
        action = decide_batch_action(outcome, recipient_count=1, attempts=0, now=NOW, jitter=0)
        assert action == BatchAction("rejected", "rejected", "rejected")


def test_index_beyond_the_batch_splits_it() -> None:
    outcome = classify(400, error_body(("x", "personalizations.1000.to")))
    assert (
        decide_batch_action(outcome, recipient_count=10, attempts=0, now=NOW, jitter=0).batch_state
        == "split"
    )


def test_batch_is_rejected_if_all_recipients_are() -> None:
    outcome = classify(400, error_body(("x", "personalizations.0"), ("y", "personalizations.1")))
    assert (
        decide_batch_action(outcome, recipient_count=2, attempts=0, now=NOW, jitter=0).batch_state
        == "rejected"
    )


def test_400_about_shared_content_is_blocked() -> None:
    assert classify(400, error_body(("Too odd.", "content.0.value"))).kind == "blocked"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x_ratelimit_reset": str(NOW.timestamp() + 90)}, 90),
        ({"x_ratelimit_reset": str(NOW.timestamp() - 90)}, 1),
        ({"x_ratelimit_reset": "99999999999"}, MAX_RETRY_AFTER_SECONDS),
        ({"x_ratelimit_reset": "nan"}, MAX_RETRY_AFTER_SECONDS),
        ({"x_ratelimit_reset": "-inf"}, 1),
        ({"x_ratelimit_reset": "soon"}, 60),
        ({"retry_after": "7"}, 7),
        ({"retry_after": "Tue, 01 Dec 2026 09:00:07 GMT"}, 60),
        ({}, 60),
    ],
)
def test_429_sets_retry_at_from_headers_within_limits(
    headers: dict[str, str], seconds: float
) -> None:
    outcome = classify(429, b"", **headers)
    assert outcome.retry_at == NOW + datetime.timedelta(seconds=seconds)
    action = decide_batch_action(outcome, recipient_count=1, attempts=7, now=NOW, jitter=0)
    assert action == BatchAction("ready", "not_sent", retry_at=outcome.retry_at)


def test_backoff_doubles_up_to_the_maximum_and_half_of_it_is_jitter() -> None:
    assert [backoff_seconds(attempts, 1) for attempts in (1, 2, 3)] == [1, 2, 4]
    assert backoff_seconds(1, 0) == 0.5
    assert backoff_seconds(60, 1) == BACKOFF_MAX_SECONDS


def test_the_eighth_failure_pauses_the_send() -> None:
    outcome = classify_response(NoResponse(request_sent=False, reason="refused"), NOW)
    actions = [
        decide_batch_action(outcome, recipient_count=1, attempts=attempts, now=NOW, jitter=0)
        for attempts in range(MAX_ATTEMPTS)
    ]
    assert [action.stop_state for action in actions] == [""] * 7 + ["paused"]
    assert all(action.counts_against_limit and action.batch_state == "ready" for action in actions)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["errors", "message", "field", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    status=st.integers(100, 599),
    body=JSON.map(json.dumps).map(str.encode) | st.binary(max_size=60),
    reset=st.text(st.characters(codec="latin-1"), max_size=12),
    size=st.integers(1, 1000),
)
def test_only_202_is_accepted_whatever_the_body_and_headers(
    status: int, body: bytes, reset: str, size: int
) -> None:
    outcome = classify_response(Response(status, {"x-ratelimit-reset": reset}, body), NOW)
    action = decide_batch_action(outcome, recipient_count=size, attempts=0, now=NOW, jitter=0.5)
    assert (action.batch_state == "accepted") == (status == 202)
    assert "\0" not in outcome.message
    if status >= 500:
        assert action == BatchAction("unknown", "unknown", "unknown")


def test_every_outcome_kind_has_a_batch_action() -> None:
    kinds: list[Any] = ["accepted", "not_sent", "rejected", "unknown", "blocked", "throttled"]
    for kind in kinds:
        assert decide_batch_action(
            Outcome(kind, retry_at=NOW), recipient_count=3, attempts=0, now=NOW, jitter=0
        ).attempt_outcome
