"""An editor's folder with an issue and a list, ready to send to the double of the vendor."""

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
def vendor() -> Iterator[FakeSendGrid]:
    with FakeSendGrid(key="SG.a-secret-that-nobody-may-see") as double:
        yield double


@pytest.fixture(scope="session")
def first_ready_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first such folder is kept to be copied; not there until it is made."""
    return tmp_path_factory.mktemp("ready") / "harbour-notes"


@pytest.fixture
def newsletter(
    project_folder: Path,
    cli: Cli,
    vendor: FakeSendGrid,
    monkeypatch: pytest.MonkeyPatch,
    first_ready_folder: Path,
) -> Cli:
    """The command line in a folder that is ready to send to 25 readers."""
    if first_ready_folder.exists():
        shutil.copytree(first_ready_folder, project_folder, dirs_exist_ok=True)
    else:
        _make_ready(project_folder, cli)
        shutil.copytree(project_folder, first_ready_folder)
    monkeypatch.setenv("SENDGRID_API_KEY", vendor.key)
    monkeypatch.setenv("SENDGRID_HOST", vendor.url)
    return cli


def _make_ready(folder: Path, cli: Cli) -> None:
    (folder / "newsletter.yml").write_text(SETTINGS)
    issue = folder / "issues" / ISSUE
    issue.mkdir()
    (issue / "post.md").write_text(POST)
    rows = (f"reader{number}@example.com,Reader {number}" for number in range(1, READERS + 1))
    (folder / "readers.csv").write_text("\n".join(("email,name", *rows)) + "\n")
    assert cli("subscribers", "import", "readers.csv")[0] == 0
