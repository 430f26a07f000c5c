"""Fixtures: a project with an issue and a list, and a fake SendGrid."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from newsletter.sending.rehearsal import FakeSendGrid

Cli = Callable[..., tuple[int, str, str]]

ISSUE = "2026-12-01-the-ice"
SETTINGS = """\
name: Harbour Notes
sender:
  name: Harbour Notes
  address: editor@harbour-notes.org
postal_address: Harbour Notes, 1 Quay Street, Bergen
site_url: https://harbour-notes.org
public_url: https://news.harbour-notes.org
attributes:
  name: friend
limits:
  batch_size: 10
sendgrid:
  read_timeout: 2
"""
POST = """\
---
title: The ice, {{ subscriber.name }}
---
Hello {{ subscriber.name | default("friend") }}, the ice let go on Tuesday.
"""
READERS = 25


@pytest.fixture
def fake_sendgrid() -> Iterator[FakeSendGrid]:
    with FakeSendGrid(key="SG.a-secret-that-nobody-may-see") as sendgrid:
        yield sendgrid


@pytest.fixture(scope="session")
def first_ready_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of the project that is copied; missing until the first test has created it."""
    return tmp_path_factory.mktemp("ready") / "harbour-notes"


@pytest.fixture
def newsletter(
    project_folder: Path,
    cli: Cli,
    fake_sendgrid: FakeSendGrid,
    monkeypatch: pytest.MonkeyPatch,
    first_ready_folder: Path,
) -> Cli:
    """The command line in a project that is ready to send to 25 subscribers."""
    if first_ready_folder.exists():
        shutil.copytree(first_ready_folder, project_folder, dirs_exist_ok=True)
    else:
        _prepare_project(project_folder, cli)
        shutil.copytree(project_folder, first_ready_folder)
    monkeypatch.setenv("SENDGRID_API_KEY", fake_sendgrid.key)
    monkeypatch.setenv("SENDGRID_HOST", fake_sendgrid.url)
    return cli


def _prepare_project(folder: Path, cli: Cli) -> None:
    (folder / "newsletter.yml").write_text(SETTINGS)
    issue = folder / "issues" / ISSUE
    issue.mkdir()
    (issue / "post.md").write_text(POST)
    rows = (f"reader{number}@example.com,Reader {number}" for number in range(1, READERS + 1))
    (folder / "readers.csv").write_text("\n".join(("email,name", *rows)) + "\n")
    assert cli("subscribers", "import", "readers.csv")[0] == 0
