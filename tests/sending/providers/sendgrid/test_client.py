"""The HTTP client on real sockets: whether a request was sent, and what is never logged."""

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
from newsletter.sending.providers.sendgrid.payload import SendGridEmail, build_request
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

REQUEST_ID = RequestId("1", "1", "1")


@pytest.fixture
def body(prepared: SendGridEmail, make_readers: MakeReaders) -> bytes:
    return build_request(prepared, make_readers(3), REQUEST_ID).body


@pytest.fixture
def large_body(body: bytes) -> bytes:
    """Return more than the socket buffers hold, so that it can't be sent without being read."""
    mail = orjson.loads(body)
    mail["content"][1]["value"] += "x" * 12_000_000
    return orjson.dumps(mail)


def test_post_mail_sends_key_content_type_and_body(
    mailer: SendGridClient, double: FakeSendGrid, body: bytes
) -> None:
    response = mailer.post_mail(body)
    assert isinstance(response, Response)
    assert (response.status, response.headers["x-message-id"]) == (
        202,
        double.accepted[0].message_id,
    )
    (received,) = double.requests
    assert received.body == body
    assert received.headers["authorization"] == f"Bearer {double.key}"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"].startswith("sendgrid/")


def test_connection_is_reused_for_many_requests(
    mailer: SendGridClient, double: FakeSendGrid, body: bytes
) -> None:
    for _ in range(5):
        mailer.post_mail(body)
    assert double.connection_count == 1


def test_large_body_is_sent_completely(
    mailer: SendGridClient, double: FakeSendGrid, large_body: bytes
) -> None:
    response = mailer.post_mail(large_body)
    assert isinstance(response, Response)
    assert double.requests[0].body == large_body


FAULTS_AFTER_SENDING = [
    faults.lost_response(),
    faults.lost_request(),
    faults.reset_mid_response(),
    faults.invalid_http_response(),
    faults.slow_response(60.0),
]


@pytest.mark.parametrize("fault", FAULTS_AFTER_SENDING, ids=lambda fault: fault.behavior.name)
@pytest.mark.parametrize("body_fixture", ["body", "large_body"])
def test_no_response_after_the_last_byte_counts_as_request_sent(
    impatient_mailer: SendGridClient,
    double: FakeSendGrid,
    fault: InjectedFault,
    body_fixture: str,
    request: pytest.FixtureRequest,
) -> None:
    double.inject_faults(fault)
    response = impatient_mailer.post_mail(request.getfixturevalue(body_fixture))
    assert isinstance(response, NoResponse)
    assert response.request_sent
    assert response.reason


def test_connection_closed_mid_request_counts_as_not_sent(
    mailer: SendGridClient, double: FakeSendGrid, large_body: bytes
) -> None:
    double.inject_faults(faults.unread_request())
    response = mailer.post_mail(large_body)
    assert isinstance(response, NoResponse)
    assert not response.request_sent


def test_refused_connection_counts_as_not_sent(body: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    mailer = SendGridClient(
        "SG.x", configured(sendgrid={"host": f"http://127.0.0.1:{port}"}).sendgrid
    )
    assert mailer.post_mail(body) == NoResponse(request_sent=False, reason="connection refused")


def test_failed_tls_handshake_counts_as_not_sent(body: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_respond_without_tls, args=(server,))
        thread.start()
        host = f"https://127.0.0.1:{server.getsockname()[1]}"
        mailer = SendGridClient("SG.x", configured(sendgrid={"host": host}).sendgrid)
        response = mailer.post_mail(body)
        thread.join()
    assert isinstance(response, NoResponse)
    assert not response.request_sent


def _respond_without_tls(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 202 Accepted\r\n\r\n")


def test_endless_response_body_is_read_up_to_the_limit(
    mailer: SendGridClient, double: FakeSendGrid, body: bytes
) -> None:
    double.inject_faults(faults.endless_response(400))
    response = mailer.post_mail(body)
    assert isinstance(response, Response)
    assert (response.status, len(response.body)) == (400, MAX_RESPONSE_BYTES)
    next_response = mailer.post_mail(body)
    assert isinstance(next_response, Response)
    assert next_response.status == 202


def test_redirect_is_not_followed(
    mailer: SendGridClient, double: FakeSendGrid, body: bytes
) -> None:
    double.inject_faults(
        InjectedFault(status=307, headers={"Location": f"{double.url}/v3/mail/send"})
    )
    response = mailer.post_mail(body)
    assert isinstance(response, Response)
    assert response.status == 307
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
def test_invalid_key_is_rejected_without_being_quoted(key: str) -> None:
    with pytest.raises(ConfigError) as error:
        SendGridClient(key, configured().sendgrid)
    assert key[:4] not in str(error.value)


def test_api_key_is_read_from_the_environment() -> None:
    assert read_api_key({"SENDGRID_API_KEY": " SG.x\n"}) == "SG.x"
    for environment in ({}, {"SENDGRID_API_KEY": "  "}):
        with pytest.raises(ConfigError, match="export SENDGRID_API_KEY="):
            read_api_key(environment)


def test_api_host_follows_the_region_and_allows_http_on_loopback_only() -> None:
    def host(**options: object) -> str:
        return api_host(configured().sendgrid.model_copy(update=options))

    assert host() == "https://api.sendgrid.com"
    assert host(region="eu") == "https://api.eu.sendgrid.com"
    assert host(host="https://mail.example/") == "https://mail.example"
    for plain in ("http://127.0.0.1:80", "http://localhost:80", "http://[::1]:80"):
        assert host(host=plain) == plain
    for invalid in ("http://mail.example", "ftp://127.0.0.1", "http://127.0.0.1.evil.example"):
        with pytest.raises(ConfigError, match="must be https"):
            host(host=invalid)
