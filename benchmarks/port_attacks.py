"""Attacks on the port of ``newsletter serve``, for the benchmark and for the tests.

The server may open 256 files, and the attackers come back as soon as they are cut.
"""

import asyncio
import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

ATTACKER = "127.0.0.2"  # not a trusted proxy, as 127.0.0.1 is
OPEN_FILES = 256
PAUSE_SECONDS = 0.05  # before an attacker that was cut comes back
HOLD_SECONDS = 12  # for which an attacker doesn't read, longer than it is tolerated
START_SECONDS = 120
WEBHOOK = b"POST /webhooks/sendgrid HTTP/1.1\r\nHost: a\r\nContent-Length: 1900001\r\n\r\n"
CHUNKED = b"POST /webhooks/sendgrid HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE_BODY = WEBHOOK + b"x" * 1_900_000
SMALL_CHUNKS = CHUNKED + b"1\r\nx\r\n" * 200_000


class ServeProcess(NamedTuple):
    """A running ``newsletter serve``."""

    process: int
    port: int

    def get_memory(self) -> int:
        """Return the bytes of its resident memory."""
        status = Path(f"/proc/{self.process}/status").read_text()
        return int(re.findall(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)[0]) * 1024


@contextmanager
def run_server(
    folder: Path, errors: Path, *options: str, open_files: int = OPEN_FILES
) -> Iterator[ServeProcess]:
    """Run ``newsletter serve`` in a project's folder, with its log in a file."""
    command = [sys.executable, "-m", "newsletter", "serve", "--port", "0", *options]
    with (
        errors.open("w") as error_file,
        subprocess.Popen(
            ["sh", "-c", f'ulimit -n {open_files}; exec "$@"', "sh", *command],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=error_file,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process,
    ):
        try:
            assert process.stdout
            found = re.search(r"http://\S+:(\d+)/", process.stdout.readline())
            assert found, errors.read_text()
            yield ServeProcess(process.pid, int(found[1]))
        finally:
            process.kill()


@contextmanager
def under_attack(port: int, sent: bytes, connections: int) -> Iterator[None]:
    """Attack from a process of its own, which can be stopped at any time.

    Args:
        port: the server's.
        sent: what each connection sends before it waits to be cut, reading next to nothing.
        connections: how many there are at once; when all have been made, the block begins.
    """
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    attacker = context.Process(target=attack, args=(port, sent, connections, begun), daemon=True)
    attacker.start()
    try:
        assert begun.wait(START_SECONDS)
        yield
    finally:
        attacker.kill()
        attacker.join()


def attack(port: int, sent: bytes, connections: int, begun: Event) -> None:
    """Send and wait to be cut, again and again, with so many connections; never returns."""
    count = 0

    async def hold_connection() -> None:
        nonlocal count
        while True:
            with suppress(ConnectionError, TimeoutError):
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", port, local_addr=(ATTACKER, 0)
                )
                writer.write(sent)
                count += 1
                if count == connections:
                    begun.set()
                async with asyncio.timeout(HOLD_SECONDS):
                    if await reader.read(10):
                        await asyncio.Event().wait()
                writer.close()
            await asyncio.sleep(PAUSE_SECONDS)

    async def run() -> None:
        await asyncio.gather(*(hold_connection() for _ in range(connections)))

    asyncio.run(run())
