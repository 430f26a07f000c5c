"""The double speaks HTTP as the vendor does."""

import http.client
import json
from collections.abc import Iterator

import pytest

from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.validation import MAX_REQUEST_BYTES

GOOD = json.dumps(
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


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()


def post(
    double: FakeSendGrid,
    body: bytes = GOOD,
    path: str = "/v3/mail/send",
    **headers: str,
) -> Answer:
    connection = http.client.HTTPConnection(double.url.removeprefix("http://"), timeout=60)
    standard = {"Authorization": f"Bearer {double.key}", "Content-Type": "application/json"}
    try:
        connection.request("POST", path, body, standard | headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def test_a_good_request_is_accepted_and_remembered(double: FakeSendGrid) -> None:
    answer = post(double)
    assert (answer.status, answer.body) == (202, b"")
    (one,) = double.accepted
    assert (one.address, one.custom_args) == ("ada@example.com", {"a": "1"})
    assert one.message_id == answer.headers["X-Message-Id"]
    assert answer.headers["X-RateLimit-Reset"] == "1000060"


def test_a_bad_request_is_told_in_the_vendors_shape(double: FakeSendGrid) -> None:
    answer = post(double, GOOD.replace(b"ada@example.com", b"ada"))
    assert answer.status == 400
    (error,) = json.loads(answer.body)["errors"]
    assert error.keys() == {"message", "field", "help"}
    assert error["field"] == "personalizations.0.to.0.email"
    assert double.accepted == []


def test_a_wrong_key(double: FakeSendGrid) -> None:
    answer = post(double, Authorization="Bearer SG.other")
    assert answer.status == 401
    assert json.loads(answer.body)["errors"][0]["field"] is None


def test_a_request_that_is_too_large_is_refused_in_html(double: FakeSendGrid) -> None:
    answer = post(double, b" " * MAX_REQUEST_BYTES)
    assert answer.status == 413
    assert answer.headers.get_content_type() == "text/html"


def test_another_path_method_or_type(double: FakeSendGrid) -> None:
    assert post(double, path="/v3/mail").status == 404
    assert post(double, GOOD, "/v3/mail/send", **{"Content-Type": "text/json"}).status == 415
    connection = http.client.HTTPConnection(double.url.removeprefix("http://"), timeout=60)
    connection.request("GET", "/v3/mail/send")
    assert connection.getresponse().status == 405
    connection.close()


def test_the_sandbox_answers_200_and_promises_nothing(double: FakeSendGrid) -> None:
    body = json.loads(GOOD) | {"mail_settings": {"sandbox_mode": {"enable": True}}}
    assert post(double, json.dumps(body).encode()).status == 200
    assert double.accepted == []


def test_faults_come_in_order_and_then_are_over(double: FakeSendGrid) -> None:
    double.inject_faults(
        faults.error_response(503, accept=True),
        faults.error_response(500),
        faults.rate_limit_response(1_000_042),
    )
    answers = [post(double) for _ in range(4)]
    assert [answer.status for answer in answers] == [503, 500, 429, 202]
    assert answers[2].headers["X-RateLimit-Reset"] == "1000042"
    assert len(double.accepted) == 2
    assert [request.status for request in double.requests] == [503, 500, 429, 202]


def test_waiting_for_requests_that_do_not_come(double: FakeSendGrid) -> None:
    with pytest.raises(TimeoutError, match="0 of 1"):
        double.wait_for_requests(1, seconds=0.01)
