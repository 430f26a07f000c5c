"""Observer of a send: shows its progress, waits, can ask it to stop."""

import time
from typing import Protocol


class SendObserver(Protocol):
    """Watches a send: shows progress, waits, can ask to stop."""

    @property
    def stop_requested(self) -> bool:
        """Whether the sender is to stop once the requests in flight are completed."""

    def wait(self, seconds: float) -> None:
        """Wait for a number of seconds, or until a stop is requested."""

    def advance(self, recipient_count: int) -> None:
        """Add to the number of completed recipients."""

    def notify(self, text: str) -> None:
        """Show a message to the editor."""


class NullObserver:
    """A send observer that ignores everything."""

    stop_requested = False
    wait = staticmethod(time.sleep)

    def advance(self, recipient_count: int) -> None:
        """No-op."""

    def notify(self, text: str) -> None:
        """No-op."""
