"""Fixtures: a project with an issue and a list, and a fake SendGrid."""

import datetime
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import database_engine
from newsletter.db.schema import send
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
  read_timeout: 60
"""
POST = """\
---
title: The ice, {{ subscriber.name }}
---
Hello {{ subscriber.name | default("friend") }}, the ice let go on Tuesday.
"""
READERS = 25


def time_ahead(**length: int) -> str:
    """Return a time so long from now, as an editor types it after ``--at``."""
    time = datetime.datetime.now(datetime.UTC) + datetime.timedelta(**length)
    return time.isoformat(timespec="minutes")


def set_scheduled_time(project_folder: Path, **length: float) -> None:
    """Let the send of ``ISSUE`` be due so long from now."""
    time = datetime.datetime.now(datetime.UTC) + datetime.timedelta(**length)
    with (
        database_engine("sqlite:///newsletter.db", project_folder) as engine,
        engine.begin() as connection,
    ):
        connection.execute(sa.update(send).where(send.c.issue == ISSUE).values(scheduled_at=time))


def flatten(text: str) -> str:
    """Return text on one line, so that it can be searched wherever the terminal wraps it."""
    return " ".join(text.split())


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
