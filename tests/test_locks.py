"""Lock files: `make demo` and `make test` install exactly the locked versions."""

import base64
import hashlib
import os
import re
import subprocess
import venv
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pip
import pytest

ROOT = Path(__file__).parent.parent
PINNED = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?P<marker> ; [^\\\n]+)? \\$", re.MULTILINE
)

Install = Callable[[str], subprocess.CompletedProcess[str]]


@dataclass
class Index:
    """A package index in a folder, which pip reads through a ``file:`` URL."""

    folder: Path

    def release(self, name: str, version: str, *metadata: str) -> str:
        """Publish a wheel without code; return its entry for a lock file."""
        info = f"{name}-{version}.dist-info"
        files = {
            f"{info}/METADATA": "\n".join(
                ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *metadata, ""]
            ),
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        files[f"{info}/RECORD"] = "".join(
            f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items()
        )
        page = self.folder / name
        page.mkdir(parents=True, exist_ok=True)
        wheel = page / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
        links = (f'<a href="{file.name}">{file.name}</a>' for file in page.glob("*.whl"))
        (page / "index.html").write_text(f"<!DOCTYPE html><html><body>{''.join(links)}</body>")
        sha = hashlib.sha256(wheel.read_bytes()).hexdigest()
        return f"{name}=={version} \\\n    --hash=sha256:{sha}\n"


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "simple")


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The Python of an environment that has only pip: a link, since ensurepip takes seconds."""
    venv.create(tmp_path / "env", with_pip=False)
    [packages] = (tmp_path / "env" / "lib").glob("*/site-packages")
    [pip_folder] = pip.__path__
    (packages / "pip").symlink_to(pip_folder)
    return tmp_path / "env" / "bin" / "python"


@pytest.fixture
def install(python: Path, index: Index, tmp_path: Path) -> Install:
    """A function that installs a lock file as the Makefile does, from the fake index only."""

    def run(lock: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "requirements.lock").write_text(lock)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PIP_")
        }
        return subprocess.run(
            [ROOT / "scripts" / "install-locked", python, "requirements.lock"],
            cwd=tmp_path,
            env={
                **environment,
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_INDEX_URL": index.folder.as_uri(),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def list_installed(python: Path) -> dict[str, str]:
    """The fake packages that are installed: name -> version."""
    code = (
        "import importlib.metadata as m, json;"
        "print(json.dumps({d.name: d.version for d in m.distributions() if d.name[0] == 'x'}))"
    )
    listed = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return dict(re.findall(r'"(\w+)": "([\d.]+)"', listed.stdout))


def test_newer_releases_are_not_installed(index: Index, install: Install, python: Path) -> None:
    # A case that once broke the commands: a plug-in requires an extra of a package that it does
    # not pin, and pip 23 resolves that package again.
    extra = ("Provides-Extra: toml", "Requires-Dist: xtoml; extra == 'toml'")
    lock = "".join(
        [
            index.release("xplugin", "7.0", "Requires-Dist: xcover[toml]>=7.0"),
            index.release("xcover", "7.1", *extra),
            index.release("xtoml", "1.0"),
        ]
    )
    for newer in ("7.2", "8.0"):
        index.release("xcover", newer, *extra, "Requires-Dist: xunheardof")
    index.release("xplugin", "7.1", "Requires-Dist: xunheardof")
    index.release("xtoml", "1.1")
    completed = install(lock)
    assert completed.returncode == 0, completed.stderr
    assert completed.stderr.startswith("Installing the 3 packages of requirements.lock ...\n")
    assert list_installed(python) == {"xplugin": "7.0", "xcover": "7.1", "xtoml": "1.0"}


def test_file_with_another_hash_is_refused(index: Index, install: Install, python: Path) -> None:
    lock = index.release("xcover", "7.1")
    index.release("xcover", "7.1", "Summary: not the file that was locked")
    completed = install(lock)
    assert completed.returncode != 0
    assert "DO NOT MATCH THE HASHES" in completed.stderr
    assert list_installed(python) == {}


def test_incomplete_lock_is_reported(index: Index, install: Install) -> None:
    completed = install(index.release("xplugin", "7.0", "Requires-Dist: xcover[toml]>=7.0"))
    assert completed.returncode == 1
    assert "xplugin 7.0 requires xcover, which is not installed." in completed.stderr
    assert completed.stderr.endswith(
        "requirements.lock is incomplete; regenerate it with: make lock\n"
    )


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_lock_entry_is_a_version_with_hashes(name: str) -> None:
    text = (ROOT / name).read_text()
    entries = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert entries
    assert len(PINNED.findall(text)) == len(entries)
    assert len(re.findall(r"\\\n    --hash=sha256:", text)) >= len(entries)
    assert "://" not in text


def test_development_lock_has_the_same_runtime_versions() -> None:
    runtime, development = (
        {(match["name"], match["version"], match["marker"]) for match in PINNED.finditer(text)}
        for text in (
            (ROOT / "requirements.lock").read_text(),
            (ROOT / "requirements-dev.lock").read_text(),
        )
    )
    assert runtime < development
    names = {name for name, _, _ in runtime}
    assert {name for name, _, _ in development - runtime}.isdisjoint(names)
    assert names.isdisjoint({"pytest", "mypy", "ruff", "playwright", "hypothesis", "psycopg"})
