"""The fake SendGrid over HTTP: statuses, headers, errors and faults."""

import http.client
import json
from collections.abc import Iterator

import pytest

from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.validation import MAX_REQUEST_BYTES

VALID_REQUEST = json.dumps(
    {
        "from": {"email": "editor@harbour-notes.org"},
        "subject": "Ice",
        "content": [{"type": "text/plain", "value": "ice"}],
        "personalizations": [{"to": [{"email": "ada@example.com"}], "custom_args": {"a": "1"}}],
    }
).encode()


@pytest.fixture
def double() -> Iterator[FakeSendGrid]:
    with FakeSendGrid(clock=lambda: 1_000_000.0) as running:
        yield running


class HttpResponse:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()


def post(
    double: FakeSendGrid,
    body: bytes = VALID_REQUEST,
    path: str = "/v3/mail/send",
    **headers: str,
) -> HttpResponse:
    connection = http.client.HTTPConnection(double.url.removeprefix("http://"), timeout=60)
    standard = {"Authorization": f"Bearer {double.key}", "Content-Type": "application/json"}
    try:
        connection.request("POST", path, body, standard | headers)
        return HttpResponse(connection.getresponse())
    finally:
        connection.close()


def test_valid_request_is_accepted_and_recorded(double: FakeSendGrid) -> None:
    response = post(double)
    assert (response.status, response.body) == (202, b"")
    (recipient,) = double.accepted
    assert (recipient.address, recipient.custom_args) == ("ada@example.com", {"a": "1"})
    assert recipient.message_id == response.headers["X-Message-Id"]
    assert response.headers["X-RateLimit-Reset"] == "1000060"


def test_invalid_request_gets_errors_in_sendgrids_format(double: FakeSendGrid) -> None:
    response = post(double, VALID_REQUEST.replace(b"ada@example.com", b"ada"))
    assert response.status == 400
    (error,) = json.loads(response.body)["errors"]
    assert error.keys() == {"message", "field", "help"}
    assert error["field"] == "personalizations.0.to.0.email"
    assert double.accepted == []


def test_wrong_key_is_unauthorized(double: FakeSendGrid) -> None:
    response = post(double, Authorization="Bearer SG.other")
    assert response.status == 401
    assert json.loads(response.body)["errors"][0]["field"] is None


def test_too_large_request_is_rejected_with_html(double: FakeSendGrid) -> None:
    response = post(double, b" " * MAX_REQUEST_BYTES)
    assert response.status == 413
    assert response.headers.get_content_type() == "text/html"


def test_other_path_method_or_content_type_is_rejected(double: FakeSendGrid) -> None:
    assert post(double, path="/v3/mail").status == 404
    assert (
        post(double, VALID_REQUEST, "/v3/mail/send", **{"Content-Type": "text/json"}).status == 415
    )
    connection = http.client.HTTPConnection(double.url.removeprefix("http://"), timeout=60)
    connection.request("GET", "/v3/mail/send")
    assert connection.getresponse().status == 405
    connection.close()


def test_sandbox_returns_200_and_accepts_nobody(double: FakeSendGrid) -> None:
    body = json.loads(VALID_REQUEST) | {"mail_settings": {"sandbox_mode": {"enable": True}}}
    assert post(double, json.dumps(body).encode()).status == 200
    assert double.accepted == []


def test_faults_are_applied_in_order_to_one_request_each(double: FakeSendGrid) -> None:
    double.inject_faults(
        faults.error_response(503, accept=True),
        faults.error_response(500),
        faults.rate_limit_response(1_000_042),
    )
    responses = [post(double) for _ in range(4)]
    assert [response.status for response in responses] == [503, 500, 429, 202]
    assert responses[2].headers["X-RateLimit-Reset"] == "1000042"
    assert len(double.accepted) == 2
    assert [request.status for request in double.requests] == [503, 500, 429, 202]


def test_waiting_for_missing_requests_times_out(double: FakeSendGrid) -> None:
    with pytest.raises(TimeoutError, match="0 of 1"):
        double.wait_for_requests(1, seconds=0.01)
