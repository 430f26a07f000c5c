import subprocess
import sys
from pathlib import Path

from newsletter.checks.registry import ALL_RULES

ROOT = Path(__file__).parents[2]


def test_checks_page_matches_the_rules() -> None:
    script = ROOT / "scripts" / "checks_reference.py"
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert (ROOT / "docs/checks.md").read_text() == run.stdout, "run: make reference"
    for rule in ALL_RULES:
        assert run.stdout.count(f"### `{rule.id}`\n") == 1
