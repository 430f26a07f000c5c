"""The event webhook of a running server: signatures, duplicates, refusals."""

import base64
import datetime
import gzip
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
import urllib3
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from signed_webhook import (
    JSON,
    PUBLIC,
    SECRET,
    JsonResponse,
    WebhookServer,
    make_body,
    make_event,
    serve_webhook,
    sign,
)

from newsletter.db import open_database, read_transaction
from newsletter.db.schema import journal, subscriber
from newsletter.sending.providers.sendgrid.webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.web.sendgrid_webhook import WEBHOOK_PATH


def test_signed_events_are_stored_once(webhook: WebhookServer) -> None:
    body = make_body(make_event(), make_event("e2", "open"))
    headers = sign(body)
    assert webhook.post(body, headers) == (200, {"new": 2, "known": 0, "odd": 0})
    assert webhook.post(body, headers) == (200, {"new": 0, "known": 2, "odd": 0})
    # The same events reordered, repeated, or with a new one, in a body with its own signature.
    repeated = make_body(make_event("e2", "open"), make_event(), make_event())
    assert webhook.post_signed(repeated)[1]["new"] == 0
    extended = make_body(make_event("e2", "open"), make_event("e3", "click"))
    assert webhook.post_signed(extended)[1]["new"] == 1
    assert webhook.count_events() == 3


def test_reader_who_leaves_twice_by_events_without_id_and_time_is_out(
    webhook: WebhookServer,
) -> None:
    address = parse_address("ada@example.com")
    origin = ChangeOrigin(datetime.datetime.now(datetime.UTC), "cli")
    with webhook.engine.begin() as connection:
        changes.subscribe(connection, address, "active", origin)
    body = make_body({"event": "unsubscribe", "email": "ada@example.com"})
    headers = sign(body)
    assert webhook.post(body, headers) == (200, {"new": 1, "known": 0, "odd": 0})
    assert webhook.post(body, headers) == (200, {"new": 0, "known": 1, "odd": 0})
    with webhook.engine.begin() as connection:
        origin = ChangeOrigin(datetime.datetime.now(datetime.UTC), "form", "/join", "Yes, please")
        changes.resubscribe(connection, address, "active", origin)
    assert webhook.post_signed(body) == (200, {"new": 1, "known": 0, "odd": 0})
    with read_transaction(webhook.engine) as connection:
        assert connection.scalar(sa.select(subscriber.c.status)) == "unsubscribed"


def test_invalid_signatures_are_refused(webhook: WebhookServer) -> None:
    body = make_body(make_event())
    valid = sign(body)
    timestamp = valid[TIMESTAMP_HEADER]
    other_key = ec.generate_private_key(ec.SECP256R1())
    without_timestamp = base64.b64encode(SECRET.sign(body, ec.ECDSA(SHA256()))).decode()
    refused = [
        webhook.post(body),
        webhook.post(body, {SIGNATURE_HEADER: valid[SIGNATURE_HEADER]}),
        webhook.post(body, {TIMESTAMP_HEADER: timestamp}),
        webhook.post(body, sign(body, secret=other_key)),
        webhook.post(body.replace(b"ada", b"eve"), valid),
        webhook.post(body + b" ", valid),
        webhook.post(body[:-1], valid),
        webhook.post(b"", valid),
        webhook.post(body, {**valid, TIMESTAMP_HEADER: str(int(timestamp) + 1)}),
        webhook.post(body, {**valid, SIGNATURE_HEADER: "!"}),
        webhook.post(body, {**valid, SIGNATURE_HEADER: ""}),
        webhook.post(body, {SIGNATURE_HEADER: without_timestamp, TIMESTAMP_HEADER: ""}),
        webhook.post(timestamp.encode() + body, {**valid, TIMESTAMP_HEADER: ""}),
        webhook.post_signed(body, age=-600),
        webhook.post_signed(body, age=2 * 86_400),
    ]
    assert [status for status, _ in refused] == [403] * len(refused)
    assert all(list(error) == ["error"] for _, error in refused)
    assert webhook.count_events() == 0
    assert webhook.post_signed(body)[0] == 200


def test_repeated_signature_header_is_refused(webhook: WebhookServer) -> None:
    body = make_body(make_event())
    headers = urllib3.HTTPHeaderDict({**JSON, **sign(body)})
    headers.add(SIGNATURE_HEADER, headers[SIGNATURE_HEADER])
    response = urllib3.request(
        "POST", webhook.url + WEBHOOK_PATH, body=body, headers=headers, timeout=60, retries=False
    )
    assert (response.status, webhook.count_events()) == (403, 0)


def test_late_retry_is_accepted_and_its_replay_changes_nothing(
    webhook: WebhookServer, caplog: pytest.LogCaptureFixture
) -> None:
    body = make_body(make_event())
    headers = sign(body, age=6 * 3600)
    assert webhook.post(body, headers)[1]["new"] == 1
    assert "more than 10 minutes ago" in caplog.text
    assert webhook.post(body, headers) == (200, {"new": 0, "known": 1, "odd": 0})
    assert webhook.count_events() == 1
    assert "ada@" not in caplog.text


def test_bodies_of_another_media_type_are_refused(webhook: WebhookServer) -> None:
    valid = make_body(make_event())
    cases = [
        (valid, {"Content-Type": "text/plain"}),
        (valid, {"Content-Type": "application/x-www-form-urlencoded"}),
        (valid, {"Content-Type": ""}),
        (gzip.compress(valid), {"Content-Encoding": "gzip"}),
    ]
    statuses = [webhook.post(body, {**sign(body), **headers})[0] for body, headers in cases]
    assert statuses == [415] * len(cases)
    assert (webhook.count_events(), webhook.load_unreadable()) == (0, [])


def test_size_limit_and_allowed_methods(webhook: WebhookServer) -> None:
    body = make_body(*(make_event(f"e{number}", "open", note="x" * 400) for number in range(1_300)))
    assert len(body) > 640_000
    assert webhook.post_signed(body)[1]["new"] == 1_300
    assert webhook.post_signed(b"[" + b" " * 2_000_000 + b"]")[0] == 413
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        response = urllib3.request(method, webhook.url + WEBHOOK_PATH, retries=False, timeout=60)
        assert response.status == 405


def test_truncated_body_is_ignored(webhook: WebhookServer) -> None:
    body = make_body(make_event())
    headers = "".join(f"{name}: {value}\r\n" for name, value in {**JSON, **sign(body)}.items())
    address = urlsplit(webhook.url)
    with socket.create_connection((str(address.hostname), address.port or 0)) as sock:
        start = (
            f"POST {WEBHOOK_PATH} HTTP/1.1\r\nHost: here\r\n"
            f"Content-Length: {len(body)}\r\n{headers}\r\n"
        )
        sock.sendall(start.encode() + body[:-5])
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1_000)
    assert webhook.count_events() == 0
    assert webhook.post_signed(body)[1]["new"] == 1


def test_concurrent_deliveries_of_one_body_count_once(webhook: WebhookServer) -> None:
    with webhook.engine.begin() as connection:
        add_subscriber(connection)
    body = make_body(
        make_event("e1", "bounce", type="blocked"), make_event("e2", "bounce", type="bounce")
    )
    headers, barrier = sign(body), threading.Barrier(4)

    def post(_: int) -> JsonResponse:
        barrier.wait()
        return webhook.post(body, headers)

    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(post, range(4)))
    assert [status for status, _ in responses] == [200] * 4
    assert sorted(result["new"] for _, result in responses) == [0, 0, 0, 2]
    with read_transaction(webhook.engine) as connection:
        recorded = connection.scalars(sa.select(journal.c.change).order_by(journal.c.seq)).all()
    assert recorded[-1] == "bounced"
    assert recorded.count("bounced") == 1


def add_subscriber(connection: sa.Connection) -> None:
    origin = ChangeOrigin(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "cli")
    changes.subscribe(connection, parse_address("ada@example.com"), "active", origin)


def test_without_a_key_all_events_are_refused(
    project_folder: Path, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    for webhook in serve_webhook(project_folder, engine, "webhook_unsigned: false"):
        assert "set sendgrid.webhook_key" in caplog.text
        assert webhook.post_signed(make_body(make_event()))[0] == 403
        assert webhook.post(make_body(make_event()))[0] == 403
        assert webhook.count_events() == 0


def test_unsigned_events_are_accepted_if_configured_with_a_warning(
    project_folder: Path, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    for webhook in serve_webhook(project_folder, engine, "webhook_unsigned: true"):
        assert "ANYBODY can post events here" in caplog.text
        assert webhook.post(make_body(make_event()))[1]["new"] == 1


def test_verification_key_overrides_webhook_unsigned(
    project_folder: Path, engine: sa.Engine
) -> None:
    settings = f"webhook_unsigned: true\n  webhook_key: {PUBLIC}"
    for webhook in serve_webhook(project_folder, engine, settings):
        assert webhook.post(make_body(make_event()))[0] == 403


def test_events_that_cannot_be_stored_get_503_and_are_accepted_later(
    project_folder: Path, tmp_path: Path
) -> None:
    engine = open_database("sqlite:///newsletter.db", tmp_path)
    body = make_body(make_event(note="x" * 100_000))
    max_pages = ["1"]  # SQLite raises it to the file's size: the database can't grow

    def limit_pages(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {max_pages[-1]}")

    for webhook in serve_webhook(project_folder, engine, f"webhook_key: {PUBLIC}"):
        sa.event.listen(engine, "checkout", limit_pages)
        assert webhook.post_signed(body) == (503, {"error": "try again later"})
        max_pages.append("1000000")
        assert webhook.post_signed(body)[1]["new"] == 1
    engine.dispose()
