import datetime
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import database_engine
from newsletter.db.schema import attempt, batch, send
from newsletter.project import Project, open_project
from newsletter.sending.planning.tested_issues import mark_issue_tested
from newsletter.web.archive.issue_cache import (
    ArchiveRepository,
    filter_listed_issues,
    search_issue_titles,
)

NOW = datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)

Sending = Callable[..., Path]


@pytest.fixture
def project(project_folder: Path) -> Project:
    return open_project(project_folder)


@pytest.fixture
def engine(project: Project) -> Iterator[sa.Engine]:
    with database_engine(project.config.database, project.root) as made:
        yield made


@pytest.fixture
def shelf(project: Project, engine: sa.Engine) -> ArchiveRepository:
    return ArchiveRepository(project, engine)


@pytest.fixture
def sending(project: Project, engine: sa.Engine) -> Sending:
    """Makes an issue's folder, and a send of it with one batch; returns the folder."""

    def make(
        name: str, *, front: str = "", state: str = "accepted",
        started: datetime.datetime = NOW - HOUR, **values: object,
    ) -> Path:  # fmt: skip
        folder = project.issues_dir / name
        folder.mkdir()
        (folder / "post.md").write_text(f"---\ntitle: Title of {name[11:]}\n{front}\n---\nWords.\n")
        row = {
            "issue": name, "state": "running", "content_sha": "", "subject": "", "total": 1,
            "frozen_at": started, "excluded": {}, **values,
        }  # fmt: skip
        with engine.begin() as connection:
            of = connection.scalar(sa.insert(send).values(row).returning(send.c.id))
            one = {"send_id": of, "number": 1, "size": 1, "state": state}
            made = connection.scalar(sa.insert(batch).values(one).returning(batch.c.id))
            if state != "ready":
                tried = {"batch_id": made, "number": 1, "body_sha": "", "started_at": started}
                connection.execute(sa.insert(attempt).values(tried))
        return folder

    return make


def slugs(shelf: ArchiveRepository) -> list[str]:
    return [issue.slug for issue in shelf.list_public_issues(NOW)]


@pytest.mark.parametrize(
    ("values", "there"),
    [
        ({}, True),
        ({"state": "unknown"}, True),
        ({"state": "ready"}, False),
        ({"state": "rejected"}, False),
        ({"front": "draft: true"}, False),
        ({"scheduled_at": NOW + HOUR}, False),
        ({"scheduled_at": NOW}, True),
        ({"scheduled_at": NOW - HOUR, "recalled_at": NOW - 2 * HOUR}, False),
        ({"front": "archive: unlisted"}, True),
        ({"front": "archive: private"}, False),
        ({"front": "tags: {"}, False),
    ],
    ids=str,
)
def test_what_has_a_page(
    shelf: ArchiveRepository, sending: Sending, values: dict[str, object], *, there: bool
) -> None:
    sending("2026-11-01-first")
    sending("2026-11-30-ice", **values)
    assert set(slugs(shelf)) == ({"first", "ice"} if there else {"first"})


def test_the_latest_is_first_and_unlisted_ones_are_in_no_index(
    shelf: ArchiveRepository, sending: Sending
) -> None:
    sending("2026-11-01-older", started=NOW - 3 * HOUR)
    sending("2026-11-02-hidden", started=NOW - 2 * HOUR, front="archive: unlisted")
    sending("2026-11-03-newer", started=NOW - HOUR)
    assert slugs(shelf) == ["newer", "hidden", "older"]
    assert [issue.slug for issue in filter_listed_issues(shelf.list_public_issues(NOW))] == [
        "newer",
        "older",
    ]


def test_a_folder_without_a_send_has_no_page(shelf: ArchiveRepository, sending: Sending) -> None:
    sending("2026-11-01-sent")
    mine = sending("2026-11-02-gone")
    mine.rename(mine.with_name("2026-11-03-written"))
    assert slugs(shelf) == ["sent"]


def test_a_correction_shows_and_a_mistake_is_told(
    shelf: ArchiveRepository, sending: Sending, caplog: pytest.LogCaptureFixture
) -> None:
    post = sending("2026-11-01-ice") / "post.md"
    sending("2026-11-02-fire")
    assert "Words" in shelf.list_public_issues(NOW)[-1].html
    post.write_text("---\ntitle: Ice\n---\nBetter words than before.\n")
    assert "Better" in next(one.html for one in shelf.list_public_issues(NOW) if one.slug == "ice")
    with caplog.at_level(logging.WARNING):
        post.write_text("---\ntitle: [\n---\nx\n")
        assert slugs(shelf) == ["fire"]
    assert "2026-11-01-ice" in caplog.text


def test_an_issue_is_read_once(shelf: ArchiveRepository, sending: Sending) -> None:
    sending("2026-11-01-ice")
    assert shelf.list_public_issues(NOW)[0] is shelf.list_public_issues(NOW)[0]


def test_images_of_private_and_of_coming_issues_are_there_for_the_mail(
    shelf: ArchiveRepository, sending: Sending
) -> None:
    private = sending("2026-11-01-ours", front="archive: private")
    coming = sending("2026-11-02-coming", state="ready")
    assert shelf.find_images_folder("ours") == private
    assert shelf.find_images_folder("coming") == coming
    assert shelf.find_images_folder("no") is None


def test_images_of_a_test_copy_are_there_before_the_send(
    shelf: ArchiveRepository, engine: sa.Engine, project: Project
) -> None:
    name = "2026-11-02-draft"
    assert shelf.find_images_folder("draft") is None
    mark_issue_tested(engine, name)
    mark_issue_tested(engine, name)
    assert shelf.find_images_folder("draft") == project.issues_dir / name
    assert slugs(shelf) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [("ÉTÉ", True), ("ete  l'", True), ("été hiver", False), ("%", False), ("STRASSE", True)],
)
def test_search_minds_neither_case_nor_marks(
    shelf: ArchiveRepository, sending: Sending, query: str, *, found: bool
) -> None:
    folder = sending("2026-11-01-ice")
    (folder / "post.md").write_text("---\ntitle: L'été, Straße\n---\nWords.\n")
    assert bool(search_issue_titles(shelf.list_public_issues(NOW), query)) is found
