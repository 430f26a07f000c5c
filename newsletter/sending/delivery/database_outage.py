"""Wait a limited time for a locked, unreachable or full database.

What has been sent meanwhile is kept in memory by the send loop, and recorded once the database can
be written again.
"""

from dataclasses import dataclass

from newsletter.errors import DatabaseUnavailableError
from newsletter.sending.delivery.observer import SendObserver

# In seconds. A restart of the server takes less than their sum; leases last longer than that.
DELAYS = (1, 2, 4, 8, 15, 30, 30)


@dataclass(slots=True)
class DatabaseOutage:
    """The database's present outage, if there is one.

    Attributes:
        observer: is notified when the outage begins and ends; waits.
        failed_tries: how many tries have failed in a row; 0 while the database works.
    """

    observer: SendObserver
    failed_tries: int = 0

    def wait(self, error: DatabaseUnavailableError, kept_responses: int) -> None:
        """Wait before the next try.

        Args:
            error: the error of the last try.
            kept_responses: how many of the provider's responses are not recorded yet.

        Raises:
            DatabaseUnavailableError: ``error``; it has lasted too long, or the editor has asked to
                stop.
        """
        if self.failed_tries == len(DELAYS) or self.observer.stop_requested:
            raise error
        if not self.failed_tries:
            kept = f" {kept_responses} responses of SendGrid are kept." if kept_responses else ""
            problem = error.problems[0]._replace(remedy="")
            self.observer.notify(f"{problem}.{kept} Trying again for {sum(DELAYS)} seconds ...")
        self.observer.wait(DELAYS[self.failed_tries])
        self.failed_tries += 1

    def end(self) -> None:
        """Note that the database works."""
        if self.failed_tries:
            self.observer.notify("the database can be written again; the send continues")
        self.failed_tries = 0
