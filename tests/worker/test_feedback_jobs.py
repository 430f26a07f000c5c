"""The provider's suppressions and unreadable events get into the list without a command."""

import datetime
import json
import logging
from pathlib import Path

import pytest
import sqlalchemy as sa
from sending_fixtures import FakeObserver

from newsletter.db.schema import subscriber
from newsletter.events.unreadable_item import make_unreadable_item
from newsletter.events.unreadable_store import record_unreadable, summarize_unreadable
from newsletter.project import open_project
from newsletter.sending.ledger.record import Ledger
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.web.site_context import open_site
from newsletter.worker.feedback_jobs import SuppressionSync, retry_unreadable_events
from newsletter.worker.worker_context import WorkerContext

ADDRESS = "ada@example.com"


@pytest.fixture
def worker(
    project_folder: Path, ledger: Ledger, mailer: SendGridClient, observer: FakeObserver
) -> WorkerContext:
    site = open_site(open_project(project_folder), ledger.engine, lambda: observer.now)
    with ledger.engine.begin() as connection:
        origin = ChangeOrigin(observer.now - datetime.timedelta(days=30), "form")
        changes.subscribe(connection, parse_address(ADDRESS), "active", origin)
    return WorkerContext(site, ledger, mailer, 16)


def load_status(worker: WorkerContext) -> str:
    with worker.site.engine.connect() as connection:
        status: str = connection.execute(sa.select(subscriber.c.status)).scalar_one()
    return status


def test_a_sync_marks_who_has_bounced(
    worker: WorkerContext, double: FakeSendGrid, observer: FakeObserver
) -> None:
    double.suppressions.add("bounces", ADDRESS, observer.timestamp() - 60, reason="550 no")
    SuppressionSync(worker).run()
    assert load_status(worker) == "bounced"


def test_a_failure_that_lasts_is_logged_once(
    worker: WorkerContext, double: FakeSendGrid, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "newsletter.worker")
    unauthorized = faults.error_response(401, "the key was revoked")
    forbidden = faults.error_response(403, "access forbidden")
    sync, levels = SuppressionSync(worker), []
    for fault in (unauthorized, unauthorized, forbidden, unauthorized, None, unauthorized):
        caplog.clear()
        if fault:
            double.inject_faults(fault)
        sync.run()
        levels.append([record.levelname for record in caplog.records])
    # A key that may not read them is no failure.
    assert levels == [["WARNING"], [], ["INFO"], [], [], ["WARNING"]]


def test_a_worker_that_is_to_stop_waits_for_nothing(
    worker: WorkerContext, double: FakeSendGrid, caplog: pytest.LogCaptureFixture
) -> None:
    worker.stopping.set()
    double.inject_faults(faults.error_response(500))
    SuppressionSync(worker).run()
    assert caplog.records == []
    assert len(double.suppressions.requested_paths) == 1


def test_events_that_this_version_understands_are_applied(
    worker: WorkerContext, observer: FakeObserver
) -> None:
    event = {
        "email": ADDRESS, "event": "bounce", "type": "bounce", "sg_event_id": "e1",
        "timestamp": int(observer.timestamp()), "status": "5.1.1",
    }  # fmt: skip
    with worker.site.engine.begin() as connection:
        items = [
            make_unreadable_item(json.dumps(entry).encode(), "of an older version")
            for entry in (event, "no event")
        ]
        record_unreadable(connection, items, observer.now)
    retry_unreadable_events(worker)
    assert load_status(worker) == "bounced"
    with worker.site.engine.connect() as connection:
        assert summarize_unreadable(connection).total == 1
