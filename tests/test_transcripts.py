"""The tutorial and the README, word for word: files, commands, what the terminal shows."""

import os
import re
import signal
import sys
from pathlib import Path

import pytest
import urllib3
from terminal import parse_examples, run_example

from newsletter.sending.rehearsal import FakeSendGrid

ROOT = Path(__file__).parent.parent
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()
README = (ROOT / "README.md").read_text()
# Fenced blocks, each with the name of the file that its text is to be saved as, if any.
BLOCK = re.compile(
    r"(?:^Save this as `(?P<file>[^`]+)`[^\n]*:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
EXPORT = re.compile(r"export (?P<name>\w+)=(?P<value>.*)")
PREVIEW_URL = re.compile(r"http://127\.0\.0\.1:\d+/\S*")
ADDRESSES = ["ada@example.com", "bo@example.com"]


@pytest.fixture
def fake_sendgrid(fake_sendgrid: FakeSendGrid) -> FakeSendGrid:
    fake_sendgrid.suppressions.groups[12345] = []
    return fake_sendgrid


@pytest.fixture
def environment(tmp_path: Path, fake_sendgrid: FakeSendGrid, cache_folder: Path) -> dict[str, str]:
    """The environment of a newcomer, with SendGrid replaced."""
    return {
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "NO_COLOR": "1",
        "XDG_CACHE_HOME": str(cache_folder),
        "BROWSER": "true",
        "SENDGRID_HOST": fake_sendgrid.url,
    }


def open_preview(output: str) -> None:
    """Open the page that the preview has printed, as the browser would."""
    found = PREVIEW_URL.search(output)
    assert found, output
    response = urllib3.request("GET", found[0], timeout=60)
    assert (response.status, b"<iframe" in response.data) == (200, True)


def run_console_block(block: str, folder: Path, environment: dict[str, str], key: str) -> Path:
    """Run a block's commands, compare what they show; return the folder after the last one."""
    for example in parse_examples(block):
        command = example.command
        if command.startswith("cd "):
            folder = (folder / command[3:]).resolve(strict=True)
        elif variable := EXPORT.fullmatch(command):
            assert variable["value"].startswith("SG.…")
            environment[variable["name"]] = key
        else:
            code, output = run_example(example, folder, environment, open_preview)
            expected = -signal.SIGINT if example.is_interrupted else 0
            assert example.matches(output), f"$ {command}\n{output}"
            assert code == expected, f"$ {command}\n{output}"
    return folder


def test_tutorial_works_word_for_word(
    tmp_path: Path, fake_sendgrid: FakeSendGrid, environment: dict[str, str]
) -> None:
    folder = tmp_path
    for block in BLOCK.finditer(TUTORIAL):
        if block["file"]:
            (folder / block["file"]).write_text(block["text"])
        else:
            assert block["kind"] == "console", f"a block that nobody runs: {block[0]}"
            folder = run_console_block(block["text"], folder, environment, fake_sendgrid.key)
    assert [email.address for email in fake_sendgrid.accepted] == ["you@example.com", *ADDRESSES]


def test_readme_shows_what_the_terminal_shows(
    tmp_path: Path, fake_sendgrid: FakeSendGrid, environment: dict[str, str]
) -> None:
    for block in BLOCK.finditer(TUTORIAL):
        if block["file"]:
            (tmp_path / block["file"]).write_text(block["text"])
    [transcript] = [block["text"] for block in BLOCK.finditer(README) if block["kind"] == "console"]
    run_console_block(transcript, tmp_path, environment, fake_sendgrid.key)
    assert fake_sendgrid.accepted == []
