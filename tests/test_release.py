"""`make release`: what it refuses, what it commits, and archives that can be built again."""

import datetime
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "scripts" / "release.py"
CHANGELOG = """\
# Changelog
All that an editor notices.

## Unreleased
### Added
- `newsletter sail` goes to sea.

## 1.1.0 - 2026-10-02
### Fixed
- The anchor holds.
"""
# The real one installs from the network: tests/test_package.py runs it.
CHECK_WHEEL = '#!/bin/sh\necho "checking $(basename "$1")"\ntest ! -e fail\n'


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project with the real pyproject.toml, committed; the working folder."""
    files = {
        "CHANGELOG.md": CHANGELOG,
        ".gitignore": (ROOT / ".gitignore").read_text(),
        "newsletter/__init__.py": '"""A small one."""\n\n__version__ = "1.1.0"\n',
        "newsletter/py.typed": "",
        "templates/issue.mjml": "<mjml></mjml>\n",
        "issues/2026-10-02-quay/post.md": "The ice let go.\n",
        "tests/README.md": "No tests here.\n",
        "tests/test_sail.py": "",
        "scripts/check-wheel": CHECK_WHEEL,
    } | {name: (ROOT / name).read_text() for name in ("pyproject.toml", "README.md", "LICENSE")}
    folder = tmp_path / "repository"
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "scripts/check-wheel").chmod(0o755)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    (tmp_path / "gitconfig").write_text(
        "[user]\nname = Ada\nemail = ada@example.com\n[init]\ndefaultBranch = main\n"
    )
    monkeypatch.chdir(folder)
    git("init", "--quiet")
    commit("A small project")
    git("tag", "v1.0.0")
    return folder


def git(*args: str) -> str:
    return subprocess.run(["git", *args], capture_output=True, text=True, check=True).stdout


def commit(message: str) -> None:
    git("add", "--force", ".")
    git("commit", "--quiet", "--message", message)


def release(*args: str) -> tuple[int, str]:
    completed = subprocess.run(
        [sys.executable, SCRIPT, *args], capture_output=True, text=True, check=False
    )
    return completed.returncode, completed.stdout + completed.stderr


def snapshot() -> tuple[str, str, str]:
    files = git("ls-files", "--cached", "--others")  # also those that git ignores
    return git("show-ref"), git("status", "--porcelain"), files


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("next", "'next' is not a version (PEP 440)"),
        ("1.2.0-dirty?", "'1.2.0-dirty?' is not a version (PEP 440)"),
        ("v1.2.0", "write the version as 1.2.0, not v1.2.0"),
        ("1.2.0-rc1", "write the version as 1.2.0rc1, not 1.2.0-rc1"),
        ("1.2.0+local", "write the version as 1.2.0, not 1.2.0+local"),
        ("1.1.0", "1.1.0 is not larger than 1.1.0, the last release"),
        ("1.1", "1.1 is not larger than 1.1.0, the last release"),
        ("1.1.0rc1", "1.1.0rc1 is not larger than 1.1.0"),
        ("1.0.1", "1.0.1 is not larger than 1.1.0"),
    ],
)
def test_version_is_refused(
    repository: Path, script: dict[str, Any], version: str, reason: str
) -> None:
    with pytest.raises(script["ReleaseError"], match=f"^{re.escape(reason)}"):
        script["check_repository"](repository, version)


@pytest.mark.parametrize("version", ["1.1.1", "1.2.0rc1", "1.2", "2.0.0.dev1", "1.10.0"])
def test_larger_version_is_accepted(repository: Path, script: dict[str, Any], version: str) -> None:
    script["check_repository"](repository, version)


def test_version_must_be_larger_than_every_tag(repository: Path, script: dict[str, Any]) -> None:
    for tag in ("v1.9.0", "v1.10.0", "vendored", "2.0.0"):
        git("tag", tag)
    with pytest.raises(script["ReleaseError"], match=r"not larger than 1\.10\.0"):
        script["check_repository"](repository, "1.9.5")


@pytest.mark.parametrize("name", ["CHANGELOG.md", "notes.txt"])
def test_changes_that_are_not_committed_are_refused(
    repository: Path, script: dict[str, Any], name: str
) -> None:
    with (repository / name).open("a") as file:
        file.write("- one more\n")
    with pytest.raises(script["ReleaseError"], match=f"not committed:\n.*{name}"):
        script["check_repository"](repository, "1.2.0")


@pytest.mark.parametrize(
    "unreleased", ["", "## Unreleased\n\n", "## Unreleased\n### Added\n", "## unreleased\n- x\n"]
)
def test_empty_changelog_is_refused(
    repository: Path, script: dict[str, Any], unreleased: str
) -> None:
    released = CHANGELOG[CHANGELOG.index("## 1.1.0") :]
    (repository / "CHANGELOG.md").write_text(f"# Changelog\n{unreleased}\n{released}")
    commit("An empty section")
    with pytest.raises(script["ReleaseError"], match="no line under '## Unreleased'"):
        script["check_repository"](repository, "1.2.0")


@pytest.mark.parametrize("lines", ["", '__version__ = "1"\n__version__ = "2"\n'])
def test_version_must_be_said_once(script: dict[str, Any], lines: str) -> None:
    with pytest.raises(script["ReleaseError"], match="not one"):
        script["set_version"](lines, "1.2.0")


def test_changelog_of_the_project_can_be_dated(script: dict[str, Any]) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    dated = script["date_changelog"](changelog, "1.2.0", datetime.date(2026, 12, 1))
    assert dated.count("\n") == changelog.count("\n") + 2
    assert "\n## Unreleased\n\n## 1.2.0 - 2026-12-01\n" in dated


@pytest.mark.usefixtures("repository")
def test_dry_run_changes_nothing() -> None:
    before = snapshot()
    code, output = release("--dry-run", "1.2.0")
    assert (code, snapshot()) == (0, before), output
    assert "checking newsletter-1.2.0-py3-none-any.whl" in output
    assert "1.2.0 can be released. Nothing was changed." in output


def test_release_is_committed_tagged_and_built_again_from_its_tag(
    repository: Path, script: dict[str, Any], tmp_path: Path
) -> None:
    code, output = release("1.2.0")
    assert code == 0, output
    assert "git push --atomic origin HEAD v1.2.0" in output
    assert git("log", "-1", "--format=%s%n%D", "--name-only").split("\n")[:5] == [
        "Release 1.2.0",
        "HEAD -> main, tag: v1.2.0",
        "",
        "CHANGELOG.md",
        "newsletter/__init__.py",
    ]
    assert git("status", "--porcelain") == ""
    assert (repository / "newsletter/__init__.py").read_text().endswith('__version__ = "1.2.0"\n')
    date = datetime.datetime.fromtimestamp(int(git("log", "-1", "--format=%ct")), datetime.UTC)
    assert (repository / "CHANGELOG.md").read_text() == CHANGELOG.replace(
        "## Unreleased\n", f"## Unreleased\n\n## 1.2.0 - {date.date()}\n"
    )
    built = {path.name: path.read_bytes() for path in (repository / "dist").iterdir()}
    assert sorted(built) == ["newsletter-1.2.0-py3-none-any.whl", "newsletter-1.2.0.tar.gz"]
    git("clone", "--quiet", "--branch", "v1.2.0", str(repository), str(tmp_path / "again"))
    again = script["build"](tmp_path / "again", tmp_path / "dist", str(int(date.timestamp())))
    assert {path.name: path.read_bytes() for path in again} == built
    assert release("1.2.0")[0] == 1, "a version can be released twice"


@pytest.mark.parametrize("failing", ["check-wheel", "hook"])
def test_failure_leaves_the_repository_as_it_was(repository: Path, failing: str) -> None:
    if failing == "check-wheel":
        (repository / "scripts/check-wheel").write_text("#!/bin/sh\nexit 3\n")
        commit("A wheel that does not work")
    else:
        hook = repository / ".git/hooks/pre-commit"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\necho no commits on a Friday >&2\nexit 1\n")
        hook.chmod(0o755)
    before = snapshot()
    code, output = release("1.2.0")
    assert (code, snapshot()) == (1, before), output
    assert "Nothing was released: " in output
    assert ("no commits on a Friday" in output) == (failing == "hook")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        # Neither archive has what .gitignore names, such as lists of readers.
        ("newsletter/readers.csv", "ada@example.com\n", "the wheel lacks newsletter/readers.csv"),
        ("docs/readers.tsv", "ada@example.com\n", "newsletter-1.2.0.tar.gz has docs/readers.tsv"),
        ("newsletter/test_sail.py", "", "none-any.whl has newsletter/test_sail.py"),
        ("newsletter/key.py", f'K = "SG.{"a" * 22}.{"b" * 43}"\n', "has a secret in newsletter/"),
        ("templates/key.txt", "-----BEGIN EC PRIVATE KEY-----\n", "a secret in newsletter/default"),
    ],
)
def test_archives_with_unwanted_files_are_refused(
    repository: Path, name: str, content: str, problem: str
) -> None:
    path = repository / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    commit("A mistake")
    code, output = release("--dry-run", "1.2.0")
    assert code == 1
    assert problem in output
