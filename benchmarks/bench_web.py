"""The public site under 50 connections: pages, and readers who leave by one click.

The baseline is a bare Starlette route that answers a constant, asked likewise just before each.
Beside the clock stands the server's processor time: what the load client and other programs take
of a busy machine is not in it.
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
    """A process that answers."""

    process: int
    port: int

    def worked(self) -> float:
        """Seconds of processor time since its start."""
        spent = Path(f"/proc/{self.process}/stat").read_text().rpartition(") ")[2].split()[11:13]
        return sum(map(int, spent)) / os.sysconf("SC_CLK_TCK")


def prepare(folder: Path) -> None:
    """Put readers on the list, and send them an issue."""
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
    with FakeSendGrid() as double:
        vendor = {"SENDGRID_API_KEY": double.key, "SENDGRID_HOST": double.url}
        command = [sys.executable, "-m", "newsletter", "send", ISSUE, "--yes"]
        subprocess.run(
            command, cwd=folder, check=True, capture_output=True, env={**os.environ, **vendor}
        )


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[Server]:
    """A server in a process of its own, told its port as its last word."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, *words, str(port)],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
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


async def ask(port: int, heads: list[bytes]) -> list[float]:
    """Answer times in ms of requests sent one after the other on each of the connections."""
    left, spent = iter(heads), list[float]()

    async def visitor() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
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


def measure(server: Server, name: str, heads: list[bytes]) -> None:
    started, worked = time.perf_counter(), server.worked()
    spent = asyncio.run(ask(server.port, heads))
    rate = len(spent) / (time.perf_counter() - started)
    work = (server.worked() - worked) / len(spent) * 1e6
    p95 = statistics.quantiles(spent, n=20)[-1]
    print(f"{name:<22} {rate:>7,.0f} /s   p95 {p95:6.1f} ms   {work:5.0f} µs of processor time")


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
            serving(folder, "-c", BARE) as bare,
            serving(folder, "-m", "newsletter", "serve", "--port") as site,
        ):
            constant = [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"] * REQUESTS
            for path in PAGES:
                measure(bare, "bare Starlette route", constant)
                measure(site, f"GET {path}", gets[path] * REQUESTS)
            measure(bare, "bare Starlette route", constant)
            measure(site, "POST /u/… one click", posts)


if __name__ == "__main__":
    main()
