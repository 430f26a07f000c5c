"""The import contracts in pyproject.toml hold, and each detects a violation."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_MODULES = 16


def lint_imports(folder: Path) -> tuple[int, str]:
    command = Path(sys.executable).with_name("lint-imports")
    completed = subprocess.run(
        [command, "--no-logo", "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return completed.returncode, completed.stdout + completed.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(
        ROOT / "newsletter", tmp_path / "newsletter", ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path


def test_contracts_hold() -> None:
    code, output = lint_imports(ROOT)
    assert code == 0, output


def test_rendering_uses_only_the_parse_module_of_urllib() -> None:
    # import-linter knows external packages only as a whole, so the contract can't check this.
    sources = [path.read_text() for path in (ROOT / "newsletter" / "render").rglob("*.py")]
    used = {name for source in sources for name in re.findall(r"\burllib(?:\.\w+)?", source)}
    assert sources
    assert used <= {"urllib.parse"}


@pytest.mark.parametrize("folder", ["ledger", "planning", "delivery"])
def test_no_provider_is_named_where_every_provider_is_meant(folder: str) -> None:
    # Messages take its name from ``newsletter.sending.providers.registry``.
    named = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / "newsletter" / "sending" / folder).rglob("*"))
        if path.suffix != ".pyc" and path.is_file()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search("sendgrid|twilio", line, re.IGNORECASE)
    ]
    assert not named


def test_folders_have_few_modules() -> None:
    # The folder of rules has one module per topic, and that of migrations only grows.
    large = {
        str(folder.relative_to(ROOT)): len(modules)
        for folder in (ROOT / "newsletter").rglob("*/")
        if len(modules := [*folder.glob("*.py")]) - 1 > MAX_MODULES  # without __init__.py
        and folder.parts[-2:] not in {("checks", "rules"), ("migrations", "versions")}
    }
    assert not large


@pytest.mark.parametrize(
    ("module", "violation", "contract"),
    [
        ("db/engine.py", "import newsletter.cli.main", "Layers: data flows one way"),
        ("posts/post.py", "import newsletter.render.email", "Layers: data flows one way"),
        ("errors.py", "import newsletter.db.schema", "Layers: data flows one way"),
        ("cellar.py", "", "Layers: data flows one way"),
        ("reports/counts.py", "import newsletter.events.parse", "Layers: data flows one way"),
        ("render/email.py", "import newsletter.db.schema", "Rendering is pure"),
        ("render/email.py", "import sqlalchemy", "Rendering is pure"),
        ("render/email.py", "def now():\n    import socket", "Rendering is pure"),
        ("sending/retry_policy.py", "import click", "Only the command line imports click"),
        ("subscribers/export.py", "import sendgrid", "Only sending imports SendGrid's client"),
        (
            "render/article/dom.py",
            "import newsletter.render.template.loader",
            "No import cycles between packages",
        ),
        (
            "sending/providers/provider.py",
            "import newsletter.sending.ledger.record",
            "Layers of sending",
        ),
        (
            "sending/delivery/claim.py",
            "import newsletter.sending.planning.schedule",
            "Layers of sending",
        ),
        ("sending/anything.py", "", "Layers of sending"),
        (
            "sending/service.py",
            "import newsletter.sending.providers.sendgrid.client",
            "Only the registry of providers imports a provider",
        ),
        (
            "cli/send/send.py",
            "def f():\n    import newsletter.sending.providers.sendgrid.facts",
            "Only the registry of providers imports a provider",
        ),
        (
            "sending/providers/sendgrid/payload.py",
            "import newsletter.sending.delivery.claim",
            "Layers of sending",
        ),
    ],
)
def test_violation_is_detected(copy: Path, module: str, violation: str, contract: str) -> None:
    with (copy / "newsletter" / module).open("a") as file:
        file.write(f"\n\n{violation}\n")
    code, output = lint_imports(copy)
    broken = [line for line in output.splitlines() if line.endswith("BROKEN")]
    assert code != 0, output
    # An import of a higher layer mostly closes a cycle as well.
    assert any(line.startswith(contract) for line in broken), output
