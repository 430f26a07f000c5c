"""Signed webhook bodies of 768 KB over HTTP, stored durably: events a second, and the slowest.

``python benchmarks/bench_webhook.py [BODIES] [sqlite|postgresql]``; the baseline writes the same
rows with the bare driver's executemany into the same tables, one transaction a body.
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
from newsletter.events.parse import parse_webhook_body
from newsletter.project import open_project
from newsletter.web.rehearsal_site import serve_rehearsal_site
from newsletter.web.sendgrid_webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER, WEBHOOK_PATH

LARGEST = 768 * 1024
AT_ONCE = 8
LEAST = 20_000
SLOWEST = 1.0
READERS = 200_000
Ready = tuple[bytes, dict[str, str]]
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


def one(number: int) -> dict[str, Any]:
    """As SendGrid documents them; one in 200 is a soft bounce, one in 500 one for good."""
    reader = number * 7919 % READERS
    kind = KINDS[number % len(KINDS)]
    found = {
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
        found |= {"event": "bounce", "type": "blocked", "reason": "450 4.2.2 mailbox full"}
    elif number % 500 == 1:
        found |= {"event": "bounce", "type": "bounce", "reason": "550 5.1.1 no such user"}
    elif kind == "delivered":
        found["response"] = "250 2.0.0 OK 1796115600 d9443c01a7336-1f5 - gsmtp"
    elif kind in {"open", "click"}:
        found |= {
            "ip": "203.0.113.9",
            "useragent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120",
            "url": "https://harbournotes.example/posts/the-ice-let-go",
        }
    return found


def bodies(count: int) -> list[tuple[bytes, int]]:
    """Bodies just below the largest that SendGrid sends, and how many events each holds."""
    made, number = [], 0
    for _ in range(count):
        parts, size = [], 2
        while size < LARGEST - 700:
            parts.append(json.dumps(one(number)).encode())
            size += len(parts[-1]) + 1
            number += 1
        made.append((b"[" + b",".join(parts) + b"]", len(parts)))
    return made


def signed(body: bytes) -> dict[str, str]:
    stamp = str(int(time.time()))
    made = SECRET.sign(stamp.encode() + body, ec.ECDSA(SHA256()))
    headers = {SIGNATURE_HEADER: base64.b64encode(made).decode(), TIMESTAMP_HEADER: stamp}
    return {**headers, "Content-Type": "application/json"}


def bare(folder: Path, sent: list[tuple[bytes, int]]) -> float:
    """Seconds for the same rows by executemany, the parsing left out."""
    open_database("sqlite:///bare.db", folder).dispose()
    names = "sg_event_id, type, at, address_key, send_id, batch_id, attempt_number, is_bot, raw"
    insert = f"INSERT INTO event ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)"  # noqa: S608
    rows = [
        [(each.id, each.type, each.at.isoformat(), each.address, each.send_id, each.batch_id,
          each.attempt_number, each.raw_json) for each in parse_webhook_body(body).events]
        for body, _ in sent
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
    # A path short enough for a socket's, in a folder that the server's own account may enter.
    server = Server(programs(), Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp")), account())
    try:
        if server.account:
            shutil.chown(server.folder, server.account)
        server.start()
        yield server.url(server.new_database())
        server.stop()
    finally:
        shutil.rmtree(server.folder)


def fill(engine: Any) -> None:
    """A list of readers, by the quickest way."""
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
    sent = bodies(count)
    events = sum(held for _, held in sent)
    with tempfile.TemporaryDirectory() as name, database(kind) as url:
        folder = Path(name)
        settings = f"sendgrid: {{webhook_key: {base64.b64encode(public).decode()}}}\n"
        (folder / "newsletter.yml").write_text(CONFIG + settings)
        baseline = bare(folder, sent)
        engine = open_database(url, folder)
        fill(engine)
        with serve_rehearsal_site(open_project(folder), engine) as site:
            # SendGrid has a process of its own.
            spawn = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=spawn) as sendgrid:
                ready = [(body, signed(body)) for body, _ in sent]
                before = time.process_time()
                took, times = sendgrid.submit(post_all, site, ready).result()
                worked = time.process_time() - before
        engine.dispose()
    slow = sorted(times)[min(len(times) - 1, int(len(times) * 0.99))]
    rate = events / took
    print(f"{count} bodies of 768 KB, {events:,} events, {AT_ONCE} at once, {kind}")
    print(f"  webhook          {took:6.2f} s  {rate:9,.0f} events/s  p99 of a POST {slow:.2f} s")
    print(f"  its processor    {worked:6.2f} s  {events / worked:9,.0f} events/s of its time")
    print(f"  bare executemany {baseline:6.2f} s  {events / baseline:9,.0f} events/s (SQLite)")
    return 0 if kind != "sqlite" or (rate >= LEAST and slow <= SLOWEST) else 1


def post_all(site: str, ready: list[Ready]) -> tuple[float, list[float]]:
    """Seconds in all and of each POST."""
    pool = urllib3.PoolManager(maxsize=AT_ONCE)
    pool.request(
        "GET", site + WEBHOOK_PATH
    )  # whatever is made on first use is not SendGrid's to wait for

    def post(one: Ready) -> float:
        start = time.perf_counter()
        answer = pool.request(
            "POST", site + WEBHOOK_PATH, body=one[0], headers=one[1], retries=False
        )
        spent = time.perf_counter() - start
        assert answer.status == 200, answer.data
        assert orjson.loads(answer.data)["known"] == 0
        return spent

    start = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as workers:
        times = list(workers.map(post, ready))
    return time.perf_counter() - start, times


if __name__ == "__main__":
    sys.exit(main())
