"""The transport, on real sockets: what left and what did not, and what is never shown."""

import logging
import socket
import threading

import orjson
import pytest
from sending_fixtures import MakeReaders, configured

from newsletter.errors import ConfigError
from newsletter.sending.providers.provider import NoResponse, RequestId, Response
from newsletter.sending.providers.sendgrid.client import (
    MAX_RESPONSE_BYTES,
    SendGridClient,
    api_host,
    read_api_key,
)
from newsletter.sending.providers.sendgrid.payload import PreparedEmail, build_request
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

STAMP = RequestId("1", "1", "1")


@pytest.fixture
def body(letter: PreparedEmail, make_readers: MakeReaders) -> bytes:
    return build_request(letter, make_readers(3), STAMP).body


@pytest.fixture
def large(body: bytes) -> bytes:
    """More than the buffers between two sockets hold, so that it can't leave unread."""
    mail = orjson.loads(body)
    mail["content"][1]["value"] += "x" * 12_000_000
    return orjson.dumps(mail)


def test_a_post_as_the_vendor_wants_it(
    mailer: SendGridClient, double: FakeSendGrid, body: bytes
) -> None:
    answer = mailer.post_mail(body)
    assert isinstance(answer, Response)
    assert (answer.status, answer.headers["x-message-id"]) == (202, double.accepted[0].message_id)
    (seen,) = double.requests
    assert seen.body == body
    assert seen.headers["authorization"] == f"Bearer {double.key}"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["user-agent"].startswith("sendgrid/")


def test_one_connection_serves_many_requests(
    mailer: SendGridClient, double: FakeSendGrid, body: bytes
) -> None:
    for _ in range(5):
        mailer.post_mail(body)
    assert double.connection_count == 1


def test_a_large_body_arrives_whole(
    mailer: SendGridClient, double: FakeSendGrid, large: bytes
) -> None:
    answer = mailer.post_mail(large)
    assert isinstance(answer, Response)
    assert double.requests[0].body == large


LEFT = [
    faults.lost_response(),
    faults.lost_request(),
    faults.reset_mid_response(),
    faults.invalid_http_response(),
    faults.slow_response(0.8),
]


@pytest.mark.parametrize("fault", LEFT, ids=lambda fault: fault.behavior.name)
@pytest.mark.parametrize("size", ["body", "large"])
def test_after_the_last_byte_silence_proves_nothing(
    mailer: SendGridClient,
    double: FakeSendGrid,
    fault: InjectedFault,
    size: str,
    request: pytest.FixtureRequest,
) -> None:
    double.inject_faults(fault)
    answer = mailer.post_mail(request.getfixturevalue(size))
    assert isinstance(answer, NoResponse)
    assert answer.request_sent
    assert answer.reason


def test_a_request_cut_short_has_not_left(
    mailer: SendGridClient, double: FakeSendGrid, large: bytes
) -> None:
    double.inject_faults(faults.unread_request())
    answer = mailer.post_mail(large)
    assert isinstance(answer, NoResponse)
    assert not answer.request_sent


def test_nothing_leaves_without_a_connection(body: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    mailer = SendGridClient(
        "SG.x", configured(sendgrid={"host": f"http://127.0.0.1:{port}"}).sendgrid
    )
    assert mailer.post_mail(body) == NoResponse(request_sent=False, reason="connection refused")


def test_nothing_leaves_before_the_server_has_shown_who_it_is(body: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer_in_clear, args=(server,))
        thread.start()
        host = f"https://127.0.0.1:{server.getsockname()[1]}"
        mailer = SendGridClient("SG.x", configured(sendgrid={"host": host}).sendgrid)
        answer = mailer.post_mail(body)
        thread.join()
    assert isinstance(answer, NoResponse)
    assert not answer.request_sent


def _answer_in_clear(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 202 Accepted\r\n\r\n")


def test_an_answer_without_end_is_read_no_further(
    mailer: SendGridClient, double: FakeSendGrid, body: bytes
) -> None:
    double.inject_faults(faults.endless_response(400))
    answer = mailer.post_mail(body)
    assert isinstance(answer, Response)
    assert (answer.status, len(answer.body)) == (400, MAX_RESPONSE_BYTES)
    again = mailer.post_mail(body)
    assert isinstance(again, Response)
    assert again.status == 202


def test_a_redirect_is_not_followed(
    mailer: SendGridClient, double: FakeSendGrid, body: bytes
) -> None:
    double.inject_faults(
        InjectedFault(status=307, headers={"Location": f"{double.url}/v3/mail/send"})
    )
    answer = mailer.post_mail(body)
    assert isinstance(answer, Response)
    assert answer.status == 307
    assert len(double.requests) == 1


def test_neither_key_nor_body_is_logged(
    mailer: SendGridClient, double: FakeSendGrid, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    double.inject_faults(faults.error_response(401), faults.lost_response())
    for _ in range(3):
        mailer.post_mail(body)
    assert "POST /v3/mail/send" in caplog.text
    assert double.key not in caplog.text
    assert "reader1@" not in caplog.text
    assert double.key not in repr(mailer)


@pytest.mark.parametrize("key", ["SG.a\r\nX-Evil: 1", "SG.a b", "SG.ä", "SG.\x00"])
def test_a_key_that_is_none_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        SendGridClient(key, configured().sendgrid)
    assert key[:4] not in str(refused.value)


def test_the_key_comes_from_the_environment_alone() -> None:
    assert read_api_key({"SENDGRID_API_KEY": " SG.x\n"}) == "SG.x"
    for environment in ({}, {"SENDGRID_API_KEY": "  "}):
        with pytest.raises(ConfigError, match="export SENDGRID_API_KEY="):
            read_api_key(environment)


def test_the_host_follows_the_region_and_only_loopback_may_be_plain() -> None:
    def host(**options: object) -> str:
        return api_host(configured().sendgrid.model_copy(update=options))

    assert host() == "https://api.sendgrid.com"
    assert host(region="eu") == "https://api.eu.sendgrid.com"
    assert host(host="https://mail.example/") == "https://mail.example"
    for plain in ("http://127.0.0.1:80", "http://localhost:80", "http://[::1]:80"):
        assert host(host=plain) == plain
    for wrong in ("http://mail.example", "ftp://127.0.0.1", "http://127.0.0.1.evil.example"):
        with pytest.raises(ConfigError, match="must be https"):
            host(host=wrong)
