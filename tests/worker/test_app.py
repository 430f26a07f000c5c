"""The worker's periodic jobs."""

import pytest
from croniter import croniter

from newsletter.worker.app import EVERY_FIVE_SECONDS, EVERY_HOUR, EVERY_MINUTE


@pytest.mark.parametrize(
    ("cron", "seconds"), [(EVERY_FIVE_SECONDS, 5), (EVERY_MINUTE, 60), (EVERY_HOUR, 3600)]
)
def test_periodic_jobs_are_due_as_often_as_meant(cron: str, seconds: int) -> None:
    times = croniter(cron, start_time=1_796_000_000.0)
    first, second, third = (times.get_next(ret_type=float) for _ in range(3))
    assert (second - first, third - second) == (seconds, seconds)
