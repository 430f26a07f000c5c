"""Fixtures: a running preview server of a small newsletter."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import urllib3

from newsletter.preview.rendered_issues import PreviewWorkspace
from newsletter.preview.server import PreviewServer, open_preview_socket
from newsletter.project import open_project

NAME = "2026-11-24-first-boat"
POST = """\
---
title: The first boat
preheader: It came on Tuesday.
---
Dear {{ subscriber.name | default("friend") }},

the ice let go. [The harbour](https://harbour.example/log) is open.
"""


@dataclass
class PreviewClient:
    """An HTTP client of a running preview server."""

    url: str
    port: int
    workspace: PreviewWorkspace
    pool: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)

    def get(self, path: str = "", **headers: str) -> urllib3.BaseHTTPResponse:
        return self.pool.request("GET", self.url + path, headers=headers, redirect=False)

    def data(self, path: str) -> Any:
        response = self.get(path)
        assert response.status == 200, response.data
        return response.json()

    def post(self, path: str, data: object, **headers: str) -> urllib3.BaseHTTPResponse:
        return self.pool.request("POST", self.url + path, body=json.dumps(data), headers=headers)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def stream(self, query: str = "") -> Iterator[Iterator[dict[str, Any]]]:
        """The states that the event stream sends, as they arrive."""
        url = f"{self.url}events{query}"
        response = self.pool.request("GET", url, preload_content=False, timeout=60)

        def parse_events() -> Iterator[dict[str, Any]]:
            text = b""
            for chunk in response.stream():
                text += chunk
                while b"\n\n" in text:
                    event, _, text = text.partition(b"\n\n")
                    yield json.loads(event.removeprefix(b"data: "))

        try:
            yield parse_events()
        finally:
            response.close()


@pytest.fixture
def boat_issue(project_folder: Path) -> Path:
    """The folder of a small issue."""
    folder = project_folder / "issues" / NAME
    folder.mkdir()
    (folder / "post.md").write_text(POST)
    return folder


@contextmanager
def serving(folder: Path, name: str) -> Iterator[PreviewClient]:
    """Serve a preview of the project in a folder."""
    workspace = PreviewWorkspace(open_project(folder))
    with open_preview_socket(0) as sock:
        server = PreviewServer(workspace, name, sock)
        thread = threading.Thread(target=server.run_until_stopped)
        thread.start()
        try:
            yield PreviewClient(server.address, sock.getsockname()[1], workspace)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def served(boat_issue: Path) -> Iterator[PreviewClient]:
    with serving(boat_issue.parent.parent, boat_issue.name) as preview:
        yield preview
