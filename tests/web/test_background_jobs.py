"""What the server does beside answering."""

import datetime
import logging
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from ready_to_send import READERS, Cli

from newsletter.db import database_engine
from newsletter.db.schema import send
from newsletter.project import open_project
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.web.background_jobs import BackgroundJob, JobRunner, make_background_jobs
from newsletter.web.site_context import Site, open_site


def test_a_send_whose_time_has_come_is_started_in_a_process_of_its_own(
    newsletter: Cli, vendor: FakeSendGrid, project_folder: Path
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    at = (now + datetime.timedelta(hours=5)).isoformat(timespec="minutes")
    assert newsletter("send", "--yes", "--at", at, "--local")[0] == 0
    project = open_project(project_folder)
    with (
        database_engine(project.config.database, project.root) as engine,
        closing(SendGridClient(vendor.key, project.config.sendgrid)) as mailer,
    ):
        site = open_site(project, engine)
        [schedule] = [job for job in make_background_jobs(site, mailer) if job.name == "schedule"]
        assert schedule.run() is None
        assert vendor.requests == []
        with engine.begin() as connection:
            hour_ago = now - datetime.timedelta(hours=1)
            connection.execute(sa.update(send).values(scheduled_at=hour_ago))
        assert schedule.run() == 0
        assert len(vendor.accepted) == READERS
        assert schedule.run() is None
        with engine.connect() as connection:
            assert connection.scalars(sa.select(send.c.state)).all() == ["done"]


def test_without_a_key_nothing_is_posted_and_old_things_are_tidied_away_still(site: Site) -> None:
    assert [job.name for job in make_background_jobs(site, None)] == ["tidy"]
    with closing(SendGridClient("SG.key", site.config.sendgrid)) as mailer:
        assert {job.name for job in make_background_jobs(site, mailer)} == {
            "tidy",
            "letters",
            "schedule",
        }


def test_a_job_that_fails_is_tried_again_and_hinders_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failed = threading.Semaphore(0)
    other = threading.Event()

    def fail() -> None:
        failed.release()
        raise OSError("ada@example.org")

    with (
        caplog.at_level(logging.ERROR),
        JobRunner([BackgroundJob("letters", 0.0, fail), BackgroundJob("tidy", 60.0, other.set)]),
    ):
        assert all(failed.acquire(timeout=60) for _ in range(3))
        assert other.wait(10)
    assert "letters: it is tried again" in caplog.messages
    # When it is left, no job runs any more, however long its pause.
    assert {"letters", "tidy"}.isdisjoint(thread.name for thread in threading.enumerate())
