"""Which issues are public, in which order, and when they are read again."""

import datetime
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import database_engine
from newsletter.db.schema import attempt, batch, send
from newsletter.events.parse import parse_event
from newsletter.project import Project, open_project
from newsletter.sending.feedback.event_intake import ingest_events
from newsletter.sending.ledger.find_sends import open_ledger
from newsletter.sending.planning.tested_issues import mark_issue_tested
from newsletter.web.archive.issue_cache import (
    ArchiveRepository,
    filter_listed_issues,
    search_issue_titles,
)
from newsletter.web.archive.latest_issues import make_latest_finder

NOW = datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)

AddSend = Callable[..., Path]


@pytest.fixture
def project(project_folder: Path) -> Project:
    return open_project(project_folder)


@pytest.fixture
def engine(project: Project) -> Iterator[sa.Engine]:
    with database_engine(project.config.database, project.root) as engine:
        yield engine


@pytest.fixture
def repository(project: Project, engine: sa.Engine) -> ArchiveRepository:
    return ArchiveRepository(project, engine)


@pytest.fixture
def add_send(project: Project, engine: sa.Engine) -> AddSend:
    """Create an issue's folder, and a send of it with one batch; returns the folder."""

    def make(
        name: str,
        *,
        front: str = "",
        state: str = "accepted",
        started: datetime.datetime = NOW - HOUR,
        **values: object,
    ) -> Path:
        folder = project.issues_dir / name
        folder.mkdir()
        (folder / "post.md").write_text(f"---\ntitle: Title of {name[11:]}\n{front}\n---\nWords.\n")
        row = {
            "issue": name, "state": "running", "content_sha": "", "subject": "", "total": 1,
            "frozen_at": started, "excluded": {}, **values,
        }  # fmt: skip
        with engine.begin() as connection:
            send_id = connection.scalar(sa.insert(send).values(row).returning(send.c.id))
            batch_row = {"send_id": send_id, "number": 1, "size": 1, "state": state}
            batch_id = connection.scalar(sa.insert(batch).values(batch_row).returning(batch.c.id))
            if state != "ready":
                attempt_row = {
                    "batch_id": batch_id,
                    "number": 1,
                    "body_sha": "",
                    "started_at": started,
                }
                connection.execute(sa.insert(attempt).values(attempt_row))
        return folder

    return make


def list_slugs(repository: ArchiveRepository) -> list[str]:
    return [issue.slug for issue in repository.list_public_issues(NOW)]


@pytest.mark.parametrize(
    ("values", "is_public"),
    [
        ({}, True),
        ({"state": "unknown"}, True),
        ({"state": "ready"}, False),
        ({"state": "rejected"}, False),
        ({"front": "draft: true"}, False),
        ({"scheduled_at": NOW + HOUR}, False),
        ({"scheduled_at": NOW}, True),
        ({"scheduled_at": NOW - HOUR, "recalled_at": NOW - 2 * HOUR}, False),
        ({"scheduled_at": NOW - HOUR, "recalled_at": NOW - HOUR - 9 * MINUTE}, True),
        ({"scheduled_at": NOW - HOUR, "recalled_at": NOW - HOUR - 10 * MINUTE}, False),
        ({"front": "archive: unlisted"}, True),
        ({"front": "archive: private"}, False),
        ({"front": "tags: {"}, False),
    ],
    ids=str,
)
def test_which_issues_are_public(
    repository: ArchiveRepository, add_send: AddSend, values: dict[str, object], *, is_public: bool
) -> None:
    add_send("2026-11-01-first")
    add_send("2026-11-30-ice", **values)
    assert set(list_slugs(repository)) == ({"first", "ice"} if is_public else {"first"})


def test_latest_issues_are_the_listed_ones_with_an_address(
    project: Project, engine: sa.Engine, add_send: AddSend
) -> None:
    for day, front in enumerate(("", "", "archive: unlisted", "", "date: 2026-10-31"), 1):
        add_send(f"2026-11-0{day}-n{day}", front=front, started=NOW - HOUR + day * MINUTE)
    config = project.config.model_copy(update={"public_url": "https://news.example"})
    latest = make_latest_finder(replace(project, config=config), engine, NOW)(3)
    assert [issue.url for issue in latest] == [
        f"https://news.example/issues/n{day}" for day in (5, 4, 2)
    ]
    assert latest[0] == ("Title of n5", latest[0].url, datetime.date(2026, 10, 31))
    assert make_latest_finder(project, engine, NOW)(3) == ()


@pytest.mark.parametrize(
    ("kind", "send_id", "is_public"),
    [
        ("delivered", 1, True),
        ("deferred", 1, True),
        ("group_unsubscribe", 1, True),
        ("processed", 1, False),
        ("dropped", 1, False),
        ("delivered", 2, False),
    ],
)
def test_recalled_issue_that_a_reader_has_is_public(
    repository: ArchiveRepository,
    project: Project,
    engine: sa.Engine,
    add_send: AddSend,
    *,
    kind: str,
    send_id: int,
    is_public: bool,
) -> None:
    add_send("2026-11-30-ice", scheduled_at=NOW - HOUR, recalled_at=NOW - 2 * HOUR)
    entry = {
        "sg_event_id": "e1",
        "event": kind,
        "email": "ada@example.com",
        "timestamp": int(NOW.timestamp()),
        "nl_send": str(send_id),
    }
    ingest_events(open_ledger(engine, project.config), project.config, [parse_event(entry)])
    assert list_slugs(repository) == ["ice"] * is_public
    with engine.connect() as connection:
        recalled_at, reason = connection.execute(sa.select(send.c.recalled_at, send.c.reason)).one()
    assert (recalled_at is None) == is_public
    assert ("SendGrid delivered it" in reason) == is_public


def test_latest_is_first_and_unlisted_issues_are_not_in_the_index(
    repository: ArchiveRepository, add_send: AddSend
) -> None:
    add_send("2026-11-01-older", started=NOW - 3 * HOUR)
    add_send("2026-11-02-hidden", started=NOW - 2 * HOUR, front="archive: unlisted")
    add_send("2026-11-03-newer", started=NOW - HOUR)
    assert list_slugs(repository) == ["newer", "hidden", "older"]
    assert [issue.slug for issue in filter_listed_issues(repository.list_public_issues(NOW))] == [
        "newer",
        "older",
    ]


def test_folder_without_a_send_is_not_public(
    repository: ArchiveRepository, add_send: AddSend
) -> None:
    add_send("2026-11-01-sent")
    folder = add_send("2026-11-02-gone")
    folder.rename(folder.with_name("2026-11-03-written"))
    assert list_slugs(repository) == ["sent"]


def test_edits_are_shown_and_errors_are_logged(
    repository: ArchiveRepository, add_send: AddSend, caplog: pytest.LogCaptureFixture
) -> None:
    post = add_send("2026-11-01-ice") / "post.md"
    add_send("2026-11-02-fire")
    assert "Words" in repository.list_public_issues(NOW)[-1].html
    post.write_text("---\ntitle: Ice\n---\nBetter words than before.\n")
    assert "Better" in next(
        issue.html for issue in repository.list_public_issues(NOW) if issue.slug == "ice"
    )
    with caplog.at_level(logging.WARNING):
        post.write_text("---\ntitle: [\n---\nx\n")
        assert list_slugs(repository) == ["fire"]
    assert "2026-11-01-ice" in caplog.text


def test_unchanged_issue_is_read_once(repository: ArchiveRepository, add_send: AddSend) -> None:
    add_send("2026-11-01-ice")
    assert repository.list_public_issues(NOW)[0] is repository.list_public_issues(NOW)[0]


def test_images_of_private_and_planned_issues_are_found(
    repository: ArchiveRepository, add_send: AddSend
) -> None:
    private = add_send("2026-11-01-ours", front="archive: private")
    planned = add_send("2026-11-02-coming", state="ready")
    assert repository.find_images_folder("ours") == private
    assert repository.find_images_folder("coming") == planned
    assert repository.find_images_folder("no") is None


def test_images_are_found_once_a_test_email_was_sent(
    repository: ArchiveRepository, engine: sa.Engine, project: Project
) -> None:
    name = "2026-11-02-draft"
    assert repository.find_images_folder("draft") is None
    mark_issue_tested(engine, name)
    mark_issue_tested(engine, name)
    assert repository.find_images_folder("draft") == project.issues_dir / name
    assert list_slugs(repository) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [("ÉTÉ", True), ("ete  l'", True), ("été hiver", False), ("%", False), ("STRASSE", True)],
)
def test_search_ignores_case_and_diacritics(
    repository: ArchiveRepository, add_send: AddSend, query: str, *, found: bool
) -> None:
    folder = add_send("2026-11-01-ice")
    (folder / "post.md").write_text("---\ntitle: L'été, Straße\n---\nWords.\n")
    assert bool(search_issue_titles(repository.list_public_issues(NOW), query)) is found
