"""A sender's world at a terminal: Ctrl-C, waiting, a progress bar, remarks."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from newsletter.cli.output import echo_err
from newsletter.cli.progress import progress_bar

WAIT_SLICE_SECONDS = 0.2
STOPPING_MESSAGE = b"\nStopping after the request in flight; Ctrl-C again stops at once.\n"


class ProgressObserver:
    """What a sender needs of the world around it, for an editor who watches."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self.advance = advance
        self.stop_requested = False

    def wait(self, seconds: float) -> None:
        """Wait, but not beyond being asked to stop."""
        end = time.monotonic() + seconds
        while not self.stop_requested and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, WAIT_SLICE_SECONDS))

    def notify(self, text: str) -> None:
        """Say something beside the progress bar."""
        echo_err(f"\n{text}" if sys.stderr.isatty() else text, color="yellow")

    def handle_signal(self, _signal: int, _frame: FrameType | None) -> None:
        """Handle a signal: ask to stop, and at the second one stop at once."""
        if self.stop_requested:
            raise KeyboardInterrupt
        self.stop_requested = True
        # Not through Python's buffers: the signal may have come while they were being written.
        os.write(2, STOPPING_MESSAGE)


@contextmanager
def observe_send(recipient_count: int) -> Iterator[ProgressObserver]:
    """A terminal that counts up to ``readers``, with Ctrl-C and SIGTERM in its hands."""
    with progress_bar(recipient_count, "Sending") as advance:
        terminal = ProgressObserver(advance)
        before = {
            number: signal.signal(number, terminal.handle_signal)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield terminal
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
