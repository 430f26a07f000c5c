"""The architecture page: its file tree is current, the files it names exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "explanation" / "architecture.md"
ROW = re.compile(
    r"^\| (?P<what>[^|]+) \| (?P<where>[^|]*`(?:newsletter|templates)/[^|]*) \|$", re.MULTILINE
)
LONGEST_PURPOSE = 72
PATH = re.compile(r"`((?:newsletter|templates)/[^`]*)`")


def test_files_named_in_the_table_exist() -> None:
    rows = [*ROW.finditer(PAGE.read_text())]
    assert len(rows) >= 30
    missing = {
        path for row in rows for path in PATH.findall(row["where"]) if not (ROOT / path).exists()
    }
    assert not missing


@pytest.fixture(scope="module")
def tree() -> str:
    script = ROOT / "scripts" / "architecture_tree.py"
    return subprocess.run(
        [sys.executable, script, "--print"], capture_output=True, text=True, check=True
    ).stdout


def test_file_tree_is_current(tree: str) -> None:
    assert tree in PAGE.read_text(), "run: make reference"


def test_each_purpose_is_a_few_words(tree: str) -> None:
    entries = [re.split(r"  +", line.strip(), maxsplit=1) for line in tree.splitlines()]
    assert [entry for entry in entries if len(entry) == 1] == []
    assert [entry for entry in entries if len(entry[-1]) > LONGEST_PURPOSE] == []
