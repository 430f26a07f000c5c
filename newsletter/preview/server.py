"""Run the preview server: choose a port, build its URL, shut down."""

import asyncio
import socket

import uvicorn

from newsletter.errors import UsageError
from newsletter.preview.access_control import PREVIEW_HOST, generate_preview_token
from newsletter.preview.app import PreviewApp
from newsletter.preview.rendered_issues import PreviewWorkspace

DEFAULT_PORT = 4321
_STEPS_TO_CONNECT = 10  # of the event loop; asyncio takes about four for a connection


def open_preview_socket(port: int | None) -> socket.socket:
    """Listen on the given port, or without one on 4321 or any free port.

    Raises:
        UsageError: the given port is in use or not permitted.
    """
    for candidate in (DEFAULT_PORT, 0) if port is None else (port,):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((PREVIEW_HOST, candidate))
            sock.listen(64)
        except OSError:
            sock.close()
        else:
            return sock
    raise UsageError(
        f"port {port} is in use or not permitted", remedy="Omit --port to use a free port."
    )


class PreviewServer(uvicorn.Server):
    """Uvicorn server for one workspace, on a socket that is already listening.

    Args:
        workspace: renders the issues.
        first_issue: the folder's name of the issue to show first.
        sock: from ``open_preview_socket``.

    Attributes:
        address: the page's URL, with the secret token.
    """

    def __init__(self, workspace: PreviewWorkspace, first_issue: str, sock: socket.socket) -> None:
        token, port = generate_preview_token(), sock.getsockname()[1]
        self.address = f"http://{PREVIEW_HOST}:{port}/{token}/"
        self._sock = sock
        self._preview = PreviewApp(workspace, first_issue)
        super().__init__(
            uvicorn.Config(
                self._preview.make_asgi_app(token, port),
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )

    def run_until_stopped(self) -> None:
        """Serve until Ctrl-C, or until ``should_exit`` is set."""
        asyncio.run(self.serve([self._sock]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the page's event streams, which would never end otherwise, then shut down.

        A connection that has just been accepted is not known yet. So that it doesn't stay open, and
        uvicorn doesn't wait for it until its timeout, no more are accepted first.
        """
        await self._preview.close()
        loop = asyncio.get_running_loop()
        for listening in (sock for server in self.servers for sock in server.sockets):
            loop.remove_reader(listening.fileno())
        for _ in range(_STEPS_TO_CONNECT):
            await asyncio.sleep(0)
        await super().shutdown(sockets)
