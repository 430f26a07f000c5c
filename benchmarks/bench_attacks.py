"""The public site under attack from one address: memory, and response times of readers.

The server may open 256 files, the attackers come back 50 ms after they were cut, and readers from
another address open a new connection for each request. The baseline is the same without attack,
in the same run. With ``BENCH_SECONDS=60`` each attack lasts longer.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from pathlib import Path

from benchmarks.port_attacks import LARGE_BODY, SMALL_CHUNKS, run_server, under_attack
from newsletter.sending.rehearsal import FakeSendGrid

SECONDS = float(os.environ.get("BENCH_SECONDS", "8"))
READERS = 5
ISSUE = "2026-12-01-the-ice"
PICTURE_BYTES = 8_000_000
POST = "---\ntitle: The ice\n---\n\nThe ice let go on a Tuesday.\n\n![](ice.png)\n"
SETTINGS = """\
name: Harbour Notes
sender: {name: Harbour Notes, address: editor@harbour-notes.org}
postal_address: Harbour Notes, 1 Quay Street, Bergen
site_url: https://harbour-notes.org
public_url: https://news.harbour-notes.org
limits: {image_bytes: 9000000}
"""
PNG_HEAD = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de")
HEAD = b"GET /issues/the-ice HTTP/1.1\r\nHost: a\r\n"
PAGE = HEAD + b"\r\n"
# What each connection sends before it waits to be cut, reading next to nothing; how many there are.
ATTACKS = {
    "no attack": (b"", 0),
    "nothing is sent": (b"", 300),
    "half a head": (HEAD, 300),
    "an empty line after an answer": (PAGE + b"\r\n", 300),
    "12,000 requests at once": (PAGE * 12_000, 10),
    "most of a body of 2 MB": (LARGE_BODY, 300),
    "a body in chunks of a byte": (SMALL_CHUNKS, 100),
    "60,000 headers": (HEAD + b"a:\r\n" * 60_000 + b"\r\n", 100),
    "a picture of 8 MB, not read": (PAGE.replace(b"ice ", b"ice/ice.png "), 300),
}


def prepare(folder: Path) -> None:
    """Send an issue with a large picture."""
    issue = folder / "issues" / ISSUE
    issue.mkdir(parents=True)
    (issue / "post.md").write_text(POST)
    (issue / "ice.png").write_bytes(PNG_HEAD + bytes(PICTURE_BYTES - len(PNG_HEAD)))
    (folder / "newsletter.yml").write_text(SETTINGS)
    program = [sys.executable, "-m", "newsletter"]
    with FakeSendGrid() as fake:
        environment = {**os.environ, "SENDGRID_API_KEY": fake.key, "SENDGRID_HOST": fake.url}
        for command in (
            ["subscribers", "add", "ada@example.org", "--consent", "asked"],
            ["send", ISSUE, "--yes", "--no-image-check"],
        ):
            subprocess.run([*program, *command], cwd=folder, check=True, env=environment)


async def read_site(port: int) -> tuple[list[float], int]:
    """Read a page again and again; return the response times in ms, and how many failed."""
    spent: list[float] = []
    failed = 0
    end = time.perf_counter() + SECONDS

    async def read() -> None:
        nonlocal failed
        while time.perf_counter() < end:
            started = time.perf_counter()
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(PAGE)
                is_answered = (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
                writer.close()
            except (ConnectionError, asyncio.IncompleteReadError):
                is_answered = False
            failed += not is_answered
            spent.append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(0.02)

    await asyncio.gather(*(read() for _ in range(READERS)))
    return spent, failed


def measure(folder: Path, name: str, sent: bytes, connections: int) -> None:
    with run_server(folder, folder / "errors") as server:
        asyncio.run(read_site_once(server.port))
        before = server.get_memory()
        peak = [before]
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.wait(0.05):
                peak.append(server.get_memory())

        watcher = threading.Thread(target=watch)
        watcher.start()
        with under_attack(server.port, sent, connections) if connections else nullcontext():
            spent, failed = asyncio.run(read_site(server.port))
        is_over.set()
        watcher.join()
    p95 = statistics.quantiles(spent, n=20)[-1]
    print(
        f"{name:<30} {before / 1e6:4.0f} → {max(peak) / 1e6:4.0f} MB   p95 {p95:6.1f} ms   "
        f"{failed} of {len(spent):,} failed"
    )


async def read_site_once(port: int) -> None:
    """Read one page, so that all that is loaded once is loaded."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(PAGE)
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        program = [sys.executable, "-m", "newsletter"]
        subprocess.run([*program, "init", "site"], cwd=scratch, check=True, capture_output=True)
        folder = Path(scratch, "site")
        prepare(folder)
        for name, (sent, connections) in ATTACKS.items():
            measure(folder, name, sent, connections)


if __name__ == "__main__":
    main()
