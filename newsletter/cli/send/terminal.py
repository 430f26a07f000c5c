"""Send observer for a terminal: progress bar, remarks, Ctrl-C, SIGTERM."""

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
    """A send observer that shows progress and turns signals into a request to stop.

    Args:
        advance: called with the number of recipients just completed.
    """

    def __init__(self, advance: Callable[[int], None]) -> None:
        self.advance = advance
        self.stop_requested = False

    def wait(self, seconds: float) -> None:
        """Wait for ``seconds``, or until a stop is requested."""
        end = time.monotonic() + seconds
        while not self.stop_requested and (remaining := end - time.monotonic()) > 0:
            time.sleep(min(remaining, WAIT_SLICE_SECONDS))

    def notify(self, text: str) -> None:
        """Print a remark on a line of its own, below the progress bar."""
        echo_err(f"\n{text}" if sys.stderr.isatty() else text, color="yellow")

    def handle_signal(self, _signal: int, _frame: FrameType | None) -> None:
        """Request a stop at the first signal; raise ``KeyboardInterrupt`` at the second."""
        if self.stop_requested:
            raise KeyboardInterrupt
        self.stop_requested = True
        # Not through Python's buffers: the signal may have interrupted a write to them.
        os.write(2, STOPPING_MESSAGE)


@contextmanager
def observe_send(recipient_count: int) -> Iterator[ProgressObserver]:
    """Handle SIGINT and SIGTERM and show a progress bar while a send runs.

    Args:
        recipient_count: how many recipients are to be sent to.

    Yields:
        The observer to pass to the sender.
    """
    with progress_bar(recipient_count, "Sending") as advance:
        observer = ProgressObserver(advance)
        previous_handlers = {
            number: signal.signal(number, observer.handle_signal)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield observer
        finally:
            for number, handler in previous_handlers.items():
                signal.signal(number, handler)
