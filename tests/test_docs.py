"""Every command that README and docs show is run, in order, in a folder of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.sending.rehearsal import SendGridDouble

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*?)(?:\s+# exits (\d))?$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)(?:#[^)]*)?\)")

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
def vendor() -> Iterator[SendGridDouble]:
    with SendGridDouble() as double:
        yield double


@pytest.mark.parametrize(
    "page", [page for page in PAGES if commands(page)], ids=lambda page: page.name
)
def test_the_commands_of_a_page_work_in_order(
    page: Path, tmp_path: Path, vendor: SendGridDouble
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "first-post.md").write_text(POST)
    (work / "readers.csv").write_text("email,name\nada@example.com,Ada\nbo@example.com,Bo\n")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "SENDGRID_API_KEY": vendor.key,
        "SENDGRID_HOST": vendor.url,
        "COLUMNS": "80",
    }
    folder = work
    for command, code in commands(page):
        if command.startswith("cd "):
            folder = (folder / command[3:]).resolve()
            continue
        run = subprocess.run(
            ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert run.returncode == code, f"{command}\n{run.stdout}{run.stderr}"


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
