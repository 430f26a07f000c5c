"""The wheel: its content, and that it works in an empty environment."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.package, pytest.mark.xdist_group("package")]

ROOT = Path(__file__).parent.parent
POST = """---
title: The first boat of the year
---
Hello {{ subscriber.name | default("friend") }},

the ice let go on Tuesday.
"""

Newsletter = Callable[..., str]


def copy_locked_packages(target: Path) -> None:
    """Copy the packages of the run-time lock from this environment: a download takes 30 seconds."""
    lock = (ROOT / "requirements.lock").read_text()
    for name in set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)):
        try:
            files = importlib.metadata.files(name) or ()
        except importlib.metadata.PackageNotFoundError:
            continue  # a package for another platform
        for file in files:
            if ".." not in file.parts:  # the scripts in bin/
                path = target / file
                path.parent.mkdir(parents=True, exist_ok=True)
                _link(Path(str(file.locate())), path)


def _link(file: Path, path: Path) -> None:
    try:
        path.hardlink_to(file)
    except OSError:  # a different file system
        shutil.copy2(file, path)


def run(*command: str | Path, cwd: Path) -> str:
    hidden = {
        "PYTHONPATH",
        "VIRTUAL_ENV",
        "SENDGRID_API_KEY",
        "SENDGRID_HOST",
        "NEWSLETTER_DATABASE",
    }
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    completed = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, f"{command}\n{completed.stdout}{completed.stderr}"
    return completed.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    [built] = folder.glob("newsletter-*.whl")
    return built


@pytest.fixture(scope="module")
def newsletter(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Newsletter:
    """Run the command of an environment with the wheel and the packages of the run-time lock."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home / "env", with_pip=False)
    programs = home / "env" / "bin"
    [packages] = (home / "env" / "lib").glob("*/site-packages")
    copy_locked_packages(packages)
    pip = (sys.executable, "-m", "pip", "--python", programs / "python")
    run(*pip, "install", "--quiet", "--no-deps", wheel, cwd=home)
    run(*pip, "check", cwd=home)  # the lock has all requirements of the wheel

    def command(*args: str | Path, cwd: Path) -> str:
        return run(programs / "newsletter", *args, cwd=cwd)

    return command


def test_wheel_has_all_data_files_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "newsletter/default_templates/issue.mjml",
        "newsletter/default_templates/article.css",
        "newsletter/config/newsletter.schema.json",
        "newsletter/project/starter/newsletter.yml",
        "newsletter/project/starter/gitignore",
        "newsletter/project/starter/env.example",
        "newsletter/db/migrations/env.py",
        "newsletter/py.typed",
    } <= names
    versions = {path.name for path in (ROOT / "newsletter/db/migrations/versions").glob("*.py")}
    assert versions
    assert {f"newsletter/db/migrations/versions/{name}" for name in versions} <= names
    top_levels = {name.partition("/")[0] for name in names}
    assert {name for name in top_levels if not name.endswith(".dist-info")} == {"newsletter"}
    assert [name for name in names if "__pycache__" in name or "/test_" in name] == []


def test_installed_command_works_from_init_to_dry_run(
    newsletter: Newsletter, tmp_path: Path
) -> None:
    (tmp_path / "first-post.md").write_text(POST)
    (tmp_path / "readers.csv").write_text("email,name\nada@example.com,Ada\nbo@example.com,Bo\n")
    newsletter("init", "demo", cwd=tmp_path)
    demo = tmp_path / "demo"
    newsletter("import", "../first-post.md", "--date", "2026-11-24", cwd=demo)
    [issue] = [path.name for path in (demo / "issues").iterdir() if path.is_dir()]
    assert issue.startswith("2026-11-24-")
    newsletter("build", cwd=demo)
    newsletter("subscribers", "import", "../readers.csv", cwd=demo)
    newsletter("send", "--dry-run", cwd=demo)
    built = demo / "build" / issue
    assert "the ice let go on Tuesday" in (built / "email.html").read_text()
    assert "the ice let go on Tuesday" in (built / "email.txt").read_text()
    assert (built / "email.eml").stat().st_size > 1000
    requests = (built / "dry-run" / "requests.jsonl").read_text()
    assert requests.count("\n") == 1
    assert "ada@example.com" in requests
    assert "bo@example.com" in requests
