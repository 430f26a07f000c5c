"""A time is read by the clock of the database, whatever this machine's says."""

import datetime
import json
from dataclasses import replace
from functools import partial

import pytest
from sender_process import SenderProject
from shifted_clock import shift_clock

HOUR, MINUTE = datetime.timedelta(hours=1), datetime.timedelta(minutes=1)
OPTIONS = ("--yes", "--json", "--no-image-check")


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


def test_a_wrong_clock_moves_no_undo_window_and_no_time(sender_project: SenderProject) -> None:
    # With an hour less, SendGrid would be told to deliver at once, and nothing could be undone.
    for number, (shift, schedule, ahead) in enumerate(
        (
            (-HOUR, ("--undo-window", "20m"), 20 * MINUTE),
            (HOUR, ("--local", "--at", ""), 30 * MINUTE),  # not in the past
        ),
        start=1,
    ):
        issue = f"2026-12-0{number}-letter-{number}"
        sender_project.write_issue(issue)
        expected = datetime.datetime.now(datetime.UTC) + ahead
        at = [option or expected.isoformat() for option in schedule]
        wrong = replace(sender_project, prepare=partial(shift_clock, shift.total_seconds()))
        process = wrong.start("send", issue, *OPTIONS, *at)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        scheduled_at = datetime.datetime.fromisoformat(json.loads(out)["scheduled_at"])
        assert abs(scheduled_at - expected) < 5 * MINUTE, scheduled_at
