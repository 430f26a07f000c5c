"""Prometheus metrics of a worker, over a socket; and the dashboard that shows them."""

import datetime
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import urllib3
from prometheus_client.parser import text_string_to_metric_families
from send_scenario import SendScenario

from newsletter.db.schema import batch, send
from newsletter.errors import DatabaseError
from newsletter.sending.lanes.backlog import load_backlog
from newsletter.sending.lanes.worker_records import LIVE_FOR, add_worker
from newsletter.web.monitoring.metrics import serve_metrics
from newsletter.web.server import open_public_socket
from newsletter.worker.worker_context import ActivityCounter
from newsletter.worker.worker_metrics import WorkerMetrics

DOCS = Path(__file__).parents[2] / "docs"
MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


def scrape(metrics: WorkerMetrics) -> dict[str, float]:
    """Return metric -> value, as Prometheus gets it."""
    with open_public_socket("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
    with serve_metrics(metrics.registry, port):
        response = urllib3.request("GET", f"http://127.0.0.1:{port}/metrics", timeout=60)
    assert response.status == 200
    families = text_string_to_metric_families(response.data.decode())
    samples = [sample for family in families for sample in family.samples]
    assert not any(sample.labels for sample in samples)
    return {sample.name: sample.value for sample in samples}


def test_a_workers_own_metrics_and_the_shared_ones(scenario: SendScenario) -> None:
    ledger, counter = scenario.ledger, ActivityCounter()
    metrics = WorkerMetrics(ledger, counter)
    add_worker(ledger, "gone", 16)
    scenario.observer.wait(LIVE_FOR.total_seconds() + 1)
    add_worker(ledger, "both", 16)
    add_worker(ledger, "sends only", 16, does_periodic_jobs=False)
    add_worker(ledger, "periodic jobs only", 0)
    counter.add(requests=2, recipients=1500, request_seconds=0.25)
    with counter.count_lane():
        assert scrape(metrics) == {
            "newsletter_worker_requests_total": 2,
            "newsletter_worker_readers_total": 1500,
            "newsletter_worker_request_seconds_total": 0.25,
            "newsletter_worker_sends": 1,
            "newsletter_unknown_batches": 0,
            "newsletter_in_flight_batches": 0,
            "newsletter_expired_leases": 0,
            "newsletter_lag_seconds": 0,
            "newsletter_live_workers": 2,
            "newsletter_sweepers": 2,
        }
    assert scrape(metrics)["newsletter_worker_sends"] == 0


@pytest.mark.parametrize(
    ("send_values", "batch_values", "backlog"),
    [
        # unknown, in flight, expired, minutes of lag
        ({"state": "running"}, {}, (0, 0, 0, 10)),
        ({"state": "running"}, {"retry_at": -MINUTE}, (0, 0, 0, 1)),
        ({"state": "running"}, {"available_at": -MINUTE, "retry_at": -2 * MINUTE}, (0, 0, 0, 1)),
        ({"state": "running"}, {"retry_at": MINUTE}, (0, 0, 0, 0)),
        ({"state": "paused"}, {}, (0, 0, 0, 0)),
        ({"state": "frozen"}, {}, (0, 0, 0, 0)),
        ({"state": "frozen", "scheduled_at": -MINUTE}, {}, (0, 0, 0, 1)),
        ({"state": "frozen", "scheduled_at": MINUTE}, {}, (0, 0, 0, 0)),
        ({"state": "running"}, {"state": "claimed", "lease_until": MINUTE}, (0, 3, 0, 0)),
        ({"state": "running"}, {"state": "in_flight", "lease_until": -MINUTE}, (0, 0, 3, 0)),
        ({"state": "done"}, {"state": "unknown"}, (3, 0, 0, 0)),
        ({"state": "done"}, {"state": "accepted"}, (0, 0, 0, 0)),
    ],
)  # fmt: skip
def test_the_backlog_is_that_of_the_ledger(
    scenario: SendScenario,
    send_values: dict[str, Any],
    batch_values: dict[str, Any],
    backlog: tuple[int, int, int, int],
) -> None:
    now = scenario.observer.now

    def at(values: dict[str, Any]) -> dict[str, Any]:
        return {
            name: now + value if isinstance(value, datetime.timedelta) else value
            for name, value in values.items()
        }

    with scenario.ledger.engine.begin() as connection:
        connection.execute(sa.update(send).values(at({"frozen_at": -10 * MINUTE, **send_values})))
        if batch_values:
            connection.execute(sa.update(batch).values(at(batch_values)))
    found = load_backlog(scenario.ledger)
    assert (*found[:3], found.lag_seconds / 60) == backlog


def test_without_the_database_a_worker_shows_its_own_metrics(scenario: SendScenario) -> None:
    def be_unreachable(_: sa.Connection) -> datetime.datetime:
        raise DatabaseError("the database can't be reached")

    values = scrape(
        WorkerMetrics(replace(scenario.ledger, clock=be_unreachable), ActivityCounter())
    )
    assert "newsletter_worker_requests_total" in values
    assert "newsletter_unknown_batches" not in values


def test_the_dashboard_and_its_page_show_the_metrics_that_there_are(
    scenario: SendScenario,
) -> None:
    exported = scrape(WorkerMetrics(scenario.ledger, ActivityCounter())).keys()
    dashboard = json.loads((DOCS / "dashboards" / "workers.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert set(re.findall(r"newsletter_\w+", " ".join(expressions))) == exported
    page = (DOCS / "how-to" / "several-machines.md").read_text()
    assert set(re.findall(r"`(newsletter_\w+)`", page)) == exported
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    [variable] = dashboard["templating"]["list"]
    sources = {panel["datasource"]["uid"] for panel in dashboard["panels"]}
    assert sources == {f"${{{variable['name']}}}"}
