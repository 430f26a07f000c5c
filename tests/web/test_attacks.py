"""``newsletter serve`` under attack from one address: memory, and readers from another.

The process may open 256 files only, and the attackers come back as soon as they are cut.
"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

ATTACKER = "127.0.0.2"  # not a trusted proxy, as 127.0.0.1 is
PAUSE_SECONDS = 0.05  # before an attacker that was cut comes back
READERS = 5
REQUESTS_OF_A_READER = 20
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


async def attack(port: int, sent: bytes, *, stop: asyncio.Event) -> None:
    """Send and wait to be cut, again and again."""
    while True:
        writer = None
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PAUSE_SECONDS)
            return
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=(ATTACKER, 0)
            )
            writer.write(sent)
            await writer.drain()
            if await reader.read(10):
                await stop.wait()
        except ConnectionError:
            pass
        finally:
            if writer:
                writer.transport.abort()


async def visit(port: int) -> int:
    """Read the site like a browser, each time on a new connection; return how often it worked."""
    count = 0
    for _ in range(REQUESTS_OF_A_READER):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEALTH)
        count += (await reader.read(1_000)).startswith(b"HTTP/1.1 200")
        writer.close()
    return count


async def besiege(port: int, sent: bytes, connections: int) -> int:
    stop = asyncio.Event()
    attackers = [asyncio.create_task(attack(port, sent, stop=stop)) for _ in range(connections)]
    counts = await asyncio.gather(*(visit(port) for _ in range(READERS)))
    stop.set()
    for attacker in attackers:
        attacker.cancel()
    await asyncio.gather(*attackers, return_exceptions=True)
    return sum(counts)


@pytest.mark.parametrize(("sent", "connections"), ATTACKS.values(), ids=ATTACKS.keys())
def test_readers_are_served_and_memory_stays(
    served: ServeProcess, sent: bytes, connections: int
) -> None:
    asyncio.run(visit(served.port))
    before = served.get_memory()
    answered = asyncio.run(besiege(served.port, sent, connections))
    growth = served.get_memory() - before
    assert answered == READERS * REQUESTS_OF_A_READER
    assert growth < MAX_GROWTH_BYTES
    assert "Traceback" not in served.errors.read_text()
    assert asyncio.run(visit(served.port)) == REQUESTS_OF_A_READER
