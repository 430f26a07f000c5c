"""The event webhook of a running server: signatures, duplicates, refusals."""

import base64
import datetime
import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
import urllib3
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from newsletter.db import open_database, read_transaction
from newsletter.db.schema import event, journal
from newsletter.project import open_project
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.web.rehearsal_site import serve_rehearsal_site
from newsletter.web.sendgrid_webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER, WEBHOOK_PATH

SECRET = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(
    SECRET.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
JSON = {"Content-Type": "application/json"}

JsonResponse = tuple[int, Any]


@dataclass
class WebhookServer:
    """A running server, its database, and what SendGrid posts to it."""

    url: str
    engine: sa.Engine

    def post(self, body: bytes, headers: dict[str, str] | None = None) -> JsonResponse:
        response = urllib3.request(
            "POST",
            self.url + WEBHOOK_PATH,
            body=body,
            headers={**JSON, **(headers or {})},
            retries=False,
        )
        return response.status, response.json()

    def post_signed(self, body: bytes, age: int = 0) -> JsonResponse:
        return self.post(body, sign(body, age))

    def count_events(self) -> int:
        with read_transaction(self.engine) as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(event)).scalar_one()


def sign(body: bytes, age: int = 0, secret: ec.EllipticCurvePrivateKey = SECRET) -> Any:
    timestamp = str(int(time.time()) - age)
    signature = secret.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))
    return {SIGNATURE_HEADER: base64.b64encode(signature).decode(), TIMESTAMP_HEADER: timestamp}


def make_event(id_: str = "e1", kind: str = "spamreport", **fields: Any) -> dict[str, Any]:
    required = {"sg_event_id": id_, "event": kind, "timestamp": int(time.time())}
    return {**required, "email": "ada@example.com", **fields}


def make_body(*events: object) -> bytes:
    return json.dumps(events).encode()


def serve_webhook(folder: Path, engine: sa.Engine, settings: str) -> Iterator[WebhookServer]:
    with (folder / "newsletter.yml").open("a") as config:
        config.write(f"public_url: https://news.harbournotes.example\nsendgrid:\n  {settings}\n")
    with serve_rehearsal_site(open_project(), engine) as url:
        yield WebhookServer(url, engine)


@pytest.fixture
def webhook(project_folder: Path, engine: sa.Engine) -> Iterator[WebhookServer]:
    yield from serve_webhook(project_folder, engine, f"webhook_key: {PUBLIC}")


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
        "POST", webhook.url + WEBHOOK_PATH, body=body, headers=headers, retries=False
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


def test_signed_but_malformed_bodies_are_refused(webhook: WebhookServer) -> None:
    valid = make_body(make_event())
    cases = [
        (valid, {"Content-Type": "text/plain"}, 415),
        (valid, {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (valid, {"Content-Type": ""}, 415),
        (gzip.compress(valid), {"Content-Encoding": "gzip"}, 415),
        (gzip.compress(valid), {}, 400),
        (json.dumps(make_event()).encode(), {}, 400),
        (b"null", {}, 400),
        (b"[" * 50_000, {}, 400),
        (b"\0", {}, 400),
        (b"", {}, 400),
    ]
    statuses = [webhook.post(body, {**sign(body), **headers})[0] for body, headers, _ in cases]
    assert statuses == [status for *_, status in cases]
    assert webhook.count_events() == 0


def test_invalid_entries_do_not_block_valid_ones(webhook: WebhookServer) -> None:
    body = make_body(
        make_event(reason="a\0b"), 7, {"email": "a@example.com"}, {"event": "open"},
        make_event("e2", "teleported", where=[1]),
    )  # fmt: skip
    assert webhook.post_signed(body) == (200, {"new": 3, "known": 0, "odd": 2})
    assert webhook.post_signed(b"[]")[0] == 200
    assert webhook.count_events() == 3


def test_size_limit_and_allowed_methods(webhook: WebhookServer) -> None:
    body = make_body(*(make_event(f"e{number}", "open", note="x" * 400) for number in range(1_300)))
    assert len(body) > 640_000
    assert webhook.post_signed(body)[1]["new"] == 1_300
    assert webhook.post_signed(b"[" + b" " * 2_000_000 + b"]")[0] == 413
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        response = urllib3.request(method, webhook.url + WEBHOOK_PATH, retries=False)
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
