"""A scheduled send tells its editor: started, finished, blocked, needs a decision."""

import datetime
import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from notify_recorder import NotifyRecorder
from ready_to_send import ISSUE, READERS, Cli

from newsletter.db import database_engine
from newsletter.db.schema import send
from newsletter.events.parse import parse_event
from newsletter.project import open_project
from newsletter.sending.feedback.event_intake import ingest_events
from newsletter.sending.ledger.find_sends import open_ledger
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault
from newsletter.sending.rehearsal.fake_sendgrid.schema import MailSend

ACCEPT = InjectedFault(accept=True)
DUE = ("send", "--due", "--concurrency", "1")
Configure = Callable[..., None]


@pytest.fixture
def configure(newsletter: Cli, project_folder: Path) -> Configure:
    """Set ``notify`` in newsletter.yml."""

    def append(**settings: Any) -> None:
        with (project_folder / "newsletter.yml").open("a") as file:
            file.write(f"notify: {json.dumps(settings)}\n")

    assert newsletter("doctor")[0] == 0
    return append


@pytest.fixture
def due(newsletter: Cli) -> Callable[[], None]:
    """Schedule the issue, and let its time come."""

    def schedule() -> None:
        now = datetime.datetime.now(datetime.UTC)
        at = (now + datetime.timedelta(hours=5)).isoformat(timespec="minutes")
        code, _, err = newsletter("send", "--yes", "--at", at, "--local")
        assert code == 0, err
        make_due()

    return schedule


@pytest.fixture
def told(configure: Configure, due: Callable[[], None], recorder: NotifyRecorder) -> NotifyRecorder:
    """What a send that is due tells by ``notify.command``."""
    configure(command=recorder.command)
    due()
    return recorder


def make_due() -> None:
    hour_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    with (
        database_engine("sqlite:///newsletter.db", Path.cwd()) as engine,
        engine.begin() as connection,
    ):
        connection.execute(sa.update(send).values(scheduled_at=hour_ago))


def test_started_and_finished_are_told_by_command_and_email(
    newsletter: Cli,
    configure: Configure,
    due: Callable[[], None],
    recorder: NotifyRecorder,
    fake_sendgrid: FakeSendGrid,
) -> None:
    configure(command=recorder.command, email=["editor@harbour-notes.org"])
    due()
    assert recorder.calls == []
    assert newsletter(*DUE)[0] == 0
    started, finished = recorder.calls
    assert started.arguments == ["Started: The ice, friend (Harbour Notes)"]
    assert finished.arguments == ["Sent to 25 of 25 readers: The ice, friend (Harbour Notes)"]
    assert finished.data["readers"] == {"accepted": READERS}
    assert finished.data["commands"] == ["newsletter report the-ice"]
    to_editor = [
        json.loads(request.body)["subject"]
        for request in fake_sendgrid.requests
        if b"Auto-Submitted" in request.body
    ]
    assert to_editor == [call.arguments[0] for call in recorder.calls]
    assert len(fake_sendgrid.accepted) == READERS + 2
    assert newsletter(*DUE) == (0, "", "")
    assert len(recorder.calls) == 2


def test_revoked_key_is_told_with_sendgrids_words_by_the_command_alone(
    newsletter: Cli,
    configure: Configure,
    due: Callable[[], None],
    recorder: NotifyRecorder,
    fake_sendgrid: FakeSendGrid,
) -> None:
    configure(command=recorder.command, email="editor@harbour-notes.org", on=["blocked"])
    due()
    fake_sendgrid.key = "SG.another"
    code, _, err = newsletter(*DUE)
    assert code == 1
    words = "The provided authorization grant is invalid, expired, or revoked"
    assert err.count("The editor could not be notified by email: SendGrid: The provided") == 1
    assert f"newsletter: SendGrid: {words}" in err
    [call] = recorder.calls
    assert call.data["kind"] == "blocked"
    assert f"SendGrid stopped the send: {words}\nCheck SENDGRID_API_KEY" in call.data["text"]
    assert "Sent to 0 of 25 readers; 25 still to go." in call.data["text"]
    assert call.data["commands"] == ["newsletter resume the-ice"]
    assert newsletter(*DUE) == (0, "", "")
    assert len(recorder.calls) == 1


def test_missing_key_is_told_once_and_the_send_starts_later(
    newsletter: Cli, told: NotifyRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = os.environ["SENDGRID_API_KEY"]
    monkeypatch.delenv("SENDGRID_API_KEY")
    for _ in range(3):
        assert newsletter(*DUE)[0] == 1
    assert told.kinds == ["blocked"]
    assert "The send could not start: no API key" in told.calls[0].data["text"]
    assert told.calls[0].data["commands"] == ["newsletter send --due"]
    monkeypatch.setenv("SENDGRID_API_KEY", key)
    assert newsletter(*DUE)[0] == 0
    assert told.kinds == ["blocked", "started", "finished"]


@pytest.mark.parametrize("command", ["reschedule", "cancel"])
def test_block_of_a_send_that_got_another_time_is_told_again(
    newsletter: Cli,
    due: Callable[[], None],
    told: NotifyRecorder,
    fake_sendgrid: FakeSendGrid,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    monkeypatch.delenv("SENDGRID_API_KEY")
    assert newsletter(*DUE)[0] == 1
    monkeypatch.setenv("SENDGRID_API_KEY", fake_sendgrid.key)
    if command == "cancel":
        assert newsletter("cancel", "ice")[0] == 0
        due()
    else:
        assert newsletter("reschedule", "ice", "--yes", "--at", "2099-12-01 09:00")[0] == 0
        make_due()
    monkeypatch.delenv("SENDGRID_API_KEY")
    assert newsletter(*DUE)[0] == 1
    assert told.kinds == ["blocked", "blocked"]


def test_unknown_batch_needs_a_decision(
    newsletter: Cli, told: NotifyRecorder, fake_sendgrid: FakeSendGrid
) -> None:
    fake_sendgrid.inject_faults(ACCEPT, faults.lost_response())
    assert newsletter(*DUE)[0] == 1
    assert told.kinds == ["started", "needs_decision"]
    text = told.calls[1].data["text"]
    assert "It is not known whether 10 readers have the email." in text
    assert "newsletter status the-ice" in text


def test_refusal_of_everybody_names_no_reader(
    newsletter: Cli, told: NotifyRecorder, fake_sendgrid: FakeSendGrid
) -> None:
    fake_sendgrid.inject_faults(
        *[faults.error_response(400, "reader7@example.com is not wanted")] * 100
    )
    assert newsletter(*DUE)[0] == 1
    assert told.kinds == ["started", "blocked"]
    call = told.calls[1]
    assert "… is not wanted" in call.data["text"]
    assert "@" not in json.dumps(call.data)


def test_send_held_in_a_copy_of_the_database_needs_a_decision(
    newsletter: Cli, told: NotifyRecorder, project_folder: Path
) -> None:
    (project_folder / "newsletter.db.mark").unlink()
    for _ in range(2):
        assert newsletter(*DUE)[0] == 1
    [call] = told.calls
    assert call.data["kind"] == "needs_decision"
    assert "The send has stopped: the database is a copy as of" in call.data["text"]


class BouncingSendGrid(FakeSendGrid):
    """Reports a hundred bounces as soon as it has accepted its first request."""

    def accept(self, mail_send: MailSend) -> str:
        message_id = super().accept(mail_send)
        if len(self.requests) == 0:
            project = open_project(Path.cwd())
            with database_engine(project.config.database, project.root) as engine:
                send_id = mail_send.custom_args.get("nl_send") or str(
                    mail_send.personalizations[0].custom_args["nl_send"]
                )
                events = [
                    parse_event(
                        {"sg_event_id": f"e{number}", "event": "bounce", "type": "bounce",
                         "timestamp": int(time.time()), "email": f"other{number}@example.com",
                         "nl_send": send_id}
                    )
                    for number in range(100)
                ]  # fmt: skip
                ingest_events(open_ledger(engine, project.config), project.config, events)
        return message_id


def test_breaker_needs_a_decision(
    newsletter: Cli, told: NotifyRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BouncingSendGrid(key=os.environ["SENDGRID_API_KEY"]) as double:
        monkeypatch.setenv("SENDGRID_HOST", double.url)
        assert newsletter(*DUE)[0] == 1
    assert told.kinds == ["started", "needs_decision"]
    text = told.calls[1].data["text"]
    assert "The send is paused: 100 of the first 100 emails bounced" in text
    assert "newsletter resume the-ice" in text
    assert "newsletter cancel the-ice" in text


def test_hostile_title_is_one_argument_and_runs_nothing(
    *,
    newsletter: Cli,
    configure: Configure,
    due: Callable[[], None],
    recorder: NotifyRecorder,
    fake_sendgrid: FakeSendGrid,
    project_folder: Path,
) -> None:
    title = "--x\"' $(touch pwned) `touch pwned`; touch pwned | \\n & <b>"
    post = project_folder / "issues" / ISSUE / "post.md"
    post.write_text(f"---\ntitle: {json.dumps(title)}\n---\nThe ice.\n")
    configure(command=recorder.command, email="editor@harbour-notes.org", on=["started"])
    due()
    assert newsletter(*DUE)[0] == 0
    [call] = recorder.calls
    assert call.arguments == [f"Started: {title} (Harbour Notes)"]
    assert not list(project_folder.rglob("pwned"))
    [body] = [
        json.loads(request.body)
        for request in fake_sendgrid.requests
        if b"Auto-Submitted" in request.body
    ]
    assert body["subject"] == call.arguments[0]


@pytest.mark.parametrize("command", [["no-such-program"], [sys.executable, "-c", "exit(3)"]])
def test_failing_notification_changes_neither_send_nor_exit_code(
    newsletter: Cli,
    configure: Configure,
    due: Callable[[], None],
    fake_sendgrid: FakeSendGrid,
    command: list[str],
) -> None:
    configure(command=command, on="finished")
    due()
    code, out, err = newsletter(*DUE)
    assert code == 0
    assert "Sent to 25 of 25 readers." in out
    assert err.count("The editor could not be notified by notify.command: ") == 1
    assert len(fake_sendgrid.accepted) == READERS


def test_attended_send_tells_only_what_needs_its_editor_and_only_without_a_terminal(
    newsletter: Cli,
    configure: Configure,
    recorder: NotifyRecorder,
    fake_sendgrid: FakeSendGrid,
    project_folder: Path,
) -> None:
    configure(command=recorder.command)
    blocked = faults.error_response(403, "no more")
    fake_sendgrid.inject_faults(ACCEPT, blocked)
    assert newsletter("send", "--yes", "--concurrency", "1")[0] == 1
    assert recorder.kinds == ["blocked"]
    fake_sendgrid.inject_faults(blocked)
    with ExitStack() as stack:
        descriptors = pty.openpty()
        for descriptor in descriptors:
            stack.callback(os.close, descriptor)
        completed = subprocess.run(
            [sys.executable, "-m", "newsletter", "resume"],
            cwd=project_folder,
            stderr=descriptors[1],
            check=False,
        )
    assert completed.returncode == 1
    assert recorder.kinds == ["blocked"]
    fake_sendgrid.inject_faults(blocked)
    assert newsletter("resume")[0] == 1
    assert recorder.kinds == ["blocked", "blocked"]
    assert newsletter("resume")[0] == 0
    assert recorder.kinds == ["blocked", "blocked"]


def test_send_without_events_is_told_by_the_next_due(
    newsletter: Cli, configure: Configure, recorder: NotifyRecorder, project_folder: Path
) -> None:
    configure(command=recorder.command)
    with (project_folder / "newsletter.yml").open("a") as file:
        file.write("sendgrid: {webhook_unsigned: true}\n")
    text = (project_folder / "newsletter.yml").read_text()
    text = text.replace("sendgrid:\n  read_timeout: 60\n", "")
    (project_folder / "newsletter.yml").write_text(text)
    assert newsletter("send", "--yes")[0] == 0
    assert newsletter(*DUE) == (0, "", "")
    with (
        database_engine("sqlite:///newsletter.db", project_folder) as engine,
        engine.begin() as connection,
    ):
        long_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=7)
        connection.execute(sa.update(send).values(finished_at=long_ago))
    for _ in range(2):
        assert newsletter(*DUE) == (0, "", "")
    assert recorder.kinds == ["no_events"]
