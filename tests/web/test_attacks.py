"""``newsletter serve`` under attack from one address: memory, and readers from another.

The process may open 256 files only, and the attackers come back as soon as they are cut.
"""

import asyncio
import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

ATTACKER = "127.0.0.2"  # not a trusted proxy, as 127.0.0.1 is
PAUSE_SECONDS = 0.05  # before an attacker that was cut comes back
HOLD_SECONDS = 12  # for which an attacker doesn't read, longer than it is tolerated
READERS = 5
REQUESTS_OF_A_READER = 20
VISITS = 2
MAX_SECONDS = 300  # in which a test fails instead of waiting for ever
MAX_GROWTH_BYTES = 50_000_000
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
WEBHOOK = b"POST /webhooks/sendgrid HTTP/1.1\r\nHost: a\r\nContent-Length: 1900001\r\n\r\n"
CHUNKED = b"POST /webhooks/sendgrid HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
# What an attacking connection sends before it waits to be cut, reading next to nothing; and how
# many of them there are.
ATTACKS = {
    "nothing": (b"", 200),
    "a lone line end after an answer": (HEALTH + b"\r\n", 200),
    "half a head": (HEALTH[:-2], 200),
    "12,000 requests at once": (HEALTH * 12_000, 10),
    "most of a large body": (WEBHOOK + b"x" * 1_900_000, 200),
    "a head of 60 kB": (HEALTH[:-2] + b"X: " + b"a" * 60_000 + b"\r\n\r\n", 200),
    "a body in chunks of a byte": (CHUNKED + b"1\r\nx\r\n" * 200_000, 100),
    "60,000 headers": (HEALTH[:-2] + b"a:\r\n" * 60_000 + b"\r\n", 100),
}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, uses 127.0.0.2")


class ServeProcess(NamedTuple):
    """A running ``newsletter serve``."""

    process: int
    port: int
    errors: Path

    def get_memory(self) -> int:
        """Return the bytes of its resident memory."""
        status = Path(f"/proc/{self.process}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert found
        return int(found[1]) * 1024


@pytest.fixture
def served(project_folder: Path, tmp_path: Path) -> Iterator[ServeProcess]:
    errors = tmp_path / "errors"
    with (
        errors.open("w") as error_file,
        subprocess.Popen(
            ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh",
             sys.executable, "-m", "newsletter", "serve", "--port", "0"],
            cwd=project_folder, stdout=subprocess.PIPE, stderr=error_file, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process,
    ):  # fmt: skip
        assert process.stdout
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        assert found
        yield ServeProcess(process.pid, int(found[1]), errors)
        process.kill()


def attack(port: int, sent: bytes, connections: int) -> None:
    """Send and wait to be cut, again and again, with so many connections; never returns."""

    async def hold_connection() -> None:
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            with suppress(ConnectionError, TimeoutError):
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", port, local_addr=(ATTACKER, 0)
                )
                writer.write(sent)
                async with asyncio.timeout(HOLD_SECONDS):
                    if await reader.read(10):
                        await asyncio.Event().wait()
                writer.close()

    async def run() -> None:
        await asyncio.gather(*(hold_connection() for _ in range(connections)))

    asyncio.run(run())


@contextmanager
def under_attack(port: int, sent: bytes, connections: int) -> Iterator[None]:
    """Attack from a process of its own, which can be stopped at any time."""
    attacker = multiprocessing.get_context("spawn").Process(
        target=attack, args=(port, sent, connections), daemon=True
    )
    attacker.start()
    try:
        yield
    finally:
        attacker.kill()
        attacker.join()


def visit(port: int) -> int:
    """Read the site like browsers, each time on a new connection; return how often it worked."""
    with ThreadPoolExecutor(1) as pool:  # browser tests may run an event loop in this thread
        return pool.submit(asyncio.run, read_pages(port)).result()


async def read_pages(port: int) -> int:

    async def read() -> int:
        count = 0
        for _ in range(REQUESTS_OF_A_READER):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEALTH)
            count += (await reader.read(1_000)).startswith(b"HTTP/1.1 200")
            writer.close()
        return count

    async with asyncio.timeout(MAX_SECONDS):
        return sum(await asyncio.gather(*(read() for _ in range(READERS))))


@pytest.mark.parametrize(("sent", "connections"), ATTACKS.values(), ids=ATTACKS.keys())
def test_readers_are_served_and_memory_stays(
    served: ServeProcess, sent: bytes, connections: int
) -> None:
    visit(served.port)
    before = served.get_memory()
    with under_attack(served.port, sent, connections):
        answered = [visit(served.port) for _ in range(VISITS)]
        growth = served.get_memory() - before
    assert answered == [READERS * REQUESTS_OF_A_READER] * VISITS
    assert growth < MAX_GROWTH_BYTES
    assert "Traceback" not in served.errors.read_text()
    assert visit(served.port) == READERS * REQUESTS_OF_A_READER
