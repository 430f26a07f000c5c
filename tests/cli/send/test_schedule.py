"""Scheduled sends: held by SendGrid or waiting locally, and their cancellation."""

import datetime
import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from ready_to_send import READERS, Cli, time_ahead

from newsletter.db import database_engine
from newsletter.db.schema import send
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault


def make_due(project_folder: Path, **length: int) -> None:
    """Move the time of the scheduled sends into the past."""
    past_time = datetime.datetime.now(datetime.UTC) - datetime.timedelta(**length)
    with (
        database_engine("sqlite:///newsletter.db", project_folder) as engine,
        engine.begin() as connection,
    ):
        connection.execute(sa.update(send).values(scheduled_at=past_time))


def test_send_within_72_hours_is_held_by_sendgrid(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    at = time_ahead(days=2)
    code, out, err = newsletter("send", "ice", "--at", at, "--hold-at-sendgrid", typed="25\n")
    assert code == 0
    assert "(in 48 hours)" in out
    assert "Type 25 to schedule" in err
    assert "SendGrid holds it for 25 of 25 readers." in out
    assert "newsletter cancel the-ice" in out
    assert "10 minutes before" in err
    bodies = [json.loads(request.body) for request in fake_sendgrid.requests[1:]]
    seconds = int(datetime.datetime.fromisoformat(at).timestamp())
    assert [(body["send_at"], body["batch_id"]) for body in bodies] == [
        (seconds, fake_sendgrid.scheduled.batch_ids[0])
    ] * 3
    assert newsletter("status")[1].startswith("the-ice  scheduled  25 of 25 accepted")


def test_undo_window_sets_the_time_and_allows_cancelling(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    before = fake_sendgrid.clock()
    assert newsletter("send", "--yes", "--undo-window", "20m")[0] == 0
    body = json.loads(fake_sendgrid.requests[-1].body)
    assert before + 19 * 60 < body["send_at"] <= fake_sendgrid.clock() + 20 * 60
    assert newsletter("cancel", "ice")[0] == 0
    assert set(fake_sendgrid.scheduled.statuses.values()) == {"cancel"}


def test_lost_response_to_a_cancellation_is_looked_up(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    newsletter("send", "--yes", "--undo-window", "20m")
    fake_sendgrid.inject_faults(faults.lost_response())
    assert newsletter("cancel", "ice")[0] == 0


def test_nothing_is_scheduled_without_a_batch_id(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    fake_sendgrid.inject_faults(faults.error_response(500, "oops"))
    code, _, err = newsletter("send", "--yes", "--at", time_ahead(hours=5), "--hold-at-sendgrid")
    assert code == 1
    assert "Nothing was sent" in err
    assert "Nothing has been sent or planned" in newsletter("status")[2]


@pytest.mark.parametrize("local", [("--local",), ()])
def test_send_that_waits_here_is_started_by_cron_when_due(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path, local: tuple[str, ...]
) -> None:
    if not local:
        assert newsletter("send", "--due") == (0, "", "")
    code, out, err = newsletter("send", "--yes", "--at", time_ahead(hours=5), *local)
    assert code == 0
    assert "Scheduled. Cancel with: newsletter cancel the-ice" in out
    expected = "Nothing would start it yet" if local else "newsletter send --due was seen 1 minute"
    assert expected in err
    assert newsletter("send", "--due") == (0, "", "")
    for dry_run in ((), ("--dry-run",)):
        code, out, err = newsletter("send", "--yes", *dry_run)
        assert code == (0 if dry_run else 1)
        assert "is scheduled for" in out + err
        assert "newsletter reschedule the-ice --at" in " ".join((out + err).split())
    code, _, err = newsletter("resume")
    assert code == 1
    assert err == (
        "newsletter: 2026-12-01-the-ice is scheduled. It starts at its time. "
        "Start it now with: newsletter reschedule the-ice --now\n"
    )
    assert fake_sendgrid.requests == []
    make_due(project_folder, hours=1)
    for command in ("resume", "retry"):
        assert "Start it with: newsletter send --due\n" in newsletter(command, "ice")[2]
    code, out, _ = newsletter("send", "--due")
    assert code == 0
    assert "the-ice is due." in out
    assert "Sent to 25 of 25 readers." in out
    assert newsletter("send", "--due") == (0, "", "")
    assert len(fake_sendgrid.accepted) == READERS


def test_local_schedule_is_cancelled_without_a_request_to_sendgrid(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    newsletter("send", "--yes", "--at", time_ahead(hours=5), "--local")
    assert newsletter("cancel", "ice")[0] == 0
    make_due(project_folder, hours=1)
    assert newsletter("send", "--due") == (0, "", "")
    assert fake_sendgrid.requests == []


def test_failing_due_send_does_not_block_the_others(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    second_issue = project_folder / "issues" / "2026-12-08-the-thaw"
    second_issue.mkdir()
    (second_issue / "post.md").write_text("---\ntitle: The thaw\n---\nWater everywhere.\n")
    for issue in ("ice", "thaw"):
        assert newsletter("send", issue, "--yes", "--at", time_ahead(days=9), "--local")[0] == 0
    make_due(project_folder, hours=1)
    fake_sendgrid.inject_faults(faults.error_response(403, "unverified"))
    code, out, err = newsletter("send", "--due", "--concurrency", "1")
    assert code == 1
    assert "unverified" in err
    assert "the-thaw is due." in out
    assert len(fake_sendgrid.accepted) == READERS


def test_resumed_held_send_keeps_its_batch_id(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    fake_sendgrid.inject_faults(
        InjectedFault(accept=True),
        InjectedFault(accept=True),
        faults.error_response(403, "no more"),
    )
    newsletter(
        "send", "--yes", "--at", time_ahead(hours=5), "--hold-at-sendgrid", "--concurrency", "1"
    )
    assert len(fake_sendgrid.accepted) == 10
    assert newsletter("resume")[0] == 0
    assert {email.batch_id for email in fake_sendgrid.accepted} == set(
        fake_sendgrid.scheduled.batch_ids
    )
    assert len(fake_sendgrid.scheduled.batch_ids) == 1


REFUSED = {
    "past": (("--at", "2020-01-01 09:00"), "is in the past"),
    "invalid time": (("--at", "soon"), "is not a valid time"),
    "date without time": (("--at", "2099-01-01"), "is not a valid time"),
    "local without time": (("--local",), "--at"),
    "two times": (("--at", "2099-01-01 09:00", "--undo-window", "20m"), "--undo-window"),
    "too short": (("--undo-window", "10m"), "10 minutes before the scheduled time"),
    "too long": (("--undo-window", "73h"), "72 hours"),
    "invalid duration": (("--undo-window", "soon"), "20m or 2h"),
    "undo window with rate limit": (
        ("--undo-window", "20m", "--limit-per-hour", "10"),
        "--limit-per-hour has no effect",
    ),
    "nothing would start it": (("--at", "2099-01-01 09:00"), "nothing would start it"),
    "held too long": (("--at", "2099-01-01 09:00", "--hold-at-sendgrid"), "72 hours at most"),
    "two places": (
        ("--at", "2099-01-01 09:00", "--hold-at-sendgrid", "--local"),
        "exclude each other",
    ),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_invalid_schedule_options_are_rejected(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, options: tuple[str, ...], message: str
) -> None:
    code, _, err = newsletter("send", "--yes", *options)
    assert code == 2
    assert message in err
    assert fake_sendgrid.requests == []


def test_started_send_cannot_be_rescheduled(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.error_response(403, "no more"))
    newsletter("send", "--yes", "--concurrency", "1")
    code, _, err = newsletter("send", "--yes", "--at", time_ahead(days=9), "--local")
    assert code == 1
    assert "has started and can't be scheduled any more" in err


def test_batch_size_and_rate_limit_options(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    assert newsletter("plan", "--batch-size", "5")[0] == 0
    code, _, err = newsletter("send", "--yes", "--batch-size", "7")
    assert code == 1
    assert "are planned already" in err
    code, _, err = newsletter("send", "--yes", "--limit-per-hour", "3")
    assert code == 1
    assert "batches of more than 3" in err
    assert newsletter("plan", "--again", "--batch-size", "3")[0] == 0
    assert newsletter("send", "--yes", "--limit-per-hour", "1000")[0] == 0
    assert len(fake_sendgrid.requests) == 9


def test_replacing_a_plan_keeps_its_schedule(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    newsletter("send", "--yes", "--at", "2099-12-01 09:00", "--local", "--limit-per-hour", "1000")
    code, out, _ = newsletter("plan", "--again")
    assert code == 0
    assert "Tue 1 Dec 2099 09:00 UTC" in out
    make_due(project_folder, hours=1)
    assert newsletter("send", "--due")[0] == 0
    assert len(fake_sendgrid.accepted) == READERS


def test_a_plan_after_a_cancelled_one_has_no_schedule(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    newsletter("send", "--yes", "--at", "2099-12-01 09:00", "--local", "--limit-per-hour", "1000")
    assert newsletter("cancel", "ice")[0] == 0
    code, out, _ = newsletter("plan")
    assert code == 0
    assert "2099" not in out
    assert newsletter("send", "--yes")[0] == 0
    assert len(fake_sendgrid.accepted) == READERS
