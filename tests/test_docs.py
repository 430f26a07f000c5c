"""Every command that README and docs show is run, in order, in a folder of its own."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from newsletter.sending.rehearsal import FakeSendGrid

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*?)(?:\s+# exits (\d))?$", re.MULTILINE)
SHELL = re.compile(r"[|&;<>$`*?~]")  # what only a shell understands
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)(?:#[^)]*)?\)")

Cli = Callable[..., tuple[int, str, str]]

POST = """---
title: The first boat of the year
---
Hello {{ subscriber.name | default("friend") }},

the ice let go on Tuesday.
"""


def commands(page: Path) -> list[tuple[str, int]]:
    text = page.read_text()
    return [
        (found[1], int(found[2] or 0))
        for block in CONSOLE.findall(text)
        for found in COMMAND.finditer(block)
    ]


@pytest.fixture
def vendor() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as double:
        yield double


@pytest.fixture
def work(tmp_path: Path, vendor: FakeSendGrid, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds what the pages take for granted."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "first-post.md").write_text(POST)
    (folder / "readers.csv").write_text("email,name\nada@example.com,Ada\nbo@example.com,Bo\n")
    programs = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SENDGRID_API_KEY", vendor.key)
    monkeypatch.setenv("SENDGRID_HOST", vendor.url)
    monkeypatch.setenv("COLUMNS", "80")
    return folder


def run_in_shell(command: str) -> tuple[int, str, str]:
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "page", [page for page in PAGES if commands(page)], ids=lambda page: page.name
)
def test_the_commands_of_a_page_work_in_order(
    page: Path, work: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = work
    for command, code in commands(page):
        if command.startswith("cd "):
            folder = (folder / command[3:]).resolve()
            continue
        monkeypatch.chdir(folder)
        program, *args = shlex.split(command)
        # A process for each would take most of the time; what a reader tries first has one.
        in_process = program == "newsletter" and not SHELL.search(command) and page != README
        exit_code, out, err = cli(*args) if in_process else run_in_shell(command)
        assert exit_code == code, f"{command}\n{out}{err}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    broken = [
        target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_command_reference_is_the_help_of_today() -> None:
    script = ROOT / "scripts" / "cli_reference.py"
    today = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    committed = (ROOT / "docs/reference/cli.md").read_text()
    assert committed == today.stdout, "run: make reference"
