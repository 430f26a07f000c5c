"""``reschedule``: the same email to the same readers at another time, and never twice."""

import datetime
import json
import shutil
import time
from pathlib import Path

import pytest
from ready_to_send import ISSUE, READERS, Cli, flatten, set_scheduled_time, time_ahead

from newsletter.db.sqlite_copy import back_up
from newsletter.sending.rehearsal import AcceptedRecipient, FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault


def hold(newsletter: Cli, *options: str) -> None:
    options = ("--at", time_ahead(hours=5), "--hold-at-sendgrid", *options)
    assert newsletter("send", "--yes", *options)[0] == 0


def test_held_send_goes_at_another_time(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    hold(newsletter)
    post = Path("issues", ISSUE, "post.md")
    post.write_text(post.read_text().replace("Tuesday", "Wednesday"))
    newsletter("subscribers", "remove", "reader3@example.com")
    at = time_ahead(hours=7)
    code, out, err = newsletter("reschedule", "ice", "--at", at, typed="24\n")
    assert code == 0, err
    assert "SendGrid holds it until then" in flatten(out)
    assert "(in 7 hours)" in out
    assert "Type 24 to reschedule" in err
    assert "The issue's files have changed since" in err
    assert "SendGrid holds it for 24 of 25 readers." in out
    first, second = fake_sendgrid.scheduled.batch_ids
    assert fake_sendgrid.scheduled.statuses == {first: "cancel"}
    again = [email for email in fake_sendgrid.accepted if email.batch_id == second]
    assert len(again) == READERS - 1
    bodies = [json.loads(request.body) for request in fake_sendgrid.requests if request.body]
    bodies = [body for body in bodies if body.get("batch_id") == second and "content" in body]
    seconds = int(datetime.datetime.fromisoformat(at).timestamp())
    assert [body["send_at"] for body in bodies] == [seconds] * 3
    # What was frozen, not what the files say now.
    assert all("Tuesday" in body["content"][0]["value"] for body in bodies)
    assert "scheduled" in newsletter("status", "ice")[1]
    assert "recalled" in newsletter("status", "the-ice~recalled-1")[1]


def test_held_send_is_sent_now_or_waits_here(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    hold(newsletter)
    code, out, err = newsletter("reschedule", "ice", "--at", time_ahead(days=9), "--yes", "--local")
    assert code == 0, err
    assert "Rescheduled. Cancel with: newsletter cancel the-ice" in out
    assert len(fake_sendgrid.accepted) == READERS
    # It only waits here: nobody need be asked.
    requests = len(fake_sendgrid.requests)
    code, out, _ = newsletter("reschedule", "ice", "--at", "2099-12-01 09:00", "--yes", "--json")
    assert code == 0
    assert json.loads(out)["scheduled_at"] == "2099-12-01T09:00:00+00:00"
    assert len(fake_sendgrid.requests) == requests
    code, out, _ = newsletter("reschedule", "ice", "--now", typed="25\n")
    assert code == 0
    assert "Sent to 25 of 25 readers." in out
    assert len(fake_sendgrid.accepted) == 2 * READERS
    assert newsletter("send", "--due") == (0, "", "")
    assert newsletter("reschedule", "ice", "--now", "--yes")[0] == 1
    assert len(fake_sendgrid.accepted) == 2 * READERS
    report = newsletter("report")[1]
    assert "to 25" in report


def test_waiting_send_is_handed_to_sendgrid(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    newsletter("send", "--yes", "--at", time_ahead(hours=5), "--local")
    at = time_ahead(hours=6)
    code, out, _ = newsletter("reschedule", "ice", "--yes", "--at", at, "--hold-at-sendgrid")
    assert (code, "SendGrid holds it for 25 of 25" in out) == (0, True)
    assert {email.batch_id for email in fake_sendgrid.accepted} == {"double-batch-0001"}
    assert len(fake_sendgrid.accepted) == READERS


def test_recalled_send_is_rescheduled(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    hold(newsletter)
    assert newsletter("cancel", "ice")[0] == 0
    assert newsletter("reschedule", "ice", "--yes", "--now")[0] == 0
    assert len(fake_sendgrid.accepted) == 2 * READERS


@pytest.mark.parametrize("fault", [faults.error_response(500, "oops"), faults.lost_request()])
def test_nothing_is_sent_again_without_sendgrids_confirmation(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, fault: InjectedFault
) -> None:
    hold(newsletter)
    fake_sendgrid.inject_faults(fault, fault)
    code, _, err = newsletter("reschedule", "ice", "--now", "--yes")
    assert code == 1
    assert "has not confirmed the cancellation" in err
    assert len(fake_sendgrid.accepted) == READERS
    assert "may still go out" in newsletter("status")[1]
    # The same command again asks again.
    assert newsletter("reschedule", "ice", "--now", "--yes")[0] == 0
    assert set(fake_sendgrid.scheduled.statuses.values()) == {"cancel"}
    assert len(fake_sendgrid.accepted) == 2 * READERS


def test_without_a_batch_id_nothing_is_recalled(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    hold(newsletter)
    fake_sendgrid.inject_faults(faults.error_response(500, "oops"))
    assert newsletter("reschedule", "ice", "--yes", "--at", time_ahead(hours=6))[0] == 1
    assert newsletter("status")[1].startswith("the-ice  scheduled")
    assert fake_sendgrid.scheduled.statuses == {}


def test_send_is_not_touched_when_a_recall_would_come_too_late(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    hold(newsletter)
    set_scheduled_time(project_folder, minutes=9, seconds=55)
    code, _, err = newsletter("reschedule", "ice", "--now", "--yes")
    assert code == 1
    assert "less than 10 minutes before" in flatten(err)
    assert newsletter("status")[1].startswith("the-ice  scheduled")
    set_scheduled_time(project_folder, minutes=-1)
    code, _, err = newsletter("reschedule", "ice", "--now", "--yes")
    assert (code, "is not scheduled" in err) == (1, True)
    assert fake_sendgrid.scheduled.statuses == {}
    assert len(fake_sendgrid.accepted) == READERS


@pytest.mark.parametrize(
    "options",
    [(), ("--now", "--at", "2099-12-01 09:00"), ("--now", "--local"), ("--at", "soon"),
     ("--now", "--hold-at-sendgrid"), ("--at", "2099-12-01 09:00", "--hold-at-sendgrid")],
)  # fmt: skip
def test_invalid_options_are_refused(newsletter: Cli, options: tuple[str, ...]) -> None:
    newsletter("send", "--yes", "--at", time_ahead(hours=5), "--local")
    assert newsletter("reschedule", "ice", "--yes", *options)[0] == 2


def test_what_is_not_scheduled_is_refused_with_the_way_to_schedule_it(newsletter: Cli) -> None:
    newsletter("plan")
    code, _, err = newsletter("reschedule", "ice", "--now", "--yes")
    assert code == 1
    assert "is not scheduled" in err
    assert "newsletter send the-ice --at TIME" in flatten(err)


def test_images_are_checked_before_it_is_sent_now(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, picture: bytes
) -> None:
    folder = Path("issues", ISSUE)
    (folder / "dot.png").write_bytes(picture)
    post = folder / "post.md"
    post.write_text(post.read_text() + "\n![A dot](dot.png)\n")
    at = ("--at", time_ahead(hours=5), "--local")
    assert newsletter("send", "--yes", "--no-image-check", *at)[0] == 0
    code, _, err = newsletter("reschedule", "ice", "--now", "--yes")
    assert code == 1
    assert "readers could not see 1 of 1 image" in flatten(err)
    assert fake_sendgrid.accepted == []
    assert newsletter("reschedule", "ice", "--now", "--yes", "--no-image-check")[0] == 0
    assert len(fake_sendgrid.accepted) == READERS


def test_plan_for_several_readers_per_request_is_not_recalled_in_vain(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    hold(newsletter)
    settings = Path("newsletter.yml")
    settings.write_text(settings.read_text() + "  personalize: per_request\n")
    code, _, err = newsletter("reschedule", "ice", "--now", "--yes")
    assert (code, "per_request" in err) == (1, True)
    assert fake_sendgrid.scheduled.statuses == {}


def import_delivery(newsletter: Cli, email: AcceptedRecipient) -> str:
    event = {"timestamp": int(time.time()), "event": "delivered", "sg_event_id": "late"}
    data = json.dumps({**event, "email": email.address, **email.custom_args})
    Path("events.jsonl").write_text(data)
    code, out, err = newsletter("events", "import", "events.jsonl")
    assert code == 0, err
    return flatten(out + err)


@pytest.mark.parametrize("is_rescheduled", [True, False])
def test_send_is_paused_if_the_one_that_it_replaces_was_delivered(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path, *, is_rescheduled: bool
) -> None:
    hold(newsletter)
    at = ("--yes", "--at", time_ahead(hours=6), "--local")
    if is_rescheduled:
        assert newsletter("reschedule", "ice", *at)[0] == 0
    else:
        assert newsletter("cancel", "ice")[0] == 0
        assert newsletter("send", "ice", *at)[0] == 0
    told = import_delivery(newsletter, fake_sendgrid.accepted[0])
    assert "was paused. See why: newsletter status the-ice" in told
    set_scheduled_time(project_folder, hours=-1)
    assert newsletter("send", "--due") == (0, "", "")
    assert len(fake_sendgrid.accepted) == READERS
    status = flatten(newsletter("status")[1])
    assert status.startswith("the-ice paused")
    assert "SendGrid delivered the earlier send of this issue, although" in status
    # Whoever knows better decides.
    assert newsletter("resume", "ice")[0] == 0
    assert len(fake_sendgrid.accepted) == 2 * READERS


def test_copy_of_the_database_recalls_nothing(
    newsletter: Cli,
    fake_sendgrid: FakeSendGrid,
    project_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hold(newsletter)
    copy = tmp_path / "copy"
    ignored = shutil.ignore_patterns("newsletter.db*")
    shutil.copytree(project_folder, copy, ignore=ignored)
    back_up(project_folder / "newsletter.db", copy / "newsletter.db")
    monkeypatch.chdir(copy)
    code, _, err = newsletter("reschedule", "ice", "--now", "--yes")
    assert (code, "this database is a copy" in err) == (1, True)
    assert fake_sendgrid.scheduled.statuses == {}
    assert newsletter("status")[1].startswith("the-ice  scheduled")


def test_held_send_beyond_three_days_is_refused_with_the_way_to_let_it_wait_here(
    newsletter: Cli,
) -> None:
    hold(newsletter)
    at = ("--at", time_ahead(days=5), "--yes")
    code, _, err = newsletter("reschedule", "ice", *at)
    assert (code, "use --local" in err) == (2, True)
    assert newsletter("reschedule", "ice", *at, "--local")[0] == 0
