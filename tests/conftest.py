"""Fixtures for all tests: a project folder, and the command line in process."""

import io
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

# A property that fails by chance must not block an unrelated change: in CI each run draws the same
# examples, locally new ones. No deadline, since the machine may be shared.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# Shells make background jobs ignore Ctrl-C, and child processes inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "chromium",
    "forked_command",
    "frozen_collection",
    "sender_process",
    "coverage_scope",
    "notify_recorder",
    "postgres_server",
    "preview_server",
    "quick_databases",
    "ready_to_send",
    "sending_fixtures",
    "send_scenario",
    "signed_webhook",
    "database_copies",
    "limited_process",
    "static_host",
]  # tests/plugins

ROOT = Path(__file__).parent.parent

MINIMAL = """\
name: Harbour Notes
sender:
  name: Harbour Notes
  address: editor@harbournotes.example
postal_address: Harbour Notes, 1 Quay Street, Bergen
site_url: https://harbournotes.example
attributes:
  name: friend
"""

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep compiled templates apart from the user's own, in child processes too.

    In this process all projects share them, though each is in a folder of its own: to compile the
    same templates again takes a seventh of a test that builds an issue.
    """
    from newsletter.render.template import bytecode_cache, loader

    def open_shared(
        _: Path, environ: Mapping[str, str]
    ) -> bytecode_cache.TemplateBytecodeCache | None:
        return bytecode_cache.open_bytecode_cache(ROOT / "templates", environ)

    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.setattr(loader, "open_bytecode_cache", open_shared)
        yield folder


@pytest.fixture
def project_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A minimal valid project with the default templates; it becomes the working folder."""
    folder = tmp_path / "harbour-notes"
    (folder / "issues").mkdir(parents=True)
    (folder / "newsletter.yml").write_text(MINIMAL)
    shutil.copytree(ROOT / "templates", folder / "templates")
    for variable in ("SENDGRID_API_KEY", "SENDGRID_HOST", "NEWSLETTER_DATABASE", "NEWSLETTER_FEED"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run ``newsletter ARGS`` in process, with ``typed`` as its input: (exit code, out, err)."""
    from newsletter.cli.main import run_cli

    monkeypatch.setenv("COLUMNS", "80")

    def newsletter(*args: str | Path, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
        capsys.readouterr()
        code = run_cli([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return code, out, err

    return newsletter
