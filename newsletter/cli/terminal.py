"""Send observer for a terminal: progress bar, remarks, stop signals."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from newsletter.cli.output import echo_err
from newsletter.cli.progress import progress_bar
from newsletter.cli.signals import handle_stop_signals

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
        self._interrupted = False

    def wait(self, seconds: float) -> None:
        """Wait for ``seconds``, or until a stop is requested."""
        end = time.monotonic() + seconds
        while not self.stop_requested and (remaining := end - time.monotonic()) > 0:
            time.sleep(min(remaining, WAIT_SLICE_SECONDS))

    def notify(self, text: str) -> None:
        """Print a remark on a line of its own, below the progress bar."""
        echo_err(f"\n{text}" if sys.stderr.isatty() else text, color="yellow")

    def handle_signal(self, number: int, _frame: FrameType | None) -> None:
        """Request a stop at the first signal; raise ``KeyboardInterrupt`` at the second.

        SIGHUP is never the one that interrupts: when a terminal is closed, both the shell and the
        kernel send it, and systemd sends it after SIGTERM.
        """
        if number != signal.SIGHUP:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True
        self.stop_requested = True
        with suppress(OSError):  # the terminal may be gone
            # Not through Python's buffers: the signal may have interrupted a write to them.
            os.write(2, STOPPING_MESSAGE)


@contextmanager
def observe_send(recipient_count: int) -> Iterator[ProgressObserver]:
    """Handle the signals that ask to stop, and show a progress bar, while a send runs.

    Args:
        recipient_count: how many recipients are to be sent to.

    Yields:
        The observer to pass to the sender.
    """
    with progress_bar(recipient_count, "Sending") as advance:
        observer = ProgressObserver(advance)
        with handle_stop_signals(observer.handle_signal):
            yield observer
