"""``newsletter serve`` as a process: what it says, what it logs, how it ends."""

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import urllib3

from newsletter.web.monitoring.request_log import JsonLinesFormatter

SPOKEN = re.compile(r"answers at (http://127\.0\.0\.1:(\d+))/")


class Run(NamedTuple):
    process: subprocess.Popen[str]
    url: str
    port: int


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port: int = door.getsockname()[1]
    return port


@pytest.fixture
def run(project_folder: Path) -> Iterator[Run]:
    command = [sys.executable, "-m", "newsletter", "serve", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--metrics-port", str(metrics_port := free_port())],
        cwd=project_folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    with process:
        assert process.stdout
        found = SPOKEN.search(process.stdout.readline())
        assert found
        yield Run(process, found[1], metrics_port)
        process.kill()


def test_it_ends_when_what_is_being_answered_is_done(run: Run) -> None:
    http = urllib3.PoolManager(retries=urllib3.Retry(20, backoff_factor=0.05), timeout=60)
    assert http.request("GET", f"{run.url}/readyz").status == 200
    assert http.request("GET", f"{run.url}/u/secret-token?email=ada@example.org").status == 404
    told = http.request("GET", f"http://127.0.0.1:{run.port}/metrics").data.decode()
    assert 'route="/u/{token}",status="404"' in told
    assert "secret-token" not in told
    http.clear()
    host, _, port = run.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as wire:
        wire.sendall(
            b"POST /u/nobody HTTP/1.1\r\nHost: a\r\nContent-Length: 26\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n"
        )
        # The server is reading: the request is in flight.
        assert wire.recv(100).startswith(b"HTTP/1.1 100")
        run.process.send_signal(signal.SIGTERM)
        wire.sendall(b"List-Unsubscribe=One-Click")
        assert wire.recv(100).startswith(b"HTTP/1.1 404")
    assert run.process.stdout
    public_url = run.process.stdout.readline()
    _, err = run.process.communicate(timeout=60)
    assert run.process.returncode == 0
    assert public_url == "  public URL  not set: public_url in newsletter.yml\n"
    assert "Without public_url no email links to this site" in err
    assert "Stopped." in err
    lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    known = {"method": "GET", "route": "/u/{token}", "status": 404}
    assert any(known.items() <= line.items() for line in lines)
    for secret in ("secret-token", "ada@", "127.0.0.1", "Traceback"):
        assert secret not in "".join(map(json.dumps, lines))


def test_a_port_that_is_taken_is_told_in_words(project_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = str(door.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "newsletter", "serve", "--port", port],
            cwd=project_folder,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert f"127.0.0.1:{port} can't be listened at: address already in use" in done.stderr
    assert "--port" in done.stderr


def test_a_fault_is_logged_without_its_words() -> None:
    try:
        int("ada@example.org")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 1, "failed", (), sys.exc_info())
    line = json.loads(JsonLinesFormatter().format(record))
    assert line["trace"][0] == "ValueError"
    assert __file__ in line["trace"][1]
    assert "ada@" not in json.dumps(line)
