"""The archives: their content, and that the wheel works in an empty environment."""

import importlib.metadata
import os
import re
import runpy
import shlex
import shutil
import socket
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
import urllib3

from newsletter import __version__

pytestmark = pytest.mark.package

ROOT = Path(__file__).parent.parent
SOURCES = ("newsletter", "templates", "issues", "docs")


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
        "NEWSLETTER_FEED",
    }
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    completed = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, f"{command}\n{completed.stdout}{completed.stderr}"
    return completed.stdout


@pytest.fixture(scope="module")
def release_script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "release.py"))


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is packaged, without what only a checkout has."""
    folder = tmp_path_factory.mktemp("export")
    for name in SOURCES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (*ROOT.glob("*.md"), ROOT / "LICENSE", ROOT / "pyproject.toml"):
        shutil.copy(file, folder)
    return folder


@pytest.fixture(scope="module")
def archives(
    release_script: dict[str, Any], export: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The source distribution, and the wheel built from it."""
    built: tuple[Path, Path] = release_script["build"](
        export, tmp_path_factory.mktemp("built") / "dist", "1796000000"
    )
    return built


@pytest.fixture(scope="module")
def environment(archives: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel and the packages of the run-time lock."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home / "env", with_pip=False)
    programs = home / "env" / "bin"
    [packages] = (home / "env" / "lib").glob("*/site-packages")
    copy_locked_packages(packages)
    pip = (sys.executable, "-m", "pip", "--python", programs / "python")
    run(*pip, "install", "--quiet", "--no-deps", archives[1], cwd=home)
    run(*pip, "check", cwd=home)  # the lock has all requirements of the wheel
    return programs


def test_archives_have_all_files_and_the_version_of_the_package(
    release_script: dict[str, Any], export: Path, archives: tuple[Path, Path]
) -> None:
    release_script["check_contents"](export, *archives, __version__)
    assert [file.name for file in archives] == [
        f"newsletter-{__version__}.tar.gz",
        f"newsletter-{__version__}-py3-none-any.whl",
    ]


def test_wheel_has_all_data_files_and_no_tests(archives: tuple[Path, Path]) -> None:
    names = set(zipfile.ZipFile(archives[1]).namelist())
    assert {
        "newsletter/default_templates/issue.mjml",
        "newsletter/default_templates/article.css",
        "newsletter/default_templates/words/zh-Hant.yml",
        "newsletter/config/newsletter.schema.json",
        "newsletter/posts/front_matter/front-matter.schema.json",
        "newsletter/project/starter/newsletter.yml",
        "newsletter/project/starter/gitignore",
        "newsletter/project/starter/env.example",
        "newsletter/project/starter/sample/post.md",
        "newsletter/project/starter/sample/hero.jpg",
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
    archives: tuple[Path, Path], environment: Path, tmp_path: Path
) -> None:
    output = run(ROOT / "scripts" / "check-wheel", archives[1], environment, cwd=tmp_path)
    assert f"{archives[1].name} works with Python 3." in output


def test_installed_command_serves_as_the_printed_unit_says(
    environment: Path, tmp_path: Path
) -> None:
    """Run ExecStart as systemd would: its folder, its arguments, and only its files' variables."""
    program = environment / "newsletter"
    run(program, "init", "notes", "--name", "Harbour Notes", cwd=tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    printed = run(
        program, "serve", "--port", str(port), "--print", "systemd", cwd=tmp_path / "notes"
    )
    unit = dict(re.findall(r"^(\w+)=(.*)$", printed, re.MULTILINE))
    command = shlex.split(unit["ExecStart"])
    assert command[0] == str(program)
    assert unit["WorkingDirectory"] == str(tmp_path / "notes")
    variables = {"PATH": "/usr/bin:/bin", "SENDGRID_API_KEY": "SG.in-the-environment-file"}
    server = subprocess.Popen(
        command,
        cwd=unit["WorkingDirectory"],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with server, urllib3.PoolManager(timeout=60) as pool:
        try:
            assert server.stdout
            assert "Harbour Notes answers" in server.stdout.readline()
            responses = [
                pool.request("GET", f"http://127.0.0.1:{port}{path}", retries=10)
                for path in ("/readyz", "/subscribe")
            ]
        finally:
            server.terminate()
    assert [response.status for response in responses] == [200, 200]
    assert server.returncode == 0
