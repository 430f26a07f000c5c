"""The same article under another name: found by its words, if readers overlap."""

import datetime
import shutil
import unicodedata
from pathlib import Path

import pytest
import sqlalchemy as sa
from ready_to_send import READERS, Cli

from newsletter.db import database_engine
from newsletter.db.schema import batch, send
from newsletter.sending.rehearsal import FakeSendGrid

WORDS = (
    "The ice let go on Tuesdäy, a little after nine, with a sound like a door in another house. "
    "By noon the inner basin was open water, and the ferry, which had lain at the coal quay since "
    "January, sounded its horn three times for nobody in particular. "
)
OTHER_WORDS = (
    "Nobody in the harbour can say who first painted the bollards yellow, but everybody has an "
    "opinion about it, and on Fridays the opinions are exchanged beside the fish van at length. "
)


def write_post(folder: Path, name: str, body: str, title: str = "The ice") -> None:
    (folder / "issues" / name).mkdir(parents=True, exist_ok=True)
    (folder / "issues" / name / "post.md").write_text(f"---\ntitle: {title}\n---\n{body}\n")


@pytest.fixture
def folder(newsletter: Cli, project_folder: Path) -> Path:
    """A project whose first issue was sent."""
    write_post(project_folder, "2026-12-01-the-ice", WORDS)
    assert newsletter("send", "ice", "--yes")[0] == 0
    return project_folder


@pytest.mark.parametrize("command", [("send", "--yes"), ("send", "--dry-run"), ("plan",)])
def test_renamed_issue_is_refused_with_share_and_readers(
    newsletter: Cli, folder: Path, fake_sendgrid: FakeSendGrid, command: tuple[str, ...]
) -> None:
    shutil.move(folder / "issues/2026-12-01-the-ice", folder / "issues/2026-12-08-open-water")
    code, out, err = newsletter(*command, "open-water")
    text = " ".join((out + err).split())
    assert "100% of this article is in 2026-12-01-the-ice of " in text
    assert "which 25 of these readers have or will get" in text
    assert "add --repeat-article" in text
    assert code == (0 if "--dry-run" in command else 1)
    assert len(fake_sendgrid.accepted) == READERS


def test_flag_of_its_own_sends_it_again(
    newsletter: Cli, folder: Path, fake_sendgrid: FakeSendGrid
) -> None:
    write_post(folder, "2026-12-08-open-water", WORDS)
    assert newsletter("send", "open-water", "--yes", "--repeat-article")[0] == 0
    assert len(fake_sendgrid.accepted) == 2 * READERS


@pytest.mark.parametrize(
    ("body", "title", "is_refused"),
    [
        (WORDS, "Another title", True),
        (WORDS.upper().replace(",", " —"), "Upper case", True),
        (f"{WORDS} {OTHER_WORDS[:60]}", "A sentence more", True),
        (f"{WORDS}\n\n{OTHER_WORDS}", "Twice as long", False),
        (OTHER_WORDS, "The ice", False),
        ("Dear readers, there is no issue this week.", "The ice", False),
        (unicodedata.normalize("NFD", WORDS), "The ice", True),
        ("The ice let go on Tuesdäy.", "The ice", False),
    ],
)
def test_share_of_the_article_decides(
    newsletter: Cli,
    folder: Path,
    body: str,
    title: str,
    is_refused: bool,
) -> None:
    write_post(folder, "2026-12-08-next", body, title)
    code, _, err = newsletter("plan", "next")
    assert ("of this article is in" in err, code) == (is_refused, int(is_refused))


def test_readers_who_lack_it_may_get_it(newsletter: Cli, folder: Path) -> None:
    write_post(folder, "2026-12-08-next", WORDS)
    newsletter("subscribers", "add", "late@example.com", "--consent", "form")
    newsletter("subscribers", "tag", "late", "--address", "late@example.com")
    assert newsletter("plan", "next", "--segment", "tag:late")[0] == 0


def test_planned_issue_counts_and_a_cancelled_one_does_not(
    newsletter: Cli, project_folder: Path
) -> None:
    write_post(project_folder, "2026-12-01-the-ice", WORDS)
    write_post(project_folder, "2026-12-08-next", WORDS)
    assert newsletter("plan", "ice")[0] == 0
    assert newsletter("plan", "next")[0] == 1
    newsletter("cancel", "ice")
    assert newsletter("plan", "next")[0] == 0


def change_send(folder: Path, *, state: str = "", at: datetime.datetime | None = None) -> None:
    """Set the state of all batches, or the time of all sends."""
    with (
        database_engine("sqlite:///newsletter.db", folder) as engine,
        engine.begin() as connection,
    ):
        if state:
            connection.execute(sa.update(send).values(state="cancelled"))
            connection.execute(sa.update(batch).values(state=state))
        if at:
            connection.execute(sa.update(send).values(scheduled_at=at))


@pytest.mark.parametrize(("state", "is_refused"), [("in_flight", True), ("ready", False)])
def test_of_a_cancelled_send_only_requests_in_flight_count(
    newsletter: Cli,
    project_folder: Path,
    state: str,
    is_refused: bool,
) -> None:
    write_post(project_folder, "2026-12-01-the-ice", WORDS)
    write_post(project_folder, "2026-12-08-next", WORDS)
    assert newsletter("plan", "ice")[0] == 0
    change_send(project_folder, state=state)
    assert newsletter("plan", "next")[0] == int(is_refused)


@pytest.mark.parametrize(("minutes", "is_refused"), [(9, True), (60, False)])
def test_send_that_was_recalled_in_time_does_not_count(
    newsletter: Cli,
    project_folder: Path,
    minutes: int,
    is_refused: bool,
) -> None:
    write_post(project_folder, "2026-12-01-the-ice", WORDS)
    write_post(project_folder, "2026-12-08-next", WORDS)
    now = datetime.datetime.now(datetime.UTC)
    at = (now + datetime.timedelta(hours=5)).isoformat(timespec="minutes")
    assert newsletter("send", "ice", "--yes", "--at", at, "--hold-at-sendgrid")[0] == 0
    assert newsletter("plan", "next")[0] == 1
    change_send(project_folder, at=now + datetime.timedelta(minutes=minutes))
    assert newsletter("cancel", "ice")[0] == int(is_refused)
    assert newsletter("plan", "next")[0] == int(is_refused)


def test_check_warns_before_the_send(newsletter: Cli, folder: Path) -> None:
    write_post(folder, "2026-12-08-next", WORDS, "Open water")
    code, out, _ = newsletter("check", "next")
    assert code == 0
    assert "repeated-article" in out
    assert "100% of the article is in 2026-12-01-the-ice of " in " ".join(out.split())
    assert "repeated-article" not in newsletter("check", "ice")[1]
