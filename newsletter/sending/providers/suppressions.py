"""The provider's lists of addresses that it doesn't mail."""

import datetime
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol


class ProviderSuppression(NamedTuple):
    """One entry of a suppression list.

    Attributes:
        address: as the provider returns it.
        at: since when; ``None`` in a list without dates.
        reason: the provider's or the mail server's message, or ``""``.
    """

    address: str
    at: datetime.datetime | None
    reason: str


class SuppressionList(NamedTuple):
    """One of the provider's lists of addresses that it doesn't mail.

    Attributes:
        name: in the API, and in our record of when it was fetched last.
        label: in messages.
        status: the status of a subscriber who is in it; empty if it changes none, since the
            provider retries those.
        has_dates: whether the entries since a time can be fetched.
    """

    name: str
    label: str
    status: str
    has_dates: bool = True


class SuppressionSource(Protocol):
    """The suppression lists of an account."""

    @property
    def lists(self) -> Sequence[SuppressionList]:
        """The lists, in the order in which they are to be fetched."""

    @property
    def now(self) -> Callable[[], datetime.datetime]:
        """The clock: returns the time, aware."""

    def iter_pages(
        self, list_name: str, since: datetime.datetime | None, until: datetime.datetime
    ) -> Iterator[Sequence[ProviderSuppression]]:
        """Yield the entries of a list that were created in a period, some hundreds at a time.

        Raises:
            ProviderError: they can't be fetched.
        """


class RetryTiming(NamedTuple):
    """How reading is retried.

    Attributes:
        sleep: waits for a number of seconds.
        now: returns the time, aware.
        backoff: number of failed tries -> seconds to wait before the next one.
    """

    sleep: Callable[[float], None]
    now: Callable[[], datetime.datetime]
    backoff: Callable[[int], float]
