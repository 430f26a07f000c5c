"""Background jobs: due sends, cleanup, retries after errors."""

import datetime
import logging
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from notify_recorder import NotifyRecorder
from ready_to_send import READERS, Cli

from newsletter.backup.retired_database import retire
from newsletter.db import database_engine
from newsletter.db.postgresql.recipient_partitions import (
    attach_partition,
    create_partition,
    has_partition,
)
from newsletter.db.schema import VERSION_TABLE, send
from newsletter.db.sqlite_copy import back_up
from newsletter.errors import DatabaseChangedError, DatabaseError
from newsletter.events.unreadable_item import make_unreadable_item
from newsletter.events.unreadable_store import (
    RETENTION,
    record_unreadable,
    summarize_unreadable,
)
from newsletter.project import open_project
from newsletter.sending.ledger.find_sends import open_ledger
from newsletter.sending.ledger.heartbeat import load_heartbeats
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.transactional_queue import enqueue_email
from newsletter.subscribers.address import parse_address
from newsletter.web.background_jobs import (
    BackgroundJob,
    JobRunner,
    clean_up,
    make_background_jobs,
    require_same_database,
)
from newsletter.web.site_context import Site, open_site
from newsletter.web.stop_signal import StopSignal


def test_due_send_is_run_in_its_own_process(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    (project_folder / "boat.md").write_text("# The boat\n\nIt came on Monday.\n")
    now = datetime.datetime.now(datetime.UTC)
    at = (now + datetime.timedelta(hours=5)).isoformat(timespec="minutes")
    assert newsletter("send", "--yes", "--at", at, "--local")[0] == 0
    project = open_project(project_folder)
    with (
        database_engine(project.config.database, project.root) as engine,
        closing(SendGridClient(fake_sendgrid.key, project.config.sendgrid)) as mailer,
    ):
        site = open_site(project, engine)
        jobs = {job.name: job for job in make_background_jobs(site, mailer)}
        due_sends = jobs["due sends"]
        assert due_sends.run() is None
        assert fake_sendgrid.requests == []
        with engine.begin() as connection:
            hour_ago = now - datetime.timedelta(hours=1)
            connection.execute(sa.update(send).values(scheduled_at=hour_ago))
        assert due_sends.run() == 0
        assert len(fake_sendgrid.accepted) == READERS
        assert due_sends.run() is None
        with engine.connect() as connection:
            assert connection.scalars(sa.select(send.c.state)).all() == ["done"]
        # The process that the server starts is no cron.
        assert load_heartbeats(open_ledger(engine, project.config)) == ()
        jobs["heartbeat"].run()
        (heartbeat,) = load_heartbeats(open_ledger(engine, project.config))
        assert (heartbeat.starter, heartbeat.is_recent) == ("serve", True)
    at = (now + datetime.timedelta(hours=6)).isoformat(timespec="minutes")
    newsletter("import", "boat.md", "--date", "2026-12-08")
    code, _, err = newsletter("send", "boat", "--yes", "--at", at)
    assert code == 0, err
    assert "newsletter serve was seen 1 minute ago" in err


@pytest.mark.parametrize("has_temporary_folder", [True, False])
def test_failure_of_a_due_send_is_logged_with_its_cause(
    newsletter: Cli,
    fake_sendgrid: FakeSendGrid,
    project_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    has_temporary_folder: bool,
) -> None:
    assert newsletter("send", "--yes", "--at", "2099-12-01 09:00", "--local")[0] == 0
    monkeypatch.delenv("SENDGRID_API_KEY")
    if not has_temporary_folder:
        monkeypatch.setattr("tempfile.tempdir", str(project_folder / "missing"))
    project = open_project(project_folder)
    with (
        database_engine(project.config.database, project.root) as engine,
        closing(SendGridClient(fake_sendgrid.key, project.config.sendgrid)) as mailer,
    ):
        with engine.begin() as connection:
            hour_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
            connection.execute(sa.update(send).values(scheduled_at=hour_ago))
        jobs = make_background_jobs(open_site(project, engine), mailer)
        [due_sends] = [job for job in jobs if job.name == "due sends"]
        assert due_sends.run() == 1
    [message] = [text for text in caplog.messages if text.startswith("due sends: exit code 1")]
    assert ("no API key: SENDGRID_API_KEY is not set" in message) == has_temporary_folder


def test_email_queued_in_the_original_is_not_sent_by_a_copy(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path, tmp_path: Path
) -> None:
    assert newsletter("status")[0] == 0
    project, now = open_project(project_folder), datetime.datetime.now(datetime.UTC)
    address, day = parse_address("ada@example.com"), datetime.timedelta(days=1)
    data = {"name": "Ada", "source": "", "wording": ""}
    with database_engine(project.config.database, project.root) as engine:
        with engine.begin() as connection:
            enqueue_email(connection, "confirm", address, data, now, day)
        back_up(project_folder / "newsletter.db", tmp_path / "newsletter.db")
    with closing(SendGridClient(fake_sendgrid.key, project.config.sendgrid)) as mailer:
        for folder, sent in ((tmp_path, 0), (project_folder, 1)):
            with database_engine(project.config.database, folder) as engine:
                jobs = make_background_jobs(open_site(project, engine), mailer)
                [emails] = [job for job in jobs if job.name == "transactional emails"]
                assert emails.run() == sent
    assert [email.address for email in fake_sendgrid.accepted] == ["ada@example.com"]


def test_send_without_events_is_told_without_a_mailer(
    newsletter: Cli, recorder: NotifyRecorder, project_folder: Path
) -> None:
    settings = (project_folder / "newsletter.yml").read_text()
    settings = settings.replace("sendgrid:\n", "sendgrid:\n  webhook_unsigned: true\n")
    notify = f"notify:\n  command: {recorder.command}\n"
    (project_folder / "newsletter.yml").write_text(settings + notify)
    assert newsletter("send", "--yes")[0] == 0
    project = open_project(project_folder)
    with database_engine(project.config.database, project.root) as engine:
        site = open_site(project, engine)
        [job] = [job for job in make_background_jobs(site, None) if job.name == "notifications"]
        job.run()
        assert recorder.kinds == []
        with engine.begin() as connection:
            long_ago = site.clock() - datetime.timedelta(hours=7)
            connection.execute(sa.update(send).values(finished_at=long_ago))
        job.run()
        job.run()
    assert recorder.kinds == ["no_events"]


def test_without_a_mailer_only_jobs_that_send_nothing_run(site: Site) -> None:
    without = [job.name for job in make_background_jobs(site, None)]
    assert without == ["cleanup", "refused sign-ups", "erasures", "database check"]
    with closing(SendGridClient("SG.key", site.config.sendgrid)) as mailer:
        assert {job.name for job in make_background_jobs(site, mailer)} == {
            *without,
            "transactional emails",
            "due sends",
            "heartbeat",
        }


def test_cleanup_deletes_old_unreadable_events(site: Site) -> None:
    item = make_unreadable_item(b"7", "it is not a JSON object")
    with site.engine.begin() as connection:
        record_unreadable(connection, [item], site.clock() - RETENTION)
    cleanup, *_ = make_background_jobs(site, None)
    cleanup.run()
    with site.engine.connect() as connection:
        assert summarize_unreadable(connection).total == 0


def test_cleanup_drops_the_tables_of_large_sends_that_are_gone(
    project_folder: Path, postgres_url: str
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    values = {"issue": "2026-12-01-ice", "state": "done", "content_sha": "", "subject": "",
              "total": 0, "excluded": {}, "frozen_at": now}  # fmt: skip
    with database_engine(postgres_url, project_folder) as engine:
        with engine.begin() as connection:
            kept = connection.scalar(sa.insert(send).values(values).returning(send.c.id))
            ids = [kept, kept + 1]
            for send_id in ids:
                create_partition(connection, send_id)
                attach_partition(connection, send_id)
        clean_up(open_site(open_project(project_folder), engine))
        with engine.connect() as connection:
            assert [has_partition(connection, send_id) for send_id in ids] == [True, False]


def test_failing_job_is_retried_and_does_not_block_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failed = threading.Semaphore(0)
    other = threading.Event()

    def fail() -> None:
        failed.release()
        raise OSError("ada@example.org")

    with (
        caplog.at_level(logging.ERROR),
        JobRunner(
            [BackgroundJob("failing", 0.0, fail), BackgroundJob("other", 60.0, other.set)],
            StopSignal(),
        ),
    ):
        assert all(failed.acquire(timeout=60) for _ in range(3))
        assert other.wait(10)
    assert "background job failed and will be retried: failing" in caplog.messages
    # After the context manager's exit no job runs any more, however long its interval.
    assert {"failing", "other"}.isdisjoint(thread.name for thread in threading.enumerate())


def test_job_that_is_refused_says_why(caplog: pytest.LogCaptureFixture) -> None:
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise DatabaseError("the role may not do this", remedy="Tell ada@example.org.")

    jobs = [BackgroundJob("refused", 60.0, fail)]
    with caplog.at_level(logging.ERROR), JobRunner(jobs, StopSignal()):
        assert failed.wait(60)
    [record] = caplog.records
    assert record.getMessage() == (
        "background job failed and will be retried: refused: the role may not do this. Tell …"
    )
    assert not record.exc_info


def upgrade(connection: sa.Connection) -> None:
    version = sa.table(VERSION_TABLE, sa.column("version_num"))
    connection.execute(sa.update(version).values(version_num="9999"))


def copy_elsewhere(connection: sa.Connection) -> None:
    retire(connection, {"url": "postgresql://db2/list", "at": "2026-12-01T09:00", "token": "t"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (upgrade, "to schema version 9999"),
        (copy_elsewhere, "retired. Set database: in newsletter.yml to the other one"),
    ],
)
def test_jobs_stop_once_the_database_is_not_one_for_them_any_more_and_say_why_once(
    engine: sa.Engine,
    change: Callable[[sa.Connection], None],
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    require_same_database(engine)  # it still is
    with engine.begin() as connection:
        change(connection)
    stopping = StopSignal()
    jobs = [BackgroundJob(str(n), 60.0, lambda: require_same_database(engine)) for n in range(3)]
    with JobRunner(jobs, stopping):
        assert stopping.wait(60)
    [record] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert (record.levelname, words in record.message) == ("ERROR", True)
    assert isinstance(stopping.cause, DatabaseChangedError)
