"""``newsletter doctor`` shows who is notified, and can try it."""

import sys
from pathlib import Path

import pytest
from notify_recorder import NotifyRecorder
from ready_to_send import Cli
from sending_fixtures import configured

from newsletter.project import Project
from newsletter.sending.doctor.notify_setting import check_notify_setting
from newsletter.sending.rehearsal import FakeSendGrid

PYTHON = sys.executable


@pytest.mark.parametrize(
    ("settings", "state", "says"),
    [
        ({}, "ok", "nobody is notified about sends: notify is not set"),
        ({"email": "ada@x.org"}, "warn", "notifications go to ada@x.org, by SendGrid alone"),
        ({"email": "ada@x.org", "on": ["finished"]}, "ok", "you are notified by ada@x.org"),
        ({"email": "ada@x.org", "command": PYTHON}, "ok", f"by {PYTHON} and ada@x.org"),
        ({"command": "no-such-program"}, "warn", "was not found: no-such-program"),
        ({"command": "./notify"}, "ok", "you are notified by ./notify"),
        ({"command": "./README"}, "warn", "was not found: ./README"),
        ({"command": "sh -c true"}, "ok", "you are notified by sh"),
    ],
)
def test_setting_is_shown(
    tmp_path: Path, settings: dict[str, object], state: str, says: str
) -> None:
    (tmp_path / "notify").touch(0o755)
    (tmp_path / "README").touch(0o644)
    [check] = check_notify_setting(Project(tmp_path, configured(notify=settings)))
    assert (check.about, check.state) == ("notify", state)
    assert says in check.says
    assert bool(check.next_step) is (state == "warn")


def test_trial_reports_each_channel(
    newsletter: Cli, recorder: NotifyRecorder, project_folder: Path, fake_sendgrid: FakeSendGrid
) -> None:
    code, out, _ = newsletter("doctor", "--notify")
    assert (code, "fail  notify: nobody is notified about sends" in out) == (1, True)
    with (project_folder / "newsletter.yml").open("a") as file:
        file.write(f"notify: {{command: {recorder.command}, email: ada@harbour-notes.org}}\n")
    code, out, _ = newsletter("doctor", "--notify")
    assert code == 0
    assert "a test notification was sent by notify.command" in out
    assert "a test notification was sent by email" in out
    assert recorder.kinds == ["test"]
    assert [recipient.address for recipient in fake_sendgrid.accepted] == ["ada@harbour-notes.org"]
    recorder.exit_with(3)
    code, out, _ = newsletter("doctor", "--notify")
    assert code == 1
    assert "no notification was sent by notify.command" in " ".join(out.split())
    assert newsletter("doctor")[0] == 0
    assert recorder.kinds == ["test", "test"]
