"""Which sends a lane may send."""

import datetime
from dataclasses import replace

import pytest
from send_scenario import SendScenario

from newsletter.worker.lane import may_run

MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


def test_a_lane_starts_a_scheduled_send_only_once_it_is_due(scenario: SendScenario) -> None:
    now = scenario.observer.now
    cases = {
        ("running", None): True,
        ("running", now - MINUTE): True,
        ("frozen", None): False,
        ("frozen", now): True,
        ("frozen", now + MINUTE): False,  # it was moved after the lane had been deferred
        ("paused", now): False,
        ("done", None): False,
    }
    for (state, scheduled_at), expected in cases.items():
        send = replace(scenario.send(), state=state, scheduled_at=scheduled_at)
        assert may_run(send, now) is expected, (state, scheduled_at)
    held = replace(scenario.send(), state="frozen", scheduled_at=now, provider_batch_id="held")
    assert not may_run(held, now)
