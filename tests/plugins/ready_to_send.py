"""Fixtures: a project with an issue and a list, and a fake SendGrid."""

import datetime
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import database_engine
from newsletter.db.schema import batch, send
from newsletter.sending.rehearsal import FakeSendGrid

Cli = Callable[..., tuple[int, str, str]]
PrepareProject = Callable[[str, str, str, str], Cli]
PrepareOnce = Callable[[str, Callable[[], object]], None]

ISSUE = "2026-12-01-the-ice"
BASIC_SETTINGS = """\
name: Harbour Notes
sender:
  name: Harbour Notes
  address: editor@harbour-notes.org
postal_address: Harbour Notes, 1 Quay Street, Bergen
site_url: https://harbour-notes.org
public_url: https://news.harbour-notes.org
"""
SETTINGS = f"""\
{BASIC_SETTINGS}attributes:
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


def let_leases_end(project_folder: Path) -> None:
    """Let the lease of each batch in flight expire, as after its sender was killed."""
    long_ago = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
    with (
        database_engine("sqlite:///newsletter.db", project_folder) as engine,
        engine.begin() as connection,
    ):
        connection.execute(
            sa.update(batch).where(batch.c.state == "in_flight").values(lease_until=long_ago)
        )


def flatten(text: str) -> str:
    """Return text on one line, so that it can be searched wherever the terminal wraps it."""
    return " ".join(text.split())


@pytest.fixture
def fake_sendgrid() -> Iterator[FakeSendGrid]:
    with FakeSendGrid(key="SG.a-secret-that-nobody-may-see") as sendgrid:
        yield sendgrid


@pytest.fixture(scope="session")
def prepared_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the projects that are copied, each from the first test that needs it."""
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture
def prepare_once(project_folder: Path, prepared_folders: Path) -> PrepareOnce:
    """Return a function that prepares the project folder: only once, then by copying it.

    It takes the name of what is prepared, and the function that does it. A copy of a database from
    which an issue was sent is known to be one: nothing more is sent from it.
    """

    def prepare(name: str, change: Callable[[], object]) -> None:
        folder = prepared_folders / name
        if folder.exists():
            shutil.copytree(folder, project_folder, dirs_exist_ok=True)
        else:
            change()
            shutil.copytree(project_folder, folder)

    return prepare


@pytest.fixture
def prepare_project(
    project_folder: Path, cli: Cli, fake_sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> PrepareProject:
    """Return a function that makes the project ready to send, and returns the command line.

    It takes the settings, the issue's name, its post and the rows of the list.
    """

    def prepare(settings: str, issue: str, post: str, rows: str) -> Cli:
        (project_folder / "newsletter.yml").write_text(settings)
        (project_folder / "issues" / issue).mkdir()
        (project_folder / "issues" / issue / "post.md").write_text(post)
        (project_folder / "readers.csv").write_text(rows)
        assert cli("subscribers", "import", "readers.csv")[0] == 0
        return cli

    monkeypatch.setenv("SENDGRID_API_KEY", fake_sendgrid.key)
    monkeypatch.setenv("SENDGRID_HOST", fake_sendgrid.url)
    return prepare


@pytest.fixture
def newsletter(cli: Cli, prepare_project: PrepareProject, prepare_once: PrepareOnce) -> Cli:
    """The command line in a project that is ready to send to 25 subscribers."""
    rows = (f"reader{number}@example.com,Reader {number}" for number in range(1, READERS + 1))
    table = "\n".join(("email,name", *rows)) + "\n"
    prepare_once("ready", lambda: prepare_project(SETTINGS, ISSUE, POST, table))
    return cli


def started(project_folder: Path, *args: str) -> "subprocess.Popen[str]":
    """Start ``newsletter ARGS`` in a process of its own."""
    command = [str(Path(sys.executable).parent / "newsletter"), *args]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=project_folder, text=True, stdout=pipe, stderr=pipe)
