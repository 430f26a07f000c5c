"""The webhook against a running server, signed with a key made here: 4xx, or exactly one row."""

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

Answer = tuple[int, Any]


@dataclass
class Desk:
    """A server, its database, and SendGrid's hand."""

    url: str
    engine: sa.Engine

    def post(self, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        answer = urllib3.request(
            "POST",
            self.url + WEBHOOK_PATH,
            body=body,
            headers={**JSON, **(headers or {})},
            retries=False,
        )
        return answer.status, answer.json()

    def signed(self, body: bytes, age: int = 0) -> Answer:
        return self.post(body, signature(body, age))

    def rows(self) -> int:
        with read_transaction(self.engine) as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(event)).scalar_one()


def signature(body: bytes, age: int = 0, secret: ec.EllipticCurvePrivateKey = SECRET) -> Any:
    stamp = str(int(time.time()) - age)
    made = secret.sign(stamp.encode() + body, ec.ECDSA(SHA256()))
    return {SIGNATURE_HEADER: base64.b64encode(made).decode(), TIMESTAMP_HEADER: stamp}


def one(id_: str = "e1", kind: str = "spamreport", **fields: Any) -> dict[str, Any]:
    basis = {"sg_event_id": id_, "event": kind, "timestamp": int(time.time())}
    return {**basis, "email": "ada@example.com", **fields}


def body(*events: object) -> bytes:
    return json.dumps(events).encode()


def serving(folder: Path, engine: sa.Engine, settings: str) -> Iterator[Desk]:
    with (folder / "newsletter.yml").open("a") as config:
        config.write(f"public_url: https://news.harbournotes.example\nsendgrid:\n  {settings}\n")
    with serve_rehearsal_site(open_project(), engine) as url:
        yield Desk(url, engine)


@pytest.fixture
def desk(project_folder: Path, engine: sa.Engine) -> Iterator[Desk]:
    yield from serving(project_folder, engine, f"webhook_key: {PUBLIC}")


def test_signed_events_are_kept_once(desk: Desk) -> None:
    sent = body(one(), one("e2", "open"))
    headers = signature(sent)
    assert desk.post(sent, headers) == (200, {"new": 2, "known": 0, "odd": 0})
    assert desk.post(sent, headers) == (200, {"new": 0, "known": 2, "odd": 0})
    # Reordered, repeated within, and a part of it: signed anew.
    assert desk.signed(body(one("e2", "open"), one(), one()))[1]["new"] == 0
    assert desk.signed(body(one("e2", "open"), one("e3", "click")))[1]["new"] == 1
    assert desk.rows() == 3


def test_what_is_not_signed_as_it_should_be_changes_nothing(desk: Desk) -> None:
    sent = body(one())
    right = signature(sent)
    stamp = right[TIMESTAMP_HEADER]
    stranger = ec.generate_private_key(ec.SECP256R1())
    bare = base64.b64encode(SECRET.sign(sent, ec.ECDSA(SHA256()))).decode()
    refused = [
        desk.post(sent),
        desk.post(sent, {SIGNATURE_HEADER: right[SIGNATURE_HEADER]}),
        desk.post(sent, {TIMESTAMP_HEADER: stamp}),
        desk.post(sent, signature(sent, secret=stranger)),
        desk.post(sent.replace(b"ada", b"eve"), right),
        desk.post(sent + b" ", right),
        desk.post(sent[:-1], right),
        desk.post(b"", right),
        desk.post(sent, {**right, TIMESTAMP_HEADER: str(int(stamp) + 1)}),
        desk.post(sent, {**right, SIGNATURE_HEADER: "!"}),
        desk.post(sent, {**right, SIGNATURE_HEADER: ""}),
        desk.post(sent, {SIGNATURE_HEADER: bare, TIMESTAMP_HEADER: ""}),
        desk.post(stamp.encode() + sent, {**right, TIMESTAMP_HEADER: ""}),
        desk.signed(sent, age=-600),
        desk.signed(sent, age=2 * 86_400),
    ]
    assert [status for status, _ in refused] == [403] * len(refused)
    assert all(list(answer) == ["error"] for _, answer in refused)
    assert desk.rows() == 0
    assert desk.signed(sent)[0] == 200


def test_two_signatures_are_none(desk: Desk) -> None:
    sent = body(one())
    headers = urllib3.HTTPHeaderDict({**JSON, **signature(sent)})
    headers.add(SIGNATURE_HEADER, headers[SIGNATURE_HEADER])
    answer = urllib3.request(
        "POST", desk.url + WEBHOOK_PATH, body=sent, headers=headers, retries=False
    )
    assert (answer.status, desk.rows()) == (403, 0)


def test_a_retry_of_hours_ago_is_taken_and_a_replay_of_it_changes_nothing(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    sent = body(one())
    headers = signature(sent, age=6 * 3600)
    assert desk.post(sent, headers)[1]["new"] == 1
    assert "more than 10 minutes ago" in caplog.text
    assert desk.post(sent, headers) == (200, {"new": 0, "known": 1, "odd": 0})
    assert desk.rows() == 1
    assert "ada@" not in caplog.text


def test_signed_nonsense_is_refused(desk: Desk) -> None:
    good = body(one())
    cases = [
        (good, {"Content-Type": "text/plain"}, 415),
        (good, {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (good, {"Content-Type": ""}, 415),
        (gzip.compress(good), {"Content-Encoding": "gzip"}, 415),
        (gzip.compress(good), {}, 400),
        (json.dumps(one()).encode(), {}, 400),
        (b"null", {}, 400),
        (b"[" * 50_000, {}, 400),
        (b"\0", {}, 400),
        (b"", {}, 400),
    ]
    answers = [desk.post(sent, {**signature(sent), **headers})[0] for sent, headers, _ in cases]
    assert answers == [status for *_, status in cases]
    assert desk.rows() == 0


def test_odd_entries_and_texts_keep_nothing_else_out(desk: Desk) -> None:
    sent = body(one(reason="a\0b"), 7, {"event": "open"}, one("e2", "teleported", where=[1]))
    assert desk.signed(sent) == (200, {"new": 2, "known": 0, "odd": 2})
    assert desk.signed(b"[]")[0] == 200
    assert desk.rows() == 2


def test_too_much_is_refused_and_other_ways_in_are_shut(desk: Desk) -> None:
    big = body(*(one(f"e{number}", "open", note="x" * 400) for number in range(1_300)))
    assert len(big) > 640_000
    assert desk.signed(big)[1]["new"] == 1_300
    assert desk.signed(b"[" + b" " * 2_000_000 + b"]")[0] == 413
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = urllib3.request(method, desk.url + WEBHOOK_PATH, retries=False)
        assert answer.status == 405


def test_half_a_body_is_none(desk: Desk) -> None:
    sent = body(one())
    head = "".join(f"{name}: {value}\r\n" for name, value in {**JSON, **signature(sent)}.items())
    address = urlsplit(desk.url)
    with socket.create_connection((str(address.hostname), address.port or 0)) as line:
        start = (
            f"POST {WEBHOOK_PATH} HTTP/1.1\r\nHost: here\r\n"
            f"Content-Length: {len(sent)}\r\n{head}\r\n"
        )
        line.sendall(start.encode() + sent[:-5])
        line.shutdown(socket.SHUT_WR)
        line.recv(1_000)
    assert desk.rows() == 0
    assert desk.signed(sent)[1]["new"] == 1


def test_the_same_body_from_several_sides_at_once_counts_once(desk: Desk) -> None:
    with desk.engine.begin() as connection:
        add_reader(connection)
    sent = body(one("e1", "bounce", type="blocked"), one("e2", "bounce", type="bounce"))
    headers, together = signature(sent), threading.Barrier(4)

    def post(_: int) -> Answer:
        together.wait()
        return desk.post(sent, headers)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(post, range(4)))
    assert [status for status, _ in answers] == [200] * 4
    assert sorted(answer["new"] for _, answer in answers) == [0, 0, 0, 2]
    with read_transaction(desk.engine) as connection:
        words = connection.scalars(sa.select(journal.c.change).order_by(journal.c.seq)).all()
    assert words[-1] == "bounced"
    assert words.count("bounced") == 1


def add_reader(connection: sa.Connection) -> None:
    born = ChangeOrigin(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "cli")
    changes.subscribe(connection, parse_address("ada@example.com"), "active", born)


def test_without_a_key_nothing_is_believed(
    project_folder: Path, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    for desk in serving(project_folder, engine, "webhook_unsigned: false"):
        assert "set sendgrid.webhook_key" in caplog.text
        assert desk.signed(body(one()))[0] == 403
        assert desk.post(body(one()))[0] == 403
        assert desk.rows() == 0


def test_unsigned_events_are_believed_only_if_a_setting_says_so_loudly(
    project_folder: Path, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    for desk in serving(project_folder, engine, "webhook_unsigned: true"):
        assert "ANYBODY can report events here" in caplog.text
        assert desk.post(body(one()))[1]["new"] == 1


def test_a_key_beats_the_setting_to_believe_anybody(
    project_folder: Path, engine: sa.Engine
) -> None:
    settings = f"webhook_unsigned: true\n  webhook_key: {PUBLIC}"
    for desk in serving(project_folder, engine, settings):
        assert desk.post(body(one()))[0] == 403


def test_what_cannot_be_stored_is_to_come_again(project_folder: Path, tmp_path: Path) -> None:
    engine = open_database("sqlite:///newsletter.db", tmp_path)
    sent = body(one(note="x" * 100_000))
    disk = ["1"]  # as small as it may be: it can't grow any more

    def full(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {disk[-1]}")

    for desk in serving(project_folder, engine, f"webhook_key: {PUBLIC}"):
        sa.event.listen(engine, "checkout", full)
        assert desk.signed(sent) == (503, {"error": "try again later"})
        disk.append("1000000")
        assert desk.signed(sent)[1]["new"] == 1
    engine.dispose()
