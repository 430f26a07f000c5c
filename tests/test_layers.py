"""The contracts in pyproject.toml hold, and each of them would notice a breach."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def lint_imports(folder: Path) -> tuple[int, str]:
    command = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run(
        [command, "--no-logo", "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout + run.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(
        ROOT / "newsletter", tmp_path / "newsletter", ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path


def test_the_contracts_hold() -> None:
    code, said = lint_imports(ROOT)
    assert code == 0, said


def test_rendering_takes_nothing_of_urllib_but_parse() -> None:
    # import-linter sees other packages whole, so the contract can't tell these apart.
    sources = [path.read_text() for path in (ROOT / "newsletter" / "render").rglob("*.py")]
    named = {name for source in sources for name in re.findall(r"\burllib(?:\.\w+)?", source)}
    assert sources
    assert named <= {"urllib.parse"}


@pytest.mark.parametrize(
    ("module", "breach", "contract"),
    [
        ("db/engine.py", "import newsletter.cli.main", "The rooms: data flows one way"),
        ("posts/post.py", "import newsletter.render.email", "The rooms: data flows one way"),
        ("errors.py", "import newsletter.db.schema", "The rooms: data flows one way"),
        ("cellar.py", "", "The rooms: data flows one way"),
        ("render/email.py", "import newsletter.subscribers.reader", "Rendering is pure"),
        ("render/email.py", "import sqlalchemy", "Rendering is pure"),
        ("render/email.py", "def now():\n    import socket", "Rendering is pure"),
        ("sending/payload.py", "import click", "Only the command line speaks click"),
        ("subscribers/store.py", "import sendgrid", "Only sending speaks to SendGrid"),
    ],
)
def test_a_breach_is_noticed(copy: Path, module: str, breach: str, contract: str) -> None:
    with (copy / "newsletter" / module).open("a") as file:
        file.write(f"\n\n{breach}\n")
    code, said = lint_imports(copy)
    broken = [line for line in said.splitlines() if line.endswith("BROKEN")]
    assert code != 0, said
    assert len(broken) == 1, said
    assert broken[0].startswith(contract)
