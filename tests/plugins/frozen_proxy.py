"""A TCP proxy that can stop forwarding, or change what is sent."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

Rewrite = Callable[[bytes], bytes]


class FreezableProxy:
    """A proxy on a free port of the loopback interface, as a context manager.

    Args:
        target: the address of a server, or the path of its Unix socket.
        rewrite: changes what a client sends.
    """

    def __init__(self, target: tuple[str, int] | str, rewrite: Rewrite = bytes) -> None:
        self._target = target
        self._rewrite = rewrite
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._forwards = threading.Event()
        self._forwards.set()
        self._is_closing = False
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def freeze(self) -> None:
        """Forward nothing any more; no connection is closed."""
        self._forwards.clear()

    def thaw(self) -> None:
        """Forward again, first what has been sent meanwhile."""
        self._forwards.set()

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_closing = True
        self.thaw()
        # A thread in accept() is not woken by close().
        for sock in (self._listener, *self._sockets):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sock in (self._listener, *self._sockets):
            sock.close()

    def _accept(self) -> None:
        while not self._is_closing:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._forwards.wait()
            server = self._connect()
            self._sockets += [client, server]
            for parts in ((client, server, self._rewrite), (server, client, bytes)):
                self._threads.append(threading.Thread(target=self._copy, args=parts))
                self._threads[-1].start()

    def _connect(self) -> socket.socket:
        family = socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET
        server = socket.socket(family)
        with suppress(OSError):  # the client is told, since nothing can be copied
            server.connect(self._target)
        return server

    def _copy(self, source: socket.socket, target: socket.socket, rewrite: Rewrite) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._forwards.wait()
                target.sendall(rewrite(data))
        for sock in (source, target):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
