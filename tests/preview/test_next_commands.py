"""The next command to copy fits the state of the issue; the page can't run it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from preview_server import PreviewClient

from newsletter.cli.main import COMMANDS
from newsletter.preview.next_commands import iter_phase_commands
from newsletter.sending.ledger.send_phase import SEND_PHASE_LABELS

Cli = Callable[..., tuple[int, str, str]]


def get_commands(served: PreviewClient) -> list[str]:
    return [entry["command"] for entry in served.data("next")]


def test_commands_follow_the_send(served: PreviewClient, cli: Cli, tmp_path: Path) -> None:
    assert get_commands(served) == [
        "newsletter send first-boat --dry-run",
        "newsletter send first-boat",
        "newsletter send first-boat --at 'Tue 09:00'",
    ]
    settings = served.workspace.project.root / "newsletter.yml"
    text = settings.read_text().replace("harbournotes.example", "harbour-notes.org")
    settings.write_text(f"{text}public_url: https://news.harbour-notes.org\n")
    (tmp_path / "readers.csv").write_text("email\nada@example.com\n")
    assert cli("subscribers", "import", tmp_path / "readers.csv")[0] == 0
    assert cli("plan", "first-boat")[0] == 0
    served.data("issues")
    assert get_commands(served)[-1] == "newsletter cancel first-boat"


def test_draft_is_checked_and_not_sent(served: PreviewClient, boat_issue: Path) -> None:
    with served.stream() as states:
        next(states)
        (boat_issue / "post.md").write_text("---\ntitle: Boat\ndraft: true\n---\nWords.\n")
        next(states)
    assert get_commands(served) == ["newsletter check first-boat"]


def test_name_is_whole_if_another_issue_has_its_slug(
    served: PreviewClient, boat_issue: Path
) -> None:
    boat_issue.with_name("2026-11-25-first-boat-again").mkdir()
    assert get_commands(served)[0] == "newsletter send 2026-11-24-first-boat --dry-run"


@pytest.mark.parametrize("phase", ["", *SEND_PHASE_LABELS])
def test_every_phase_has_commands_that_exist(phase: str) -> None:
    commands = [command for _, command in iter_phase_commands(phase, "boat", is_draft=False)]
    assert commands
    assert {command.split()[0] for command in commands} <= COMMANDS.keys()
    assert all("boat" in command for command in commands)
