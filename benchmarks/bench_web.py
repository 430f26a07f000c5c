"""The public site under 50 connections: pages and one-click unsubscribe.

The baseline is a bare Starlette route that returns a constant, under the same load just before each
measurement. Besides wall time it prints the server's CPU time, which excludes the load client
and other programs on a busy machine.
"""

import asyncio
import datetime
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db import database_engine
from newsletter.db.schema import subscriber
from newsletter.sending.rehearsal import FakeSendGrid

CONNECTIONS = 50
REQUESTS = int(os.environ.get("BENCH_REQUESTS", "3000"))
ONE_CLICK = b"List-Unsubscribe=One-Click"
FORM = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 26\r\n"
ISSUE = "2026-12-01-the-ice"
POST = "---\ntitle: The ice\n---\n\n" + "The ice let go on a Tuesday, all at once.\n\n" * 60
SETTINGS = """\
name: Harbour Notes
sender: {name: Harbour Notes, address: editor@harbour-notes.org}
postal_address: Harbour Notes, 1 Quay Street, Bergen
site_url: https://harbour-notes.org
public_url: https://news.harbour-notes.org
"""
PAGES = ("/subscribe", "/p/token-0", "/u/token-0", "/", "/issues/the-ice", "/feed.atom")
BARE = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("constant"))])
uvicorn.run(app, port=int(sys.argv[1]), log_config=None, access_log=False)
"""


class Server(NamedTuple):
    """A server process."""

    process: int
    port: int

    def cpu_seconds(self) -> float:
        """Return the seconds of CPU time since its start."""
        spent = Path(f"/proc/{self.process}/stat").read_text().rpartition(") ")[2].split()[11:13]
        return sum(map(int, spent)) / os.sysconf("SC_CLK_TCK")


def prepare(folder: Path) -> None:
    """Add readers to the list, and send them an issue."""
    (folder / "issues" / ISSUE).mkdir(parents=True)
    (folder / "issues" / ISSUE / "post.md").write_text(POST)
    (folder / "newsletter.yml").write_text(SETTINGS)
    now = datetime.datetime.now(datetime.UTC)
    rows = [
        {
            "address": f"r{n}@example.org", "address_key": f"r{n}@example.org", "name": "",
            "status": "active", "attributes": {}, "token": f"token-{n}", "joined_at": now,
            "updated_at": now,
        }
        for n in range(REQUESTS)
    ]  # fmt: skip
    with database_engine("sqlite:///newsletter.db", folder) as engine, engine.begin() as connection:
        connection.execute(sa.insert(subscriber), rows)
    with FakeSendGrid() as fake:
        provider = {"SENDGRID_API_KEY": fake.key, "SENDGRID_HOST": fake.url}
        command = [sys.executable, "-m", "newsletter", "send", ISSUE, "--yes"]
        subprocess.run(
            command, cwd=folder, check=True, capture_output=True, env={**os.environ, **provider}
        )


@contextmanager
def run_server(folder: Path, *arguments: str) -> Iterator[Server]:
    """Run a server in its own process, with its port as the last argument."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, *arguments, str(port)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        yield Server(process.pid, port)
    finally:
        process.terminate()
        process.wait()


async def send_requests(port: int, requests: list[bytes]) -> list[float]:
    """Send the requests in sequence on each of the connections; return response times in ms."""
    remaining, spent = iter(requests), list[float]()

    async def run_client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in remaining:
            started = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
            await reader.readexactly(int(length))
            spent.append((time.perf_counter() - started) * 1000)
        writer.close()

    await asyncio.gather(*(run_client() for _ in range(CONNECTIONS)))
    return spent


def measure(server: Server, name: str, requests: list[bytes]) -> None:
    started, cpu_before = time.perf_counter(), server.cpu_seconds()
    spent = asyncio.run(send_requests(server.port, requests))
    rate = len(spent) / (time.perf_counter() - started)
    work = (server.cpu_seconds() - cpu_before) / len(spent) * 1e6
    p95 = statistics.quantiles(spent, n=20)[-1]
    print(f"{name:<22} {rate:>7,.0f} /s   p95 {p95:6.1f} ms   {work:5.0f} µs of CPU time")


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        program = [sys.executable, "-m", "newsletter"]
        subprocess.run([*program, "init", "site"], cwd=scratch, check=True, capture_output=True)
        folder = Path(scratch, "site")
        prepare(folder)
        gets = {path: [f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()] for path in PAGES}
        posts = [
            f"POST /u/token-{n} HTTP/1.1\r\nHost: a\r\n{FORM}\r\n".encode() + ONE_CLICK
            for n in range(REQUESTS)
        ]
        with (
            run_server(folder, "-c", BARE) as bare,
            run_server(folder, "-m", "newsletter", "serve", "--port") as site,
        ):
            constant = [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"] * REQUESTS
            for path in PAGES:
                measure(bare, "bare Starlette route", constant)
                measure(site, f"GET {path}", gets[path] * REQUESTS)
            measure(bare, "bare Starlette route", constant)
            measure(site, "POST /u/… one click", posts)


if __name__ == "__main__":
    main()
