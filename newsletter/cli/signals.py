"""Handle the signals that ask a command to stop, unless they are ignored."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SignalHandler = Callable[[int, FrameType | None], object]

# Ctrl-C; kill, systemd, Docker; the terminal was closed or the connection to it lost.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def handle_stop_signals(handler: SignalHandler) -> Iterator[None]:
    """Handle the signals that ask to stop, within the context.

    A signal that was ignored at the start stays ignored: nohup ignores SIGHUP so that a command
    outlives its terminal, and shells ignore SIGINT for jobs in the background.

    Args:
        handler: called in the main thread, between any two instructions of it.
    """
    handled = [number for number in STOP_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    previous_handlers = {number: signal.signal(number, handler) for number in handled}
    try:
        yield
    finally:
        for number, previous in previous_handlers.items():
            signal.signal(number, previous)


def interrupt_on_stop_signals() -> None:
    """Make SIGTERM and SIGHUP raise ``KeyboardInterrupt``, as Ctrl-C does, unless ignored."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
