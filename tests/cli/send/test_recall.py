"""A recall that SendGrid confirms in time, too late, oddly, or not at all."""

import json
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from ready_to_send import ISSUE, READERS, Cli, flatten, set_scheduled_time, time_ahead

from newsletter.db import database_engine
from newsletter.db.schema import send
from newsletter.project import open_project
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

ANSWERS_ODDLY = {
    "error": faults.error_response(500, "oops"),
    "not found": faults.error_response(404, "not found"),
    "other status": faults.error_response(200, "queued"),
    "other body": faults.error_response(201, "queued"),
    "silent": faults.lost_request(),
    "invalid HTTP": InjectedFault(faults.ConnectionBehavior.INVALID_HTTP),
}


def schedule(newsletter: Cli, *options: str) -> None:
    options = ("--at", time_ahead(hours=5), "--hold-at-sendgrid", *options)
    assert newsletter("send", "ice", "--yes", *options)[0] == 0


def edit_post(project_folder: Path) -> None:
    path = project_folder / "issues" / ISSUE / "post.md"
    path.write_text(path.read_text().replace("Tuesday", "Wednesday"))


def test_recalled_issue_is_changed_and_scheduled_again(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    schedule(newsletter)
    code, out, _ = newsletter("cancel", "ice")
    assert code == 0
    assert "the-ice is cancelled: 25 readers will not get it." in out
    assert "SendGrid has cancelled what it held for 25 readers." in out
    assert fake_sendgrid.scheduled.statuses == {fake_sendgrid.scheduled.batch_ids[0]: "cancel"}
    assert newsletter("status")[1].startswith("the-ice  recalled  ")
    status_line = newsletter("status")[1].splitlines()[0]
    assert status_line == "the-ice  recalled  nobody has it  0 batches unknown  0 lost"
    missed = newsletter("who", "ice", "--missed")[1]
    assert missed.count("accepted by SendGrid, then cancelled") == READERS
    code, _, err = newsletter("cancel", "ice")
    assert (code, "cancelled already; nobody has it" in err) == (3, True)
    code, _, err = newsletter("report", "ice")
    assert (code, "nobody has it" in err) == (1, True)
    assert newsletter("report")[0] == 1

    edit_post(project_folder)
    code, out, _ = newsletter("send", "--dry-run")
    assert "A real send would ask for the count and start." in out
    code, out, _ = newsletter(
        "send", "--at", time_ahead(hours=6), "--hold-at-sendgrid", typed="25\n"
    )
    assert code == 0
    assert "cancelled at SendGrid in time; nobody has it" in flatten(out)
    assert len(fake_sendgrid.accepted) == 2 * READERS
    second = {email.batch_id for email in fake_sendgrid.accepted[READERS:]}
    assert second == {fake_sendgrid.scheduled.batch_ids[1]}
    # The recalled send is on record, under a name that nobody meets unasked.
    assert newsletter("status")[1].count("the-ice") == newsletter("status", "ice")[1].count("the-")
    assert "the-ice~recalled-1  recalled" in newsletter("status", "the-ice~recalled-1")[1]
    status = newsletter("status", "the-ice~recalled-1")[1]
    assert "held by" not in status
    assert "its issue was planned again: newsletter status the-ice\n" in status
    assert "newsletter send" not in status
    code, _, err = newsletter("reschedule", "the-ice~recalled-1", "--now", "--yes")
    assert (code, "its issue was planned again since" in err) == (1, True)
    profile = newsletter("subscribers", "show", "reader1@example.com")[1]
    assert f"{ISSUE}: cancelled at SendGrid" in profile
    assert "~recalled" not in profile
    # And once more.
    assert newsletter("cancel", "ice")[0] == 0
    assert newsletter("send", "--yes")[0] == 0
    assert "recalled" in newsletter("status", "the-ice~recalled-2")[1]
    assert newsletter("report")[0] == 0


@pytest.mark.parametrize("fault", ANSWERS_ODDLY.values(), ids=ANSWERS_ODDLY)
def test_unconfirmed_cancellation_is_no_recall_until_it_is_repeated(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, fault: InjectedFault
) -> None:
    schedule(newsletter)
    fake_sendgrid.inject_faults(fault, faults.error_response(500, "not now"))
    code, _, err = newsletter("cancel", "ice")
    assert code == 1
    assert "has not confirmed the cancellation" in err
    assert fake_sendgrid.scheduled.batch_ids[0] in err
    for command in (("send", "--yes"), ("report", "ice"), ("status", "ice"), ("plan",)):
        code, out, err = newsletter(*command)
        assert code == int(command[0] != "status")
        assert "was cancelled, but may still go out at" in flatten(out + err)
        assert "SendGrid has not confirmed" in flatten(out + err)
    assert "would be refused" in newsletter("send", "--dry-run")[1]
    assert newsletter("who", "ice", "--missed")[1].count("may or may not have it") == READERS
    code, out, _ = newsletter("cancel", "ice")
    assert code == 0
    assert "25 readers will not get it" in out
    assert set(fake_sendgrid.scheduled.statuses.values()) == {"cancel"}
    assert newsletter("send", "--yes")[0] == 0


def test_lost_confirmation_is_looked_up(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    schedule(newsletter)
    fake_sendgrid.inject_faults(faults.lost_response())
    assert newsletter("cancel", "ice")[0] == 0
    assert "recalled" in newsletter("status", "ice")[1]


def test_late_confirmation_is_no_recall(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    schedule(newsletter)
    set_scheduled_time(project_folder, minutes=9, seconds=55)
    code, _, err = newsletter("cancel", "ice")
    assert code == 1
    assert "less than 10 minutes" in flatten(err)
    for minutes, words in ((9, "but may still go out at"), (-1, "but may have gone out at")):
        set_scheduled_time(project_folder, minutes=minutes)
        for command in (("cancel", "ice"), ("send", "--yes"), ("report", "ice"), ("status",)):
            code, out, err = newsletter(*command)
            assert code == int(command[0] != "status"), command
            assert words in flatten(out + err)
            assert "SendGrid confirmed it less than 10 minutes before" in flatten(out + err)
    assert len(fake_sendgrid.accepted) == READERS


def test_without_a_key_nothing_is_cancelled(
    newsletter: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(newsletter)
    monkeypatch.delenv("SENDGRID_API_KEY")
    code, _, err = newsletter("cancel", "ice")
    assert (code, "SENDGRID_API_KEY" in err) == (1, True)
    assert newsletter("status")[1].startswith("the-ice  scheduled")


def test_event_of_a_recalled_send_disproves_the_recall(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    schedule(newsletter)
    assert newsletter("cancel", "ice")[0] == 0
    (first, *_) = fake_sendgrid.accepted
    event = {"timestamp": int(time.time()), "email": first.address, **first.custom_args}
    for kind in ("processed", "delivered"):
        assert "recalled" in newsletter("status")[1]
        Path("events.jsonl").write_text(json.dumps({"sg_event_id": kind, "event": kind, **event}))
        newsletter("events", "import", "events.jsonl")
    status = newsletter("status")[1]
    assert status.startswith("the-ice  cancelled, not confirmed")
    assert "SendGrid delivered it, although" in flatten(status)
    # Another confirmation would prove nothing.
    requests = len(fake_sendgrid.requests)
    for command in (("cancel", "ice"), ("reschedule", "ice", "--now", "--yes"), ("send", "--yes")):
        code, _, err = newsletter(*command)
        assert (code, "SendGrid delivered it, although" in flatten(err)) == (1, True)
    assert len(fake_sendgrid.requests) == requests


def test_partly_handed_over_send_is_cancelled_here_and_there(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    fake_sendgrid.inject_faults(
        InjectedFault(accept=True), InjectedFault(accept=True), faults.error_response(403, "no")
    )
    at = ("--at", time_ahead(hours=5), "--hold-at-sendgrid")
    assert newsletter("send", "--yes", "--concurrency", "1", *at)[0] == 1
    status = flatten(newsletter("status")[1])
    assert "SendGrid holds it until then" in status
    assert "resume with" in status
    assert newsletter("report", "ice")[0] == 1
    code, out, _ = newsletter("cancel", "ice")
    assert code == 0
    assert "25 readers will not get it" in out
    assert "held for 10 readers" in out
    assert newsletter("send", "--yes")[0] == 0
    assert len(fake_sendgrid.accepted) == 10 + READERS


def test_send_that_was_never_handed_over_says_so(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    assert newsletter("plan")[0] == 0
    with (
        database_engine("sqlite:///newsletter.db", project_folder) as engine,
        engine.begin() as connection,
    ):
        connection.execute(sa.update(send).values(provider_batch_id="lost"))
    set_scheduled_time(project_folder, hours=5)
    status = flatten(newsletter("status")[1])
    assert status.startswith("the-ice planned")
    assert "nothing of it was handed to SendGrid" in status
    assert "nothing goes out until you run: newsletter send the-ice" in status
    code, _, err = newsletter("report", "ice")
    assert (code, "nothing of it was handed to SendGrid" in err) == (1, False)
    code, out, _ = newsletter("cancel", "ice")
    assert (code, "25 readers will not get it" in out) == (0, True)
    assert fake_sendgrid.requests == []
    assert newsletter("cancel", "ice")[0] == 3
    assert "send it as it is now" in newsletter("status")[1]
    assert newsletter("send", "--yes")[0] == 0


def test_held_send_is_not_said_to_be_sent(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    schedule(newsletter)
    for command in (("send", "--yes"), ("report", "ice"), ("send", "--dry-run")):
        code, out, err = newsletter(*command)
        assert code == {"send": 3, "report": 1}[command[0]] * ("--dry-run" not in command)
        text = flatten(out + err)
        assert "is scheduled for" in text
        assert "SendGrid holds it until then" in text
        assert "was sent to" not in text
    code, _, err = newsletter("report")
    assert (code, "nothing has been sent yet" in err) == (1, True)
    assert len(fake_sendgrid.accepted) == READERS


def test_waiting_send_says_how_many_will_not_get_it(newsletter: Cli) -> None:
    assert newsletter("send", "--yes", "--at", time_ahead(hours=5), "--local")[0] == 0
    code, out, _ = newsletter("cancel", "ice")
    assert (code, "the-ice is cancelled: 25 readers will not get it." in out) == (0, True)
    assert newsletter("cancel", "ice")[0] == 3


def test_preview_lists_what_becomes_of_a_send(newsletter: Cli, project_folder: Path) -> None:
    from newsletter.preview.issue_list import list_issue_entries

    project = open_project(project_folder)

    def state() -> str:
        with database_engine(project.config.database, project_folder) as engine:
            return list_issue_entries(project, engine)[0].state

    newsletter("plan")
    assert state() == "planned"
    newsletter("send", "--yes", "--at", time_ahead(hours=5), "--local")
    assert state() == "scheduled"
    newsletter("cancel", "ice")
    schedule(newsletter)
    assert state() == "scheduled"
    newsletter("cancel", "ice")
    assert state() == "cancelled"
    schedule(newsletter)
    set_scheduled_time(project_folder, minutes=5)
    newsletter("cancel", "ice")
    assert state() == "needs review"


@pytest.mark.parametrize("personalize", ["substitutions", "per_request"])
def test_all_requests_of_a_held_send_are_recalled_together(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path, personalize: str
) -> None:
    settings = project_folder / "newsletter.yml"
    settings.write_text(settings.read_text() + f"  personalize: {personalize}\n")
    schedule(newsletter)
    requests = 3 if personalize == "substitutions" else READERS
    assert len(fake_sendgrid.requests) == 1 + requests
    assert {email.batch_id for email in fake_sendgrid.accepted} == {"double-batch-0001"}
    assert newsletter("cancel", "ice")[0] == 0
    code, out, err = newsletter("reschedule", "ice", "--yes", "--now")
    assert code == 0, err
    assert "Sent to 25 of 25 readers." in out
    assert len(fake_sendgrid.requests) == 1 + requests + 1 + requests
    assert {email.batch_id for email in fake_sendgrid.accepted[READERS:]} == {""}


def test_recalled_send_counts_as_sent_nowhere(newsletter: Cli, project_folder: Path) -> None:
    words = " ".join(f"word{number}" for number in range(60))
    post = project_folder / "issues" / ISSUE / "post.md"
    post.write_text(f"---\ntitle: The ice\n---\n{words}\n")
    schedule(newsletter)
    other = project_folder / "issues" / "2026-12-02-the-same"
    other.mkdir()
    (other / "post.md").write_text(post.read_text())
    # While SendGrid holds it, these readers will get it.
    code, _, err = newsletter("plan", "the-same")
    assert (code, "of this article is in" in err) == (1, True)
    assert newsletter("subscribers", "count", "sent:the-ice")[1].startswith("25")
    assert newsletter("backup", "before.backup")[0] == 0

    assert newsletter("cancel", "ice")[0] == 0
    code, _, err = newsletter("subscribers", "count", "sent:the-ice")
    assert (code, "no issue 'the-ice' was sent" in err) == (1, True)
    assert newsletter("subscribers", "count", "not sent:last-1")[1].startswith("25")
    assert newsletter("plan", "the-same")[0] == 0
    assert newsletter("cancel", "the-same")[0] == 0
    schedule(newsletter, "--repeat-article", "--segment", "sent:last-3 or not sent:last-3")
    assert newsletter("cancel", "ice")[0] == 0
    assert newsletter("send", "ice", "--yes")[0] == 0
    code, _, err = newsletter("plan", "the-same")
    assert (code, f"is in {ISSUE} of" in flatten(err)) == (1, True)
    assert "~recalled" not in err
    archive = newsletter("archive", "--out", "site")
    assert archive[0] == 0
    assert [path.name for path in (project_folder / "site" / "issues").iterdir()] == ["the-ice"]
    # A backup from before has the recalled send under its first name.
    code, out, err = newsletter("restore", "before.backup", "--yes")
    assert code == 0, out + err
    assert newsletter("send", "ice", "--yes")[0] == 3
