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


def list_broken_contracts(folder: Path) -> dict[str, str]:
    """Return the names of broken contracts, each with what the report says of it."""
    code, output = lint_imports(folder)
    assert code != 0, output
    names = [
        line.removesuffix(" BROKEN") for line in output.splitlines() if line.endswith(" BROKEN")
    ]
    report = output.partition("Broken contracts")[2]
    heads = [re.escape(name) for name in names]
    parts = re.split(rf"^({'|'.join(heads)})$", report, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


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


def added(*imports: str) -> str:
    """Return statements that import modules, the last one in a function."""
    *first, last = imports
    return "\n".join([*(f"import {name}" for name in first), f"def f():\n    import {last}\n"])


# Contract -> module -> what it must not import. One run takes as long as several violations of it.
VIOLATIONS = {
    "Layers: data flows one way": {
        "db/engine.py": ["newsletter.cli.main"],
        "posts/post.py": ["newsletter.render.email"],
        "errors.py": ["newsletter.db.schema"],
        "reports/counts.py": ["newsletter.events.parse"],
    },
    "Rendering is pure": {"render/email.py": ["newsletter.db.schema", "sqlalchemy", "socket"]},
    "Only the command line imports click": {"sending/retry_policy.py": ["click"]},
    "Only sending imports SendGrid's client": {"subscribers/export.py": ["sendgrid"]},
    "Layers of sending": {
        "sending/providers/provider.py": ["newsletter.sending.ledger.record"],
        "sending/delivery/claim.py": ["newsletter.sending.planning.schedule"],
        "sending/providers/sendgrid/payload.py": ["newsletter.sending.delivery.claim"],
    },
    "Only the registry of providers imports a provider": {
        "sending/service.py": ["newsletter.sending.providers.sendgrid.client"],
        "cli/send/send.py": ["newsletter.sending.providers.sendgrid.facts"],
    },
}


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_violations_are_detected(copy: Path, contract: str) -> None:
    for module, imports in VIOLATIONS[contract].items():
        with (copy / "newsletter" / module).open("a") as file:
            file.write(f"\n\n{added(*imports)}")
    broken = list_broken_contracts(copy)
    # An import of a higher layer mostly closes a cycle as well.
    text = next(text for name, text in broken.items() if name.startswith(contract))
    for module, imports in VIOLATIONS[contract].items():
        importer = f"newsletter.{module.removesuffix('.py').replace('/', '.')}"
        for imported in imports:
            assert f"{importer} -> {imported} " in text


@pytest.mark.parametrize(
    ("module", "violation", "contract"),
    [
        ("cellar.py", "", "Layers: data flows one way"),
        ("sending/anything.py", "", "Layers of sending"),
        (
            "render/article/dom.py",
            "import newsletter.render.template.loader",
            "No import cycles between packages",
        ),
    ],
)
def test_violation_is_detected(copy: Path, module: str, violation: str, contract: str) -> None:
    with (copy / "newsletter" / module).open("a") as file:
        file.write(f"\n\n{violation}\n")
    assert [name for name in list_broken_contracts(copy) if name.startswith(contract)]
