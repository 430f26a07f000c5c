"""Webhook: signed bodies of 768 KB over HTTP; events per second, p99.

``python benchmarks/bench_webhook.py [BODIES] [sqlite|postgresql]``; every event is stored durably.
The baseline writes the same rows with the bare driver's executemany into the same tables, one
transaction per body.
"""

import base64
import contextlib
import gc
import json
import multiprocessing
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import urllib3
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "plugins"))

from postgres_server import Server, account, programs

from newsletter.db import open_database
from newsletter.events.read_events import parse_webhook_body
from newsletter.project import open_project
from newsletter.sending.providers.sendgrid.webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER
from newsletter.web.rehearsal_site import serve_rehearsal_site
from newsletter.web.sendgrid_webhook import WEBHOOK_PATH

MAX_BODY_BYTES = 768 * 1024
CONCURRENCY = 8
MIN_RATE = 20_000
MAX_P99_SECONDS = 1.0
READERS = 200_000
SignedBody = tuple[bytes, dict[str, str]]
SECRET = ec.generate_private_key(ec.SECP256R1())
KINDS = (
    "processed",
    "delivered",
    "delivered",
    "open",
    "delivered",
    "processed",
    "click",
    "deferred",
)
CONFIG = """\
name: Harbour Notes
sender: {name: Harbour Notes, address: editor@harbournotes.example}
postal_address: Harbour Notes, 1 Quay Street, Bergen
site_url: https://harbournotes.example
public_url: https://news.harbournotes.example
"""


def make_event(number: int) -> dict[str, Any]:
    """Return an event as SendGrid documents it; one in 200 is a soft bounce, one in 500 hard."""
    reader = number * 7919 % READERS
    kind = KINDS[number % len(KINDS)]
    event = {
        "email": f"reader.{reader}@quay{reader % 50}.example",
        "timestamp": int(time.time()) - 60,
        "smtp-id": f"<14c5d75ce93.dfd.{number:08d}@ismtpd-555>",
        "event": kind,
        "category": ["2026-12-01-the-ice-let-go"],
        "sg_event_id": base64.b64encode(f"{kind}-0-{number:016d}-QqaYvz1SS".encode()).decode(),
        "sg_message_id": f"14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.{number:08d}",
        "nl_send": "1",
        "nl_batch": str(number % 200 + 1),
        "nl_attempt": "1",
        "nl_subscriber": str(reader),
    }
    if number % 200 == 0:
        event |= {"event": "bounce", "type": "blocked", "reason": "450 4.2.2 mailbox full"}
    elif number % 500 == 1:
        event |= {"event": "bounce", "type": "bounce", "reason": "550 5.1.1 no such user"}
    elif kind == "delivered":
        event["response"] = "250 2.0.0 OK 1796115600 d9443c01a7336-1f5 - gsmtp"
    elif kind in {"open", "click"}:
        event |= {
            "ip": "203.0.113.9",
            "useragent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120",
            "url": "https://harbournotes.example/posts/the-ice-let-go",
        }
    return event


def make_bodies(count: int) -> list[tuple[bytes, int]]:
    """Return bodies just below the largest that SendGrid sends, each with its number of events."""
    result, number = [], 0
    for _ in range(count):
        parts, size = [], 2
        while size < MAX_BODY_BYTES - 700:
            parts.append(json.dumps(make_event(number)).encode())
            size += len(parts[-1]) + 1
            number += 1
        result.append((b"[" + b",".join(parts) + b"]", len(parts)))
    return result


def sign(body: bytes) -> dict[str, str]:
    timestamp = str(int(time.time()))
    signature = SECRET.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))
    headers = {SIGNATURE_HEADER: base64.b64encode(signature).decode(), TIMESTAMP_HEADER: timestamp}
    return {**headers, "Content-Type": "application/json"}


def run_baseline(folder: Path, bodies: list[tuple[bytes, int]]) -> float:
    """Return the seconds for the same rows by executemany, without parsing."""
    open_database("sqlite:///bare.db", folder).dispose()
    names = "sg_event_id, type, at, address_key, send_id, batch_id, attempt_number, is_bot, raw"
    insert = f"INSERT INTO event ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)"  # noqa: S608
    rows = [
        [(event.id, event.type, event.at.isoformat(), event.address, event.send_id, event.batch_id,
          event.attempt_number, event.raw_json) for event in parse_webhook_body(body).events]
        for body, _ in bodies
    ]  # fmt: skip
    with contextlib.closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as file:
        file.execute("PRAGMA synchronous = FULL")
        start = time.perf_counter()
        for page in rows:
            file.execute("BEGIN IMMEDIATE")
            file.executemany(insert, page)
            file.execute("COMMIT")
        return time.perf_counter() - start


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        yield "sqlite:///newsletter.db"
        return
    # A path short enough for a socket, in a folder that the server's account may enter.
    server = Server(programs(), Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp")), account())
    try:
        if server.account:
            shutil.chown(server.folder, server.account)
        server.start()
        yield server.url(server.new_database())
        server.stop()
    finally:
        shutil.rmtree(server.folder)


def add_subscribers(engine: Any) -> None:
    """Fill the list with readers, by bulk insert."""
    from newsletter.db.bulk import insert_rows
    from newsletter.db.schema import subscriber

    at = "2026-01-01T09:00:00.000000+00:00"
    names = ("address", "address_key", "status", "attributes", "token", "joined_at", "updated_at")
    rows = [
        (address, address, "active", "{}", f"token-{number}", at, at)
        for number in range(READERS)
        for address in (f"reader.{number}@quay{number % 50}.example",)
    ]
    with engine.begin() as connection:
        insert_rows(connection, subscriber, names, rows)


def main() -> int:
    gc.set_threshold(100_000, 20, 20)  # as newsletter.cli.main does
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    kind = sys.argv[2] if len(sys.argv) > 2 else "sqlite"
    public = SECRET.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    bodies = make_bodies(count)
    events = sum(event_count for _, event_count in bodies)
    with tempfile.TemporaryDirectory() as name, database(kind) as url:
        folder = Path(name)
        settings = f"sendgrid: {{webhook_key: {base64.b64encode(public).decode()}}}\n"
        (folder / "newsletter.yml").write_text(CONFIG + settings)
        baseline = run_baseline(folder, bodies)
        engine = open_database(url, folder)
        add_subscribers(engine)
        with serve_rehearsal_site(open_project(folder), engine) as site:
            # SendGrid's side runs in its own process.
            spawn = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=spawn) as sendgrid:
                signed_bodies = [(body, sign(body)) for body, _ in bodies]
                cpu_before = time.process_time()
                seconds, times = sendgrid.submit(post_all, site, signed_bodies).result()
                cpu = time.process_time() - cpu_before
        engine.dispose()
    p99 = sorted(times)[min(len(times) - 1, int(len(times) * 0.99))]
    rate = events / seconds
    print(f"{count} bodies of 768 KB, {events:,} events, {CONCURRENCY} at once, {kind}")
    print(f"  webhook          {seconds:6.2f} s  {rate:9,.0f} events/s  p99 of a POST {p99:.2f} s")
    print(f"  its CPU time     {cpu:6.2f} s  {events / cpu:9,.0f} events per CPU second")
    print(f"  bare executemany {baseline:6.2f} s  {events / baseline:9,.0f} events/s (SQLite)")
    return 0 if kind != "sqlite" or (rate >= MIN_RATE and p99 <= MAX_P99_SECONDS) else 1


def post_all(site: str, signed_bodies: list[SignedBody]) -> tuple[float, list[float]]:
    """Send all bodies; return the total seconds and those of each POST."""
    pool = urllib3.PoolManager(maxsize=CONCURRENCY)
    # A first request, so that one-time initialization is not measured.
    pool.request("GET", site + WEBHOOK_PATH)

    def post(signed_body: SignedBody) -> float:
        start = time.perf_counter()
        response = pool.request(
            "POST", site + WEBHOOK_PATH, body=signed_body[0], headers=signed_body[1], retries=False
        )
        spent = time.perf_counter() - start
        assert response.status == 200, response.data
        assert orjson.loads(response.data)["known"] == 0
        return spent

    start = time.perf_counter()
    with ThreadPoolExecutor(CONCURRENCY) as workers:
        times = list(workers.map(post, signed_bodies))
    return time.perf_counter() - start, times


if __name__ == "__main__":
    sys.exit(main())
