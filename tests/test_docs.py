"""Docs: every command works in order, every link has a target."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from static_host import StaticHost

from newsletter.sending.rehearsal import FakeSendGrid

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"
PAGES = [README, ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*?)(?:\s+# exits (\d))?$", re.MULTILINE)
SHELL = re.compile(r"[|&;<>$`*?~]")  # characters that need a shell
CODE = re.compile(r"^(`{3,})[^\n]*\n.*?^\1$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)(?:#[^)]*)?\)")

Cli = Callable[..., tuple[int, str, str]]

POST = """---
title: The first boat of the year
---
Hello {{ subscriber.name | default("friend") }},

the ice let go on Tuesday.
"""

FEED = """<rss version="2.0"><channel><title>Harbour Notes</title><item>
<title>Low tide</title><link>https://harbournotes.example/low-tide</link>
<pubDate>Fri, 20 Nov 2026 09:00:00 GMT</pubDate>
<description>&lt;p&gt;The boats lay on the sand, and nobody could say for how long they
would. So the whole village went down to look at them.&lt;/p&gt;</description>
</item><item>
<title>The fog</title><link>https://harbournotes.example/fog</link>
<pubDate>Fri, 13 Nov 2026 09:00:00 GMT</pubDate>
<description>&lt;p&gt;It came on Monday and stayed until noon on Friday, as it does each
November, and the ferry did not go.&lt;/p&gt;</description>
</item></channel></rss>
"""


def find_commands(page: Path) -> list[tuple[str, int]]:
    text = page.read_text()
    return [
        (match[1], int(match[2] or 0))
        for block in CONSOLE.findall(text)
        for match in COMMAND.finditer(block)
    ]


LAPTOP_PAGE = ROOT / "docs" / "how-to" / "send-without-a-server.md"
LAPTOP_SETTINGS = re.compile(r"^```yaml\n(name:.*?)^```$", re.MULTILINE | re.DOTALL)
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


def adapt_laptop_settings(host: StaticHost) -> str:
    """Return the settings that a page shows, with the host on this machine in place of theirs."""
    match = LAPTOP_SETTINGS.search(LAPTOP_PAGE.read_text())
    assert match
    settings = match[1].replace("https://harbour-notes.org/letters", host.url)
    command, count = re.subn(
        r"command: \[rsync.*\]", f'command: [cp, -R, "{{folder}}/.", "{host.folder}"]', settings
    )
    assert count == 1
    return command


@pytest.fixture
def fake_sendgrid(fake_sendgrid: FakeSendGrid) -> FakeSendGrid:
    fake_sendgrid.suppressions.groups[12345] = []
    return fake_sendgrid


@pytest.fixture
def work(
    tmp_path: Path,
    fake_sendgrid: FakeSendGrid,
    static_host: StaticHost,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A folder with the files that the pages assume."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "first-post.md").write_text(POST)
    (folder / "feed.xml").write_text(FEED)
    (folder / "with-image.md").write_text(f"{POST}\n![The quay in spring](quay.png)\n")
    (folder / "quay.png").write_bytes(PIXEL)
    (folder / "laptop.yml").write_text(adapt_laptop_settings(static_host))
    (folder / "readers.csv").write_text("email,name\nada@example.com,Ada\nbo@example.com,Bo\n")
    programs = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SENDGRID_API_KEY", fake_sendgrid.key)
    monkeypatch.setenv("SENDGRID_HOST", fake_sendgrid.url)
    monkeypatch.setenv("COLUMNS", "80")
    return folder


def run_in_shell(command: str) -> tuple[int, str, str]:
    completed = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    return completed.returncode, completed.stdout, completed.stderr


@pytest.mark.parametrize(
    "page",
    # Those two have tests of their own, which compare what the terminal shows, too.
    [page for page in PAGES if find_commands(page) and page not in {README, TUTORIAL}],
    ids=lambda page: page.name,
)
def test_commands_of_a_page_work_in_order(
    page: Path, work: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = work
    for command, code in find_commands(page):
        if command.startswith("cd "):
            folder = (folder / command[3:]).resolve()
            continue
        monkeypatch.chdir(folder)
        program, *args = shlex.split(command)
        # For speed most commands run in process.
        in_process = program == "newsletter" and not SHELL.search(command)
        exit_code, out, err = cli(*args) if in_process else run_in_shell(command)
        assert exit_code == code, f"{command}\n{out}{err}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_have_targets(page: Path) -> None:
    text = CODE.sub("", page.read_text())
    broken = [target for target in LINK.findall(text) if not (page.parent / target).exists()]
    assert broken == []


def test_command_reference_is_current() -> None:
    script = ROOT / "scripts" / "cli_reference.py"
    current = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    committed = (ROOT / "docs/reference/cli.md").read_text()
    assert committed == current.stdout, "run: make reference"
