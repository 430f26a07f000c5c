"""Which sends a lane may send, and what it counts."""

import datetime
from dataclasses import replace
from typing import Any, cast

import pytest
import sqlalchemy as sa
from send_scenario import SendScenario
from sender_process import PER_BATCH, READERS, SenderProject

from newsletter.db import database_engine
from newsletter.db.schema import send
from newsletter.project import open_project
from newsletter.sending.delivery.worker_pool import TransportResult
from newsletter.sending.ledger.record import Ledger
from newsletter.sending.providers.registry import get_provider
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.web.site_context import open_site
from newsletter.worker.lane import LaneObserver, may_run, run_lane
from newsletter.worker.worker_context import WorkerContext

MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


def test_a_lane_starts_a_scheduled_send_only_once_it_is_due(scenario: SendScenario) -> None:
    now = scenario.observer.now
    cases = {
        ("running", None): True,
        ("running", now - MINUTE): True,
        ("frozen", None): False,
        ("frozen", now): True,
        ("frozen", now + MINUTE): False,  # it was moved after the lane had been deferred
        ("paused", now): False,
        ("done", None): False,
    }
    for (state, scheduled_at), expected in cases.items():
        send = replace(scenario.send(), state=state, scheduled_at=scheduled_at)
        assert may_run(send, now) is expected, (state, scheduled_at)
    held = replace(scenario.send(), state="frozen", scheduled_at=now, provider_batch_id="held")
    assert not may_run(held, now)


def test_a_lane_is_counted_as_long_as_it_runs_and_logs_why_it_has_stopped_the_send(
    sender_project: SenderProject,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sender_project.write_issue("2026-12-01-letter")
    code, output = sender_project.run("plan", "2026-12-01-letter")
    assert code == 0, output
    send_id = int(sender_project.send_id("2026-12-01-letter"))
    environment = {
        "SENDGRID_API_KEY": sender_project.double.key,
        "SENDGRID_HOST": sender_project.double.url,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    project = open_project(sender_project.folder)
    lane_counts = set()
    with (
        database_engine(sender_project.url, sender_project.folder) as engine,
        get_provider(project.config).connect(environment) as client,
    ):

        class Transport:
            def post_mail(self, body: bytes) -> TransportResult:
                lane_counts.add(worker.counter.get_lane_count())
                return client.post_mail(body)

        transport: Any = Transport()
        worker = WorkerContext(open_site(project, engine), Ledger(engine), transport, 2)
        sender_project.double.inject_faults(faults.error_response(401, "no such key"))
        for _ in range(2):
            with engine.begin() as connection:
                connection.execute(sa.update(send).values(state="running"))
            run_lane(worker, send_id)
    assert "was stopped: no such key. Check SENDGRID_API_KEY" in caplog.text
    assert lane_counts == {1}
    assert worker.counter.get_lane_count() == 0
    assert worker.counter.get_total()[:2] == (READERS / PER_BATCH + 1, READERS)
    assert sender_project.states("2026-12-01-letter") == {"accepted": READERS}


def test_the_log_names_no_reader(caplog: pytest.LogCaptureFixture) -> None:
    observer = LaneObserver(cast("WorkerContext", None), "2026-12-01-letter")
    observer.notify("batch 1: SendGrid refused 1 of 5 readers: ada@example.com is not valid")
    assert "SendGrid refused 1 of 5 readers" in caplog.text
    assert "ada" not in caplog.text
