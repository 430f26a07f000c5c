"""When the worker's jobs are run."""

import pytest
from croniter import croniter  # type: ignore[import-untyped]
from procrastinate.jobs import Job
from procrastinate.utils import utcnow

from newsletter.worker.app import (
    EVERY_FIVE_SECONDS,
    EVERY_HOUR,
    EVERY_MINUTE,
    LaneRetryStrategy,
)


@pytest.mark.parametrize(
    ("cron", "seconds"), [(EVERY_FIVE_SECONDS, 5), (EVERY_MINUTE, 60), (EVERY_HOUR, 3600)]
)
def test_periodic_jobs_are_due_as_often_as_meant(cron: str, seconds: int) -> None:
    times = croniter(cron, start_time=1_796_000_000.0)
    first, second, third = (times.get_next(ret_type=float) for _ in range(3))
    assert (second - first, third - second) == (seconds, seconds)


def test_a_lane_that_fails_is_retried_less_and_less_often() -> None:
    def get_delay(attempts: int) -> int:
        job = Job(id=1, lock=None, queueing_lock=None, task_name="", queue="", attempts=attempts)
        before = utcnow()
        decision = LaneRetryStrategy().get_retry_decision(exception=ValueError(), job=job)
        assert decision.retry_at
        return round((decision.retry_at - before).total_seconds())

    assert [get_delay(attempts) for attempts in (0, 1, 2, 6, 1000)] == [5, 10, 20, 300, 300]
