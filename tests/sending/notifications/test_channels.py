"""The command and the email of a notification: what they get, and how they fail."""

import fcntl
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from notify_recorder import NotifyRecorder
from sending_fixtures import configured

from newsletter.project import Project
from newsletter.sending.notifications.channels import ChannelResult, send_notification
from newsletter.sending.notifications.notification import Notification
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults

TITLE = "Sent: '\"`$(touch x);|& \\ -- (Harbour Notes)"
NOTIFICATION = Notification(
    "finished", "Harbour Notes", TITLE, ("Sent to 3 of 3 readers.",), {"See": "newsletter report"}
)
BY_COMMAND, BY_EMAIL = "by notify.command", "by email"


def tell(
    tmp_path: Path, timeout: float = 60.0, sendgrid: dict[str, Any] | None = None, **settings: Any
) -> list[ChannelResult]:
    project = Project(tmp_path, configured(notify=settings, sendgrid=sendgrid or {}))
    return send_notification(project, NOTIFICATION, os.environ, timeout)


def run_python(tmp_path: Path, code: str, timeout: float = 60.0) -> str:
    [(channel, failure)] = tell(tmp_path, timeout, command=[sys.executable, "-c", code])
    assert channel == BY_COMMAND
    return failure


def test_nothing_is_sent_if_nothing_is_set(tmp_path: Path) -> None:
    assert tell(tmp_path) == []


def test_command_gets_the_line_as_one_argument_and_the_whole_as_json(
    tmp_path: Path, recorder: NotifyRecorder
) -> None:
    command = [*recorder.command, "{folder}", "$HOME", "*"]
    assert tell(tmp_path, command=command) == [(BY_COMMAND, "")]
    [call] = recorder.calls
    assert call.arguments == ["{folder}", "$HOME", "*", TITLE]
    assert call.data == NOTIFICATION.as_data()
    assert call.folder == str(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["recorder"]


def test_command_written_as_text_is_split_but_not_expanded(
    tmp_path: Path, recorder: NotifyRecorder
) -> None:
    words = " ".join(f"'{word}'" for word in recorder.command)
    assert tell(tmp_path, command=f"{words} 'two words' $HOME;x") == [(BY_COMMAND, "")]
    assert recorder.calls[0].arguments == ["two words", "$HOME;x", TITLE]


def test_command_has_no_secret_of_ours(
    tmp_path: Path, recorder: NotifyRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {"SENDGRID_API_KEY", "NEWSLETTER_DATABASE", "NEWSLETTER_FEED", "PGPASSWORD"}
    for name in (*secrets, "NTFY_TOKEN"):
        monkeypatch.setenv(name, "x")
    tell(tmp_path, command=recorder.command)
    [call] = recorder.calls
    assert secrets.isdisjoint(call.variables)
    assert {"NTFY_TOKEN", "PATH"} <= set(call.variables)


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("raise SystemExit(3)", f"{sys.executable} failed with exit code 3"),
        (
            "import sys; print('a\\nb@c.org \\x1b[2Jdenied', file=sys.stderr); sys.exit(4)",
            f"{sys.executable} failed with exit code 4: … [2Jdenied",
        ),
        ("import os; os.kill(os.getpid(), 9)", f"{sys.executable} was ended by signal 9"),
        ("pass", ""),
        ("import os; os.close(0); print('x' * 1000000)", ""),
        (
            "import sys; print('x\\n' * 1000000, 'why', file=sys.stderr); sys.exit(5)",
            f"{sys.executable} failed with exit code 5: why",
        ),
    ],
)
def test_failing_command_is_described(tmp_path: Path, code: str, failure: str) -> None:
    assert run_python(tmp_path, code) == failure


def test_missing_program_is_described(tmp_path: Path) -> None:
    [(_, failure)] = tell(tmp_path, command=["no-such-program"])
    assert failure == "no-such-program can't be started: No such file or directory"


CHILD = """
import fcntl, pathlib, signal
lock = open({lock!r}, "w")
fcntl.flock(lock, fcntl.LOCK_EX)
signal.signal(signal.SIGALRM, lambda *_: pathlib.Path({survived!r}).touch())
signal.alarm(60)
signal.pause()
"""


def test_hanging_command_is_killed_with_its_children(tmp_path: Path) -> None:
    lock, survived = tmp_path / "lock", tmp_path / "survived"
    child = CHILD.format(lock=str(lock), survived=str(survived))
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert "did not end within 3 s" in run_python(tmp_path, code, timeout=3.0)
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # free once the child is dead
    assert not survived.exists()


def test_program_left_in_the_background_is_not_waited_for(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import sys; "
        "sys.stdin.read(1); import signal; signal.alarm(20); signal.pause()'])"
    )
    assert run_python(tmp_path, code, timeout=15.0) == ""


def test_output_without_end_is_not_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    # The largest file that the command may write; a pipe has no such limit. It ends at once, since
    # a measurement of coverage would write a file.
    code = (
        "import os, resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));\n"
        "for _ in range(100): os.write(2, b'x' * 4096)\n"
        "os.write(2, b'\\nat its end'); os._exit(3)"
    )
    assert run_python(tmp_path, code) == f"{sys.executable} failed with exit code 3: at its end"


def test_each_address_gets_a_plain_email_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeSendGrid() as double:
        monkeypatch.setenv("SENDGRID_API_KEY", double.key)
        sendgrid = {"host": double.url, "asm_group": 12345, "categories": ["issues"]}
        addresses = ["ada@example.org", "bo@bücher.example"]
        assert tell(tmp_path, sendgrid=sendgrid, email=addresses) == [(BY_EMAIL, "")]
    assert sorted(recipient.address for recipient in double.accepted) == [
        "ada@example.org",
        "bo@xn--bcher-kva.example",
    ]
    for request in double.requests:
        body = json.loads(request.body)
        assert body["subject"] == TITLE
        assert body["content"] == [{"type": "text/plain", "value": NOTIFICATION.text}]
        assert body["from"] == {"email": "editor@harbour-notes.org", "name": "Harbour Notes"}
        assert body["headers"] == {"Auto-Submitted": "auto-generated"}
        assert len(body["personalizations"]) == 1
        tracking = body["tracking_settings"].values()
        assert [options["enable"] for options in tracking] == [False] * 4
        assert {"asm", "categories", "mail_settings"}.isdisjoint(body)


def test_sandbox_mode_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeSendGrid() as double:
        monkeypatch.setenv("SENDGRID_API_KEY", double.key)
        sendgrid = {"host": double.url, "sandbox": True}
        assert tell(tmp_path, sendgrid=sendgrid, email="ada@example.org") == [(BY_EMAIL, "")]
    assert double.accepted == []
    assert json.loads(double.requests[0].body)["mail_settings"]["sandbox_mode"]["enable"] is True


def test_refused_email_does_not_keep_the_others_from_being_told(
    tmp_path: Path, recorder: NotifyRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeSendGrid() as double:
        monkeypatch.setenv("SENDGRID_API_KEY", double.key)
        double.inject_faults(faults.error_response(403, "the sender is not verified"))
        results = tell(
            tmp_path,
            sendgrid={"host": double.url},
            email=["ada@example.org", "bo@example.org"],
            command=recorder.command,
        )
    assert results == [(BY_COMMAND, ""), (BY_EMAIL, "SendGrid: the sender is not verified")]
    assert [recipient.address for recipient in double.accepted] == ["bo@example.org"]


def test_email_without_a_key_or_a_server_fails_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SENDGRID_API_KEY", raising=False)
    [(_, failure)] = tell(tmp_path, email="ada@example.org")
    assert failure.startswith("no API key: SENDGRID_API_KEY is not set")
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.x")
    sendgrid = {"host": "http://127.0.0.1:1"}
    [(_, failure)] = tell(tmp_path, sendgrid=sendgrid, email="ada@example.org")
    assert failure == "connection refused"
