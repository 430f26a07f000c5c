"""The public site under 50 connections: pages and unsubscribing, beside a constant answer."""

import asyncio
import datetime
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa

from newsletter.db import database
from newsletter.db.schema import subscriber

CONNECTIONS = 50
REQUESTS = int(os.environ.get("BENCH_REQUESTS", "2000"))
ONE_CLICK = b"List-Unsubscribe=One-Click"
FORM = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 26\r\n"
PAGES = ("/healthz", "/assets/style.css", "/subscribe", "/p/token-0", "/u/token-0")


def list_readers(folder: Path) -> None:
    now = datetime.datetime.now(datetime.UTC)
    rows = [
        {
            "address": f"r{n}@example.org", "address_key": f"r{n}@example.org", "name": "",
            "status": "active", "attributes": {}, "token": f"token-{n}", "joined_at": now,
            "updated_at": now,
        }
        for n in range(REQUESTS)
    ]  # fmt: skip
    with database("sqlite:///newsletter.db", folder) as engine, engine.begin() as connection:
        connection.execute(sa.insert(subscriber), rows)


async def ask(url: str, heads: list[bytes]) -> list[float]:
    """Answer times in ms of requests sent one after the other on each of the connections."""
    parts, left, spent = urlsplit(url), iter(heads), list[float]()

    async def visitor() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for sent in left:
            started = time.perf_counter()
            writer.write(sent)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
            await reader.readexactly(int(length))
            spent.append((time.perf_counter() - started) * 1000)
        writer.close()

    await asyncio.gather(*(visitor() for _ in range(CONNECTIONS)))
    return spent


def measure(url: str, name: str, heads: list[bytes]) -> None:
    started = time.perf_counter()
    spent = asyncio.run(ask(url, heads))
    rate = len(spent) / (time.perf_counter() - started)
    p95 = statistics.quantiles(spent, n=20)[-1]
    print(f"{name:<24} {rate:>7,.0f} /s   p95 {p95:6.1f} ms")


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        program = [sys.executable, "-m", "newsletter"]
        subprocess.run([*program, "init", "site"], cwd=scratch, check=True, capture_output=True)
        folder = Path(scratch, "site")
        list_readers(folder)
        with socket.create_server(("127.0.0.1", 0)) as door:
            port = door.getsockname()[1]
        server = subprocess.Popen(
            [*program, "serve", "--port", str(port)],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            assert server.stdout
            server.stdout.readline()
            url = f"http://127.0.0.1:{port}"
            for path in PAGES:
                head = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
                measure(url, f"GET {path}", [head] * REQUESTS)
            posts = [
                f"POST /u/token-{n} HTTP/1.1\r\nHost: a\r\n{FORM}\r\n".encode() + ONE_CLICK
                for n in range(REQUESTS)
            ]
            measure(url, "POST /u/… one click", posts)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
