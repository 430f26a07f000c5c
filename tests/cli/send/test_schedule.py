"""Sending later: held by SendGrid, or waiting here; and taking it back."""

import datetime
import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from ready_to_send import READERS, Cli

from newsletter.db import database_engine
from newsletter.db.schema import send
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault


def ahead(**length: int) -> str:
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(**length)
    return moment.isoformat(timespec="minutes")


def put_back(project_folder: Path, **length: int) -> None:
    """Let a scheduled send's time be so long ago."""
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(**length)
    with (
        database_engine("sqlite:///newsletter.db", project_folder) as engine,
        engine.begin() as connection,
    ):
        connection.execute(sa.update(send).values(scheduled_at=moment))


def test_sendgrid_holds_what_is_less_than_three_days_ahead(
    newsletter: Cli, vendor: FakeSendGrid
) -> None:
    at = ahead(days=2)
    code, out, err = newsletter("send", "ice", "--at", at, typed="25\n")
    assert code == 0
    assert "(in 48 hours)" in out
    assert "Type 25 to schedule" in err
    assert "SendGrid holds it for 25 of 25 readers." in out
    assert "newsletter cancel the-ice" in out
    assert "10 minutes before" in err
    mails = [json.loads(request.body) for request in vendor.requests[1:]]
    seconds = int(datetime.datetime.fromisoformat(at).timestamp())
    assert [(mail["send_at"], mail["batch_id"]) for mail in mails] == [
        (seconds, vendor.scheduled.batch_ids[0])
    ] * 3
    assert newsletter("status")[1].startswith("the-ice  scheduled  25 of 25 accepted")


def test_a_held_send_is_taken_back_once_and_for_all(newsletter: Cli, vendor: FakeSendGrid) -> None:
    newsletter("send", "--yes", "--at", ahead(hours=5))
    code, out, _ = newsletter("cancel", "ice")
    assert code == 0
    assert "SendGrid takes back what it holds for 25 readers." in out
    assert vendor.scheduled.statuses == {vendor.scheduled.batch_ids[0]: "cancel"}
    assert "was told to take it back" in newsletter("status")[1]
    assert newsletter("who", "ice", "--missed")[1].count("told to take it back") == READERS
    assert newsletter("send", "--yes")[0] == 1
    assert len(vendor.accepted) == READERS


def test_an_undo_window_holds_the_mail_so_long(newsletter: Cli, vendor: FakeSendGrid) -> None:
    before = vendor.clock()
    assert newsletter("send", "--yes", "--undo-window", "20m")[0] == 0
    mail = json.loads(vendor.requests[-1].body)
    assert before + 19 * 60 < mail["send_at"] <= vendor.clock() + 20 * 60
    assert newsletter("cancel", "ice")[0] == 0
    assert set(vendor.scheduled.statuses.values()) == {"cancel"}


def test_a_lost_answer_to_a_cancel_is_asked_about(newsletter: Cli, vendor: FakeSendGrid) -> None:
    newsletter("send", "--yes", "--undo-window", "20m")
    vendor.inject_faults(faults.lost_response())
    assert newsletter("cancel", "ice")[0] == 0


def test_a_cancel_that_sendgrid_does_not_confirm_can_be_done_again(
    newsletter: Cli, vendor: FakeSendGrid
) -> None:
    newsletter("send", "--yes", "--undo-window", "20m")
    vendor.inject_faults(faults.error_response(500, "oops"), faults.error_response(500, "oops"))
    code, _, err = newsletter("cancel", "ice")
    assert code == 1
    assert "has not confirmed that it takes the mail back: oops" in err
    assert vendor.scheduled.batch_ids[0] in err
    assert newsletter("cancel", "ice")[0] == 0
    assert set(vendor.scheduled.statuses.values()) == {"cancel"}


def test_without_a_batch_id_nothing_is_scheduled(newsletter: Cli, vendor: FakeSendGrid) -> None:
    vendor.inject_faults(faults.error_response(500, "oops"))
    code, _, err = newsletter("send", "--yes", "--at", ahead(hours=5))
    assert code == 1
    assert "Nothing was sent" in err
    assert "Nothing has been sent or planned" in newsletter("status")[2]


@pytest.mark.parametrize("options", [("--at", ahead(hours=5), "--local"), ("--at", ahead(days=9))])
def test_what_waits_here_is_started_by_cron_when_it_is_due(
    newsletter: Cli, vendor: FakeSendGrid, project_folder: Path, options: tuple[str, ...]
) -> None:
    code, out, err = newsletter("send", "--yes", *options)
    assert code == 0
    assert "Scheduled. Take back with: newsletter cancel the-ice" in out
    assert "newsletter send --due" in err
    assert newsletter("send", "--due") == (0, "", "")
    code, _, err = newsletter("send", "--yes")
    assert code == 1
    assert "is scheduled for" in err
    assert vendor.requests == []
    put_back(project_folder, hours=1)
    code, out, _ = newsletter("send", "--due")
    assert code == 0
    assert "the-ice is due." in out
    assert "Sent to 25 of 25 readers." in out
    assert newsletter("send", "--due") == (0, "", "")
    assert len(vendor.accepted) == READERS


def test_what_waits_here_is_cancelled_without_a_word_to_sendgrid(
    newsletter: Cli, vendor: FakeSendGrid, project_folder: Path
) -> None:
    newsletter("send", "--yes", "--at", ahead(hours=5), "--local")
    assert newsletter("cancel", "ice")[0] == 0
    put_back(project_folder, hours=1)
    assert newsletter("send", "--due") == (0, "", "")
    assert vendor.requests == []


def test_a_due_send_that_fails_does_not_keep_the_others(
    newsletter: Cli, vendor: FakeSendGrid, project_folder: Path
) -> None:
    second = project_folder / "issues" / "2026-12-08-the-thaw"
    second.mkdir()
    (second / "post.md").write_text("---\ntitle: The thaw\n---\nWater everywhere.\n")
    for issue in ("ice", "thaw"):
        assert newsletter("send", issue, "--yes", "--at", ahead(days=9))[0] == 0
    put_back(project_folder, hours=1)
    vendor.inject_faults(faults.error_response(403, "unverified"))
    code, out, err = newsletter("send", "--due", "--concurrency", "1")
    assert code == 1
    assert "unverified" in err
    assert "the-thaw is due." in out
    assert len(vendor.accepted) == READERS


def test_a_held_send_that_was_stopped_goes_on_under_the_same_batch_id(
    newsletter: Cli, vendor: FakeSendGrid
) -> None:
    vendor.inject_faults(
        InjectedFault(accept=True),
        InjectedFault(accept=True),
        faults.error_response(403, "no more"),
    )
    newsletter("send", "--yes", "--at", ahead(hours=5), "--concurrency", "1")
    assert len(vendor.accepted) == 10
    assert newsletter("resume")[0] == 0
    assert {one.batch_id for one in vendor.accepted} == set(vendor.scheduled.batch_ids)
    assert len(vendor.scheduled.batch_ids) == 1


REFUSED = {
    "past": (("--at", "2020-01-01 09:00"), "is past"),
    "no time": (("--at", "soon"), "is no time"),
    "a day is no time": (("--at", "2099-01-01"), "is no time"),
    "local of nothing": (("--local",), "--at"),
    "two times": (("--at", "2099-01-01 09:00", "--undo-window", "20m"), "--undo-window"),
    "too short": (("--undo-window", "10m"), "10 minutes before its time"),
    "too long": (("--undo-window", "73h"), "72 hours"),
    "no length": (("--undo-window", "soon"), "20m or 2h"),
    "all at once": (("--undo-window", "20m", "--limit-per-hour", "10"), "--local"),
}


@pytest.mark.parametrize(("options", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_times_that_make_no_sense_are_refused(
    newsletter: Cli, vendor: FakeSendGrid, options: tuple[str, ...], told: str
) -> None:
    code, _, err = newsletter("send", "--yes", *options)
    assert code == 2
    assert told in err
    assert vendor.requests == []


def test_a_send_that_has_begun_cannot_be_put_off(newsletter: Cli, vendor: FakeSendGrid) -> None:
    vendor.inject_faults(InjectedFault(accept=True), faults.error_response(403, "no more"))
    newsletter("send", "--yes", "--concurrency", "1")
    code, _, err = newsletter("send", "--yes", "--at", ahead(days=9))
    assert code == 1
    assert "has begun and can't be put off" in err


def test_batches_and_pace_are_the_editors(newsletter: Cli, vendor: FakeSendGrid) -> None:
    assert newsletter("plan", "--batch-size", "5")[0] == 0
    code, _, err = newsletter("send", "--yes", "--batch-size", "7")
    assert code == 1
    assert "are planned already" in err
    code, _, err = newsletter("send", "--yes", "--limit-per-hour", "3")
    assert code == 1
    assert "batches of more than 3" in err
    assert newsletter("plan", "--again", "--batch-size", "3")[0] == 0
    assert newsletter("send", "--yes", "--limit-per-hour", "1000")[0] == 0
    assert len(vendor.requests) == 9


def test_a_new_plan_keeps_the_time_of_the_one_that_it_replaces(
    newsletter: Cli, vendor: FakeSendGrid, project_folder: Path
) -> None:
    newsletter("send", "--yes", "--at", "2099-12-01 09:00", "--limit-per-hour", "1000")
    code, out, _ = newsletter("plan", "--again")
    assert code == 0
    assert "Tue 1 Dec 2099 09:00 UTC" in out
    put_back(project_folder, hours=1)
    assert newsletter("send", "--due")[0] == 0
    assert len(vendor.accepted) == READERS
