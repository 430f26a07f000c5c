"""When the worker's jobs are run."""

import datetime
from collections.abc import Callable

import pytest
from croniter import croniter  # type: ignore[import-untyped]
from procrastinate import RetryDecision
from procrastinate.jobs import Job

from newsletter.errors import DatabaseUnavailableError
from newsletter.worker.app import (
    EVERY_FIVE_SECONDS,
    EVERY_HOUR,
    EVERY_HOUR_LATER,
    EVERY_MINUTE,
    LaneRetryStrategy,
)

NOW = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("cron", "seconds"),
    [(EVERY_FIVE_SECONDS, 5), (EVERY_MINUTE, 60), (EVERY_HOUR, 3600), (EVERY_HOUR_LATER, 3600)],
)
def test_periodic_jobs_are_due_as_often_as_meant(cron: str, seconds: int) -> None:
    times = croniter(cron, start_time=1_796_000_000.0)
    first, second, third = (times.get_next(ret_type=float) for _ in range(3))
    assert (second - first, third - second) == (seconds, seconds)


def test_a_lane_that_fails_is_retried_less_and_less_often_by_the_clock_of_the_database() -> None:
    def get_decision(attempts: int, clock: Callable[[], datetime.datetime]) -> RetryDecision | None:
        job = Job(
            id=1, lock=None, queueing_lock=None, task_name="", queue="", attempts=attempts
        )  # fmt: skip
        return LaneRetryStrategy(clock).get_retry_decision(exception=ValueError(), job=job)

    def lose_connection() -> datetime.datetime:
        raise DatabaseUnavailableError("PostgreSQL is restarting")

    for attempts, seconds in {0: 5, 1: 10, 2: 20, 6: 300, 1000: 300}.items():
        decision = get_decision(attempts, lambda: NOW)
        assert decision
        assert decision.retry_at == NOW + datetime.timedelta(seconds=seconds)
    assert get_decision(0, lose_connection) is None, "the sweep does it"
