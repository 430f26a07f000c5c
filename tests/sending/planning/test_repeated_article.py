"""The same article under another name: found by its words, if readers overlap."""

import shutil
from pathlib import Path

import pytest
from ready_to_send import READERS, Cli

from newsletter.sending.planning.repeated_article import get_shingles
from newsletter.sending.rehearsal import FakeSendGrid

WORDS = (
    "The ice let go on Tuesday, a little after nine, with a sound like a door in another house. "
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
    ],
)
def test_share_of_the_article_decides(
    newsletter: Cli,
    folder: Path,
    body: str,
    title: str,
    is_refused: bool,  # noqa: FBT001
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


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("one two three four", 0),
        ("one two three four five", 1),
        ("one two three four five six", 2),
        ("One, TWO; three: four (five)!", 1),
        ("one two https://example.com/a/b/c/d three four", 0),
        ("今日は良い天気", 3),
        ("one two three four five one two three four five", 5),
    ],
)
def test_shingles_are_runs_of_five_words(text: str, count: int) -> None:
    assert len(get_shingles(text)) == count
