"""Runs the preview until it is stopped."""

import asyncio
import socket
from collections.abc import Callable

import uvicorn

from newsletter.errors import UsageProblem
from newsletter.web.preview.app import Preview
from newsletter.web.preview.desk import Desk
from newsletter.web.preview.guard import HOST, new_token

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
    raise UsageProblem(
        f"port {port} is taken, or not yours to take", remedy="Leave --port out: one is found."
    )


def serve(desk: Desk, name: str, port: int | None, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C.

    Args:
        desk: renders.
        name: the issue to show first.
        port: as asked for.
        ready: called with the page's address when it answers.

    Raises:
        UsageProblem: the port is taken.
    """
    taken = listen(port)
    with taken:
        asyncio.run(run(desk, name, taken, ready))


async def run(desk: Desk, name: str, taken: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve on a socket that listens already, until the server is told to exit."""
    token, port = new_token(), taken.getsockname()[1]
    preview = Preview(desk, name)
    server = _Server(preview, token, port)
    ready(f"http://{HOST}:{port}/{token}/")
    await server.serve([taken])


class _Server(uvicorn.Server):
    """Ends the page's streams when it is told to stop: they would never end themselves."""

    def __init__(self, preview: Preview, token: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                preview.app(token, port),
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )
        self._preview = preview

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._preview.close()
        await super().shutdown(sockets)
