"""The preview's server stops without waiting, whoever connects meanwhile."""

import asyncio
import socket
import threading
from pathlib import Path

import pytest

from newsletter.preview.rendered_issues import PreviewWorkspace
from newsletter.preview.server import PreviewServer, open_preview_socket
from newsletter.project import open_project


class LateConnection(PreviewServer):
    """A server to which somebody connects so many steps of its event loop before it stops."""

    steps = 0

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        with socket.create_connection(self.servers[0].sockets[0].getsockname()):
            for _ in range(self.steps):
                await asyncio.sleep(0)
            await super().shutdown(sockets)


@pytest.mark.parametrize("steps", range(6))
def test_connection_made_while_it_stops_is_closed(boat_issue: Path, steps: int) -> None:
    workspace = PreviewWorkspace(open_project(boat_issue.parent.parent))
    with open_preview_socket(0) as sock:
        server = LateConnection(workspace, boat_issue.name, sock)
        server.steps = steps
        thread = threading.Thread(target=server.run_until_stopped)
        thread.start()
        server.should_exit = True
        thread.join()
    assert server.server_state.connections == set()
