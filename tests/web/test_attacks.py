"""``newsletter serve`` under attack from one address: memory, and readers from another."""

import asyncio
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from benchmarks.port_attacks import (
    LARGE_BODY,
    SMALL_CHUNKS,
    ServeProcess,
    run_server,
    under_attack,
)

READERS = 5
REQUESTS_OF_A_READER = 20
VISITS = 2
MAX_SECONDS = 300  # in which a test fails instead of waiting for ever
MAX_GROWTH_BYTES = 50_000_000
SETTINGS = """\
name: Harbour Notes
sender: {name: Harbour Notes, address: editor@harbour-notes.org}
site_url: https://harbour-notes.org
public_url: https://news.harbour-notes.org
"""
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
# What an attacking connection sends before it waits to be cut, reading next to nothing; and how
# many of them there are.
ATTACKS = {
    "nothing": (b"", 200),
    "a lone line end after an answer": (HEALTH + b"\r\n", 200),
    "half a head": (HEALTH[:-2], 200),
    "12,000 requests at once": (HEALTH * 12_000, 10),
    "most of a large body": (LARGE_BODY, 100),
    "a head of 60 kB": (HEALTH[:-2] + b"X: " + b"a" * 60_000 + b"\r\n\r\n", 100),
    "a body in chunks of a byte": (SMALL_CHUNKS, 100),
    "60,000 headers": (HEALTH[:-2] + b"a:\r\n" * 60_000 + b"\r\n", 100),
}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, uses 127.0.0.2")


class AttackedSite(NamedTuple):
    """A server, its log and the memory that it had before all attacks."""

    server: ServeProcess
    errors: Path
    memory: int


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttackedSite]:
    """One server for all attacks, since none of them may leave anything behind."""
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "newsletter.yml").write_text(SETTINGS)
    errors = folder / "errors"
    with run_server(folder, errors) as server:
        visit(server.port)
        yield AttackedSite(server, errors, server.get_memory())


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
    attacked: AttackedSite, sent: bytes, connections: int
) -> None:
    port = attacked.server.port
    with under_attack(port, sent, connections):
        answered = [visit(port) for _ in range(VISITS)]
        growth = attacked.server.get_memory() - attacked.memory
    assert answered == [READERS * REQUESTS_OF_A_READER] * VISITS
    assert growth < MAX_GROWTH_BYTES
    log = attacked.errors.read_text()
    assert "Traceback" not in log
    assert '"trace"' not in log
    assert visit(port) == READERS * REQUESTS_OF_A_READER
