"""``newsletter send`` with ``tracking: ask``: what is shown is what is requested."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ready_to_send import BASIC_SETTINGS, Cli, PrepareProject

from newsletter.sending.rehearsal import FakeSendGrid

SETTINGS = f"""\
{BASIC_SETTINGS}tracking: {{opens: ask, clicks: off}}
limits: {{batch_size: 2}}
"""
READERS = """\
email,opens_consent
ada@example.com,yes
bo@example.com,no
cy@example.com,
di@example.com,yes
ed@example.com,yes
"""


@pytest.fixture
def newsletter(prepare_project: PrepareProject) -> Cli:
    """Return the command line in a project with one issue and five readers; three have agreed."""
    return prepare_project(SETTINGS, "2026-12-01-ice", "# Ice\n\nIt let go.\n", READERS)


def count_tracked(bodies: list[bytes]) -> Counter[tuple[bool, int]]:
    """Return how many requests there are, by whether opens are tracked and by recipients."""
    requests: list[Any] = [json.loads(body) for body in bodies]
    return Counter(
        (
            request["tracking_settings"]["open_tracking"]["enable"],
            len(request["personalizations"]),
        )
        for request in requests
    )


def test_dry_run_shows_the_split_of_the_send(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    code, out, _ = newsletter("send", "ice", "--dry-run")
    assert code == 0
    assert "opens of 3 of 5 readers who agreed, in 2 requests" in out
    assert "5 readers in 3 requests" in out
    file = project_folder / "build" / "2026-12-01-ice" / "dry-run" / "requests.jsonl"
    dry_run = count_tracked(file.read_bytes().splitlines())
    data = json.loads(newsletter("send", "ice", "--dry-run", "--json")[1])
    assert data["tracked"] == {"opens": 2, "clicks": 0}
    code, out, _ = newsletter("send", "ice", typed="5\n")
    assert code == 0
    assert "opens of 3 of 5 readers who agreed" in out
    assert "5 readers in 3 requests" in out
    sent = count_tracked([request.body for request in fake_sendgrid.requests])
    assert dry_run == sent == {(True, 2): 1, (True, 1): 1, (False, 2): 1}


@pytest.mark.parametrize("planned_as", ["off", "all"])
@pytest.mark.parametrize(
    ("refuses", "count", "requests"),
    [
        # Readers 1, 4 and 5 have agreed; the batches are 1 and 2, 3 and 4, 5.
        (False, 1, {(True, 1): 1, (False, 2): 2}),
        (True, 0, {(False, 1): 1, (False, 2): 2}),
    ],
)
def test_plan_of_before_readers_were_asked_is_shown_as_it_is_sent(
    newsletter: Cli,
    fake_sendgrid: FakeSendGrid,
    project_folder: Path,
    planned_as: str,
    count: int,
    requests: dict[tuple[bool, int], int],
    *,
    refuses: bool,
) -> None:
    settings = project_folder / "newsletter.yml"
    settings.write_text(SETTINGS.replace("opens: ask", f"opens: {planned_as}"))
    assert newsletter("plan", "ice")[0] == 0
    settings.write_text(SETTINGS)
    if refuses:
        (project_folder / "readers.csv").write_text("email,opens_consent\ned@example.com,no\n")
        assert newsletter("subscribers", "import", "readers.csv")[0] == 0
    code, out, _ = newsletter("send", "ice", "--dry-run")
    assert code == 0
    assert f"opens of {count} of 5 readers where the whole request agreed" in out
    file = project_folder / "build" / "2026-12-01-ice" / "dry-run" / "requests.jsonl"
    dry_run = count_tracked(file.read_bytes().splitlines())
    assert sum(size * number for (tracked, size), number in dry_run.items() if tracked) == count
    code, out, _ = newsletter("send", "ice", typed="5\n")
    assert code == 0
    assert f"opens of {count} of 5 readers where the whole request agreed" in out
    sent = count_tracked([request.body for request in fake_sendgrid.requests])
    assert sent == requests


def test_plan_is_shown_as_it_is_sent_after_a_refusal(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    assert newsletter("plan", "ice")[0] == 0
    # Planned as 1 and 4, 5, 2 and 3: reader 4 takes reader 1 along.
    (project_folder / "readers.csv").write_text("email,opens_consent\ndi@example.com,no\n")
    assert newsletter("subscribers", "import", "readers.csv")[0] == 0
    code, out, _ = newsletter("send", "ice", typed="5\n")
    assert code == 0
    assert "opens of 1 of 5 readers where the whole request agreed" in out
    sent = count_tracked([request.body for request in fake_sendgrid.requests])
    assert sent == {(True, 1): 1, (False, 2): 2}


def test_reader_is_shown_with_the_answer(newsletter: Cli) -> None:
    code, out, _ = newsletter("subscribers", "show", "ada@example.com")
    assert code == 0
    assert "opens allowed" in out
    assert "opens allowed" in newsletter("subscribers", "explain", "ada@example.com")[1]
    assert "opens refused" in newsletter("subscribers", "show", "bo@example.com")[1]
    assert "tracking" not in newsletter("subscribers", "show", "cy@example.com")[1]
    data = json.loads(newsletter("subscribers", "show", "bo@example.com", "--json")[1])
    assert (data["opens_consent"], data["clicks_consent"]) == (False, None)


def test_readers_own_refusal_is_not_taken_back_by_an_import(
    newsletter: Cli, project_folder: Path
) -> None:
    (project_folder / "readers.csv").write_text("email,opens_consent\nbo@example.com,yes\n")
    assert newsletter("subscribers", "import", "readers.csv")[0] == 0
    assert "opens refused" in newsletter("subscribers", "show", "bo@example.com")[1]
