"""Wait a limited time for a locked, unreachable or full database.

What has been sent meanwhile is kept in memory, and recorded once the database can be written again.
It can be recorded only as long as the leases of its batches last, so the wait ends before they do.
"""

from collections.abc import Callable
from dataclasses import dataclass

from newsletter.db.transaction import LOCK_TIMEOUT_SECONDS
from newsletter.errors import DatabaseUnavailableError
from newsletter.sending.delivery.observer import SendObserver
from newsletter.sending.providers.registry import get_facts
from newsletter.wording import pluralize

# In seconds; the last is repeated. A restart of the server takes less than the longest wait.
DELAYS = (1, 2, 4, 8, 15, 30)
MAX_WAIT_SECONDS = 90
# How long a single try can take.
LONGEST_TRY_SECONDS = LOCK_TIMEOUT_SECONDS


@dataclass(slots=True)
class DatabaseOutage:
    """The database's present outage, if there is one.

    Attributes:
        observer: is notified when the outage begins and ends; waits.
        monotonic: a clock in seconds that is never set.
        failed_tries: how many tries have failed in a row; 0 while the database works.
        deadline: until when it is tried again, by that clock.
    """

    observer: SendObserver
    monotonic: Callable[[], float]
    failed_tries: int = 0
    deadline: float = 0.0

    def wait(
        self, error: DatabaseUnavailableError, kept_responses: int, leased_until: float | None
    ) -> None:
        """Wait before the next try.

        A second try is always made, since the first may have met a connection that was lost.

        Args:
            error: the error of the last try.
            kept_responses: how many of the provider's responses are not recorded yet.
            leased_until: when the first lease of a batch that was sent expires, by ``monotonic``;
                ``None`` if there is no such batch.

        Raises:
            DatabaseUnavailableError: ``error``; it has lasted too long, or the editor has asked to
                stop.
        """
        now = self.monotonic()
        if not self.failed_tries:
            self._begin(error, kept_responses, leased_until, now)
        elif now >= self.deadline or self.observer.stop_requested:
            raise error
        delay = DELAYS[min(self.failed_tries, len(DELAYS) - 1)]
        self.failed_tries += 1
        if now < self.deadline and not self.observer.stop_requested:
            self.observer.wait(min(delay, self.deadline - now))

    def end(self) -> None:
        """Note that the database was written."""
        if self.failed_tries:
            self.observer.notify("the database can be written again; the send continues")
        self.failed_tries = 0

    def _begin(
        self,
        error: DatabaseUnavailableError,
        kept_responses: int,
        leased_until: float | None,
        now: float,
    ) -> None:
        seconds = MAX_WAIT_SECONDS
        if leased_until is not None:
            seconds = max(0, min(seconds, int(leased_until - LONGEST_TRY_SECONDS - now)))
        self.deadline = now + seconds
        name = get_facts().name
        responses = pluralize(kept_responses, "response")
        verb = "is" if kept_responses == 1 else "are"
        kept = f"{kept_responses} {responses} of {name} {verb} kept. " if kept_responses else ""
        again = "once more" if self.observer.stop_requested or not seconds else ""
        again = again or f"for {seconds} seconds"
        remedy = f"{kept}Trying again {again} ..."
        self.observer.notify(str(error.problems[0]._replace(remedy=remedy)))
