"""Send large responses in pieces, so that slow readers don't fill memory."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PIECE_BYTES = 65_536


class PiecewiseSendMiddleware:
    """ASGI middleware that passes each body on in pieces.

    The server copies what a client hasn't taken yet, and asks for the next piece when it has.

    Args:
        app: the next application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its response in pieces."""

        async def send_in_pieces(message: Message) -> None:
            body = message.get("body", b"")
            if message["type"] == "http.response.body" and len(body) > PIECE_BYTES:
                whole = memoryview(body)
                last = (len(whole) - 1) // PIECE_BYTES * PIECE_BYTES
                for start in range(0, last, PIECE_BYTES):
                    piece = bytes(whole[start : start + PIECE_BYTES])
                    await send({"type": message["type"], "body": piece, "more_body": True})
                message = {**message, "body": bytes(whole[last:])}
            await send(message)

        await self._app(scope, receive, send_in_pieces)
