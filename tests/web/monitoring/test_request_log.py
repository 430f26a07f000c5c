"""``newsletter serve`` as a process: output, log, graceful shutdown."""

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa
import urllib3

from newsletter.db import database_engine
from newsletter.db.schema import VERSION_TABLE
from newsletter.project import open_project
from newsletter.web.monitoring.request_log import JsonLinesFormatter

URL_LINE = re.compile(r"answers at (http://127\.0\.0\.1:(\d+))/")


class Run(NamedTuple):
    process: subprocess.Popen[str]
    url: str
    port: int


@contextmanager
def open_request(run: Run) -> Iterator[socket.socket]:
    """Begin a request to unsubscribe; the server is reading it when the block is entered."""
    host, _, port = run.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as sock:
        sock.sendall(
            b"POST /u/nobody HTTP/1.1\r\nHost: a\r\nContent-Length: 26\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n"
        )
        assert sock.recv(100).startswith(b"HTTP/1.1 100")
        yield sock


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
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
        match = URL_LINE.search(process.stdout.readline())
        assert match
        yield Run(process, match[1], metrics_port)
        process.kill()


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGHUP])
def test_requests_in_flight_finish_before_shutdown(run: Run, stop_signal: signal.Signals) -> None:
    http = urllib3.PoolManager(retries=urllib3.Retry(20, backoff_factor=0.05), timeout=60)
    assert http.request("GET", f"{run.url}/readyz").status == 200
    assert http.request("GET", f"{run.url}/u/secret-token?email=ada@example.org").status == 404
    assert http.request("BREW", f"{run.url}/healthz").status == 405
    metrics = http.request("GET", f"http://127.0.0.1:{run.port}/metrics").data.decode()
    assert "BREW" not in metrics  # each method is kept for ever
    assert 'method="OTHER"' in metrics
    assert 'route="/u/{token}",status="404"' in metrics
    assert "secret-token" not in metrics
    http.clear()
    with open_request(run) as sock:
        run.process.send_signal(stop_signal)
        sock.sendall(b"List-Unsubscribe=One-Click")
        assert sock.recv(100).startswith(b"HTTP/1.1 404")
    assert run.process.stdout
    public_url = run.process.stdout.readline()
    _, err = run.process.communicate(timeout=60)
    assert run.process.returncode == 0
    assert public_url == "  public URL  not set: public_url in newsletter.yml\n"
    assert "Without public_url no email links to this site" in err
    lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert lines[-1]["message"] == "stopped"
    expected = {"method": "GET", "route": "/u/{token}", "status": 404}
    assert any(expected.items() <= line.items() for line in lines)
    for secret in ("secret-token", "ada@", "127.0.0.1", "Traceback"):
        assert secret not in "".join(map(json.dumps, lines))


def test_a_server_whose_database_is_upgraded_says_so_once_and_fails(
    run: Run, project_folder: Path
) -> None:
    project = open_project(project_folder)
    version = sa.table(VERSION_TABLE, sa.column("version_num"))
    with open_request(run) as sock:
        with (
            database_engine(project.config.database, project.root) as engine,
            engine.begin() as connection,
        ):
            connection.execute(sa.update(version).values(version_num="9999"))
        assert run.process.stderr
        while "schema version 9999" not in (message := run.process.stderr.readline()):
            assert message
        sock.sendall(b"List-Unsubscribe=One-Click")
        assert sock.recv(100).startswith(b"HTTP/1.1 404")
    _, err = run.process.communicate(timeout=60)
    assert run.process.returncode == 1
    levels = [json.loads(line)["level"] for line in [message, *err.splitlines()]]
    assert levels.count("error") == 1


def test_port_in_use_is_reported(project_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = str(sock.getsockname()[1])
        completed = subprocess.run(
            [sys.executable, "-m", "newsletter", "serve", "--port", port],
            cwd=project_folder,
            capture_output=True,
            text=True,
            check=False,
        )
    assert completed.returncode == 2
    assert f"could not listen on 127.0.0.1:{port}: address already in use" in completed.stderr
    assert "--port" in completed.stderr


def test_error_is_logged_without_its_message() -> None:
    try:
        int("ada@example.org")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 1, "failed", (), sys.exc_info())
    line = json.loads(JsonLinesFormatter().format(record))
    assert line["trace"][0] == "ValueError"
    assert __file__ in line["trace"][1]
    assert "ada@" not in json.dumps(line)
