"""The preview as a server on this machine."""

import asyncio
import socket

import uvicorn

from newsletter.errors import UsageError
from newsletter.preview.access_control import HOST, new_token
from newsletter.preview.app import Preview
from newsletter.preview.rendered_issues import Desk

PORT = 4321


def listen(port: int | None) -> socket.socket:
    """Take the port, or where none is asked for 4321, or any other if that is taken.

    Raises:
        UsageProblem: the port that was asked for is taken.
    """
    for wanted in (PORT, 0) if port is None else (port,):
        taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((HOST, wanted))
            taken.listen(64)
        except OSError:
            taken.close()
        else:
            return taken
    raise UsageError(
        f"port {port} is taken, or not yours to take", remedy="Leave --port out: one is found."
    )


class Server(uvicorn.Server):
    """Serves one desk on a socket that listens already.

    Args:
        desk: renders.
        name: the issue to show first.
        taken: from ``listen``.

    Attributes:
        address: the page's, secret in it.
    """

    def __init__(self, desk: Desk, name: str, taken: socket.socket) -> None:
        token, port = new_token(), taken.getsockname()[1]
        self.address = f"http://{HOST}:{port}/{token}/"
        self._taken = taken
        self._preview = Preview(desk, name)
        super().__init__(
            uvicorn.Config(
                self._preview.app(token, port),
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )

    def run_here(self) -> None:
        """Serve until Ctrl-C, or until ``should_exit`` is set."""
        asyncio.run(self.serve([self._taken]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the page's streams, which would never end themselves; then the rest."""
        await self._preview.close()
        await super().shutdown(sockets)
