"""The preview as a server on this machine."""

import asyncio
import socket

import uvicorn

from newsletter.errors import UsageError
from newsletter.preview.access_control import PREVIEW_HOST, generate_preview_token
from newsletter.preview.app import PreviewApp
from newsletter.preview.rendered_issues import PreviewWorkspace

DEFAULT_PORT = 4321


def open_preview_socket(port: int | None) -> socket.socket:
    """Take the port, or where none is asked for 4321, or any other if that is taken.

    Raises:
        UsageProblem: the port that was asked for is taken.
    """
    for wanted in (DEFAULT_PORT, 0) if port is None else (port,):
        taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((PREVIEW_HOST, wanted))
            taken.listen(64)
        except OSError:
            taken.close()
        else:
            return taken
    raise UsageError(
        f"port {port} is taken, or not yours to take", remedy="Leave --port out: one is found."
    )


class PreviewServer(uvicorn.Server):
    """Serves one desk on a socket that listens already.

    Args:
        workspace: renders.
        first_issue: the issue to show first.
        sock: from ``listen``.

    Attributes:
        address: the page's, secret in it.
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
        """End the page's streams, which would never end themselves; then the rest."""
        await self._preview.close()
        await super().shutdown(sockets)
