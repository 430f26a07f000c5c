"""Tell the threads of a server or worker to stop, and why."""

import logging
import threading

from newsletter.errors import DatabaseChangedError

_log = logging.getLogger(__name__)


class StopSignal(threading.Event):
    """Is set once a server or worker is to stop.

    Attributes:
        cause: why it can't go on; ``None`` if it was told to stop.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cause: DatabaseChangedError | None = None
        self._lock = threading.Lock()

    def give_up(self, cause: DatabaseChangedError) -> None:
        """Stop, and log why: once, though all that is done fails for the same cause."""
        with self._lock:
            if self.cause is None and not self.is_set():
                self.cause = cause
                for problem in cause.problems:
                    _log.error("%s", problem)
        self.set()
