"""Fixtures: a site over a fresh database, served by a real server."""

import asyncio
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
import urllib3
import uvicorn
from starlette.applications import Starlette

from newsletter.config import Config
from newsletter.db import database_engine
from newsletter.db.schema import subscriber
from newsletter.project import open_project
from newsletter.web.app import make_app
from newsletter.web.http.connection_limits import DEFAULT_LIMITS, ConnectionLimits
from newsletter.web.server import build_uvicorn_config, open_public_socket
from newsletter.web.site_context import Site, open_site

FORM = "application/x-www-form-urlencoded"


class SiteClient:
    """An HTTP client of a served site.

    Attributes:
        url: the site's URL, without a trailing slash.
    """

    def __init__(self, url: str, server: uvicorn.Server) -> None:
        self.url = url
        self._server = server
        self._pool = urllib3.PoolManager(retries=False, timeout=60, maxsize=64)

    def get(self, path: str, **headers: str) -> urllib3.BaseHTTPResponse:
        return self.request("GET", path, None, **headers)

    def post(
        self,
        path: str,
        body: bytes | None = None,
        fields: dict[str, str] | None = None,
        **headers: str,
    ) -> urllib3.BaseHTTPResponse:
        if fields is not None:
            body, headers = urlencode(fields).encode(), {"Content-Type": FORM, **headers}
        return self.request("POST", path, body, **headers)

    def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        """Send a request; redirects are not followed, since there should be none."""
        return self._pool.request(
            method, self.url + path, body=body, headers=headers, redirect=False
        )

    def wait_for_connections(self, count: int, seconds: float = 60.0) -> None:
        """Wait until the server has at most so many connections; if none, no request either."""
        deadline = time.monotonic() + seconds
        state = self._server.server_state
        while len(state.connections) > count or (not count and state.tasks):
            assert time.monotonic() < deadline, "the connections are still open"
            threading.Event().wait(0.01)

    def list_sockets(self) -> list[socket.socket]:
        """Return the server's sockets of all connections."""
        connections = list(self._server.server_state.connections)
        return [protocol.transport.get_extra_info("socket") for protocol in connections]

    def close(self) -> None:
        self._pool.clear()


Serve = Callable[..., SiteClient]


@pytest.fixture
def site_database() -> str:
    """The site's database; a test that runs on both kinds overrides it with ``database_url``."""
    return "sqlite:///newsletter.db"


@pytest.fixture
def site(project_folder: Path, site_database: str, migrated_file: Path) -> Iterator[Site]:
    """The site of a new project."""
    project = open_project(project_folder)
    shutil.copy(migrated_file, project_folder)
    with database_engine(site_database, project.root) as engine:
        yield open_site(project, engine)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve an application until the test ends."""
    running: list[tuple[uvicorn.Server, threading.Thread, SiteClient]] = []

    def start(
        app: Starlette, config: Config, limits: ConnectionLimits = DEFAULT_LIMITS, **options: int
    ) -> SiteClient:
        """Serve it; ``send_buffer``: bytes that the kernel keeps for each connection."""
        sock = open_public_socket("127.0.0.1", 0, limits)
        if "send_buffer" in options:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, options["send_buffer"])
        server = uvicorn.Server(build_uvicorn_config(app, config, limits))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([sock])))
        thread.start()
        client = SiteClient(f"http://127.0.0.1:{sock.getsockname()[1]}", server)
        running.append((server, thread, client))
        return client

    yield start
    for server, thread, client in running:
        client.close()
        server.should_exit = True
        thread.join()


@pytest.fixture
def server(site: Site, serve: Serve) -> SiteClient:
    """The whole public site."""
    return serve(make_app(site), site.config)


@pytest.fixture
def add_subscriber(site: Site) -> Callable[[str], str]:
    """Add an active subscriber to the list; returns their token."""

    def add(address: str, status: str = "active") -> str:
        token = f"token-of-{address.partition('@')[0]}"
        now = site.clock()
        row = {
            "address": address, "address_key": address.casefold(), "name": "", "status": status,
            "attributes": {}, "token": token, "joined_at": now, "updated_at": now,
        }  # fmt: skip
        with site.engine.begin() as connection:
            connection.execute(sa.insert(subscriber).values(row))
        return token

    return add
