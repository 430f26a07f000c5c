"""What was frozen goes out later: not to readers who got its article as another issue since."""

import datetime
import shutil
from pathlib import Path

import pytest
from ready_to_send import ISSUE, READERS, Cli, flatten

from newsletter.db import database_engine
from newsletter.errors import SendRefusedError
from newsletter.project import open_project
from newsletter.sending.planning.confirm import confirm_send
from newsletter.sending.planning.proposal import propose_send
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault
from newsletter.sending.rehearsal.fake_sendgrid.validation import ApiErrorEntry

COPY = "2026-12-02-thaw"
WORDS = (
    "The ice let go on Tuesday, a little after nine, with a sound like a door in another house. "
    "By noon the inner basin was open water, and the ferry, which had lain at the coal quay since "
    "January, sounded its horn three times for nobody in particular. "
)
REFUSAL = "100% of this article is in 2026-12-02-thaw of"


@pytest.fixture
def twice(newsletter: Cli, project_folder: Path) -> Cli:
    """The command line in a project that has one article under two names."""
    post = project_folder / "issues" / ISSUE / "post.md"
    post.write_text(f"---\ntitle: The ice\n---\n{WORDS}\n")
    shutil.copytree(post.parent, project_folder / "issues" / COPY)
    return newsletter


def refuse_everybody(fake_sendgrid: FakeSendGrid) -> None:
    """Refuse each reader by name, in the batches of a send to all of them."""
    for size in (10, 10, 5):
        fields = [f"personalizations.{index}.to.0.email" for index in range(size)]
        errors = tuple(ApiErrorEntry("Unsubscribed.", field) for field in fields)
        fake_sendgrid.inject_faults(InjectedFault(status=400, errors=errors))


@pytest.mark.parametrize("is_folder_kept", [True, False])
def test_catch_up(
    twice: Cli,
    fake_sendgrid: FakeSendGrid,
    project_folder: Path,
    is_folder_kept: bool,
) -> None:
    assert twice("send", "ice", "--yes")[0] == 0
    assert twice("subscribers", "add", "late@example.com", "--consent", "form")[0] == 0
    options = ("--segment", "email = late@example.com", "--yes")
    assert twice("send", "thaw", *options)[0] == 0
    if not is_folder_kept:
        shutil.rmtree(project_folder / "issues" / ISSUE)
    command = ("send", "ice", "--catch-up")
    share = "100%" if is_folder_kept else "9"
    for option in ("--dry-run", "--yes"):
        _, out, err = twice(*command, option)
        text = flatten(out + err)
        assert share in text
        assert "of this article is in 2026-12-02-thaw of" in text
        assert "which 1 of these readers have or will get" in text
    assert len(fake_sendgrid.accepted) == READERS + 1
    assert twice(*command, "--yes", "--repeat-article")[0] == 0
    assert len(fake_sendgrid.accepted) == READERS + 2


def test_recalled_send_at_another_time(twice: Cli, fake_sendgrid: FakeSendGrid) -> None:
    time = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=5)
    at = ("--at", time.isoformat(timespec="minutes"), "--hold-at-sendgrid")
    assert twice("send", "ice", "--yes", *at)[0] == 0
    assert twice("cancel", "ice")[0] == 0
    assert twice("send", "thaw", "--yes")[0] == 0
    handed_over = len(fake_sendgrid.accepted)
    code, _, err = twice("reschedule", "ice", "--now", "--yes")
    assert (code, REFUSAL in flatten(err)) == (1, True)
    assert len(fake_sendgrid.accepted) == handed_over
    assert twice("reschedule", "ice", "--now", "--yes", "--repeat-article")[0] == 0


def test_retry(twice: Cli, fake_sendgrid: FakeSendGrid) -> None:
    refuse_everybody(fake_sendgrid)
    assert twice("send", "ice", "--yes", "--concurrency", "1")[0] == 1
    assert twice("send", "thaw", "--yes")[0] == 0
    assert len(fake_sendgrid.accepted) == READERS
    code, _, err = twice("retry", "ice", "--yes")
    assert (code, REFUSAL in flatten(err)) == (1, True)
    assert len(fake_sendgrid.accepted) == READERS
    assert twice("retry", "ice", "--yes", "--repeat-article")[0] == 0
    assert len(fake_sendgrid.accepted) == 2 * READERS


def test_retry_when_nobody_got_it(twice: Cli, fake_sendgrid: FakeSendGrid) -> None:
    refuse_everybody(fake_sendgrid)
    assert twice("send", "ice", "--yes", "--concurrency", "1")[0] == 1
    assert twice("retry", "ice", "--yes")[0] == 0
    assert len(fake_sendgrid.accepted) == READERS


def test_another_command_sends_it_while_the_count_is_typed(twice: Cli) -> None:
    project = open_project()
    with database_engine(project.config.database, project.root, project.config.id) as engine:
        proposal = propose_send(project, project.issues_dir / ISSUE, engine)
        assert proposal.problems == ()
        assert twice("send", "thaw", "--yes")[0] == 0
        with pytest.raises(SendRefusedError, match="100% of this article is in 2026-12-02-thaw"):
            confirm_send(proposal)
