"""Count refused sign-ups in memory, save them in the background.

A flood of bots must cost the database nothing, and a transaction that is rolled back must not lose
its count. A process that is killed loses the counts of its last minute.
"""

import datetime
import threading
from collections import Counter
from collections.abc import Mapping

import sqlalchemy as sa

from newsletter.subscribers.refused_signups import REFUSAL_REASONS, add_refused_signups


class RefusedSignupCounter:
    """The counts of one process; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: Counter[str] = Counter(dict.fromkeys(REFUSAL_REASONS, 0))
        self._unsaved: Counter[tuple[str, str]] = Counter()

    def count(self, reason: str, now: datetime.datetime) -> None:
        """Count a refused sign-up."""
        with self._lock:
            self._totals[reason] += 1
            self._unsaved[get_month(now), reason] += 1

    def add_saved(self, reason: str, signups: int) -> None:
        """Add sign-ups that are in the database already."""
        with self._lock:
            self._totals[reason] += signups

    def load_totals(self) -> Mapping[str, int]:
        """Return reason -> how many sign-ups this process has refused."""
        with self._lock:
            return dict(self._totals)

    def save(self, engine: sa.Engine) -> None:
        """Add the unsaved counts to the database; if that fails, they stay unsaved."""
        with self._lock:
            unsaved, self._unsaved = self._unsaved, Counter()
        if not unsaved:
            return
        try:
            with engine.begin() as connection:
                add_refused_signups(connection, unsaved)
        except BaseException:
            with self._lock:
                self._unsaved.update(unsaved)
            raise


def get_month(now: datetime.datetime) -> str:
    """Return the month under which a refusal is counted."""
    return f"{now:%Y-%m}"
