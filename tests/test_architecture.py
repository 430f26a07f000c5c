"""The architecture page: its file tree is current, the files it names exist."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "explanation" / "architecture.md"
ROW = re.compile(
    r"^\| (?P<what>[^|]+) \| (?P<where>[^|]*`(?:newsletter|templates)/[^|]*) \|$", re.MULTILINE
)
PATH = re.compile(r"`((?:newsletter|templates)/[^`]*)`")


def test_files_named_in_the_table_exist() -> None:
    rows = [*ROW.finditer(PAGE.read_text())]
    assert len(rows) >= 30
    missing = {
        path for row in rows for path in PATH.findall(row["where"]) if not (ROOT / path).exists()
    }
    assert not missing


def test_file_tree_is_current() -> None:
    script = ROOT / "scripts" / "architecture_tree.py"
    current = subprocess.run(
        [sys.executable, script, "--print"], capture_output=True, text=True, check=True
    ).stdout
    assert current in PAGE.read_text(), "run: make reference"
