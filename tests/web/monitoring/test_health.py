"""What a supervisor and Prometheus are told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import urllib3

from newsletter.db.schema import transactional_email
from newsletter.errors import UsageError
from newsletter.web.app import make_app
from newsletter.web.monitoring.metrics import SiteMetrics, serve_metrics
from newsletter.web.server import open_public_socket
from newsletter.web.site_context import Site


def lose_the_database(site: Site) -> None:
    """Its file becomes something else."""
    site.engine.dispose()
    Path(str(site.engine.url.database)).write_bytes(b"This is no database any more. " * 500)
    for left in site.project.root.glob("newsletter.db-*"):
        left.unlink()


@pytest.fixture
def metrics(site: Site) -> SiteMetrics:
    return SiteMetrics(site)


@pytest.fixture
def prometheus(metrics: SiteMetrics) -> Iterator[str]:
    """Where the metrics are."""
    with open_public_socket("127.0.0.1", 0) as door:
        port = door.getsockname()[1]
    with serve_metrics(metrics, port):
        yield f"http://127.0.0.1:{port}/metrics"


def test_it_is_well(server: Any) -> None:
    for path in ("/healthz", "/readyz"):
        answer = server.get(path)
        assert (answer.status, answer.json()) == (200, {"status": "ok"})
        assert answer.headers["Cache-Control"] == "no-store"


def test_without_its_database_it_lives_but_is_not_ready(site: Site, server: Any) -> None:
    lose_the_database(site)
    answer = server.get("/readyz")
    assert answer.status == 503
    assert answer.json() == {"status": "the database does not answer"}
    assert server.get("/healthz").status == 200


def test_without_its_database_a_page_says_sorry_and_nothing_else(site: Site, server: Any) -> None:
    lose_the_database(site)
    answer = server.get("/u/secret-token")
    assert answer.status == 500
    for word in (b"database", b"secret-token", b"Traceback", b"sqlite", b"/harbour-notes"):
        assert word not in answer.data
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Cache-Control"] == "no-store"


def test_requests_are_counted_by_route(
    site: Site, metrics: SiteMetrics, serve: Any, prometheus: str
) -> None:
    server = serve(make_app(site, metrics=metrics), site.config)
    for path in ("/u/secret-token?email=ada@example.org", "/u/another", "/no-such-page"):
        assert server.get(path).status == 404
    assert server.post("/u/x", b"x" * 64_001).status == 413
    now = site.clock()
    with site.engine.begin() as connection:
        connection.execute(
            sa.insert(transactional_email).values(
                address="ada@example.org", address_key="ada@example.org", kind="confirm",
                window="1", data={}, created_at=now,
            )
        )  # fmt: skip
    told = urllib3.request("GET", prometheus).data.decode()
    assert 'newsletter_requests_total{method="GET",route="/u/{token}",status="404"} 2.0' in told
    assert 'newsletter_requests_total{method="GET",route="none",status="404"} 1.0' in told
    assert 'newsletter_requests_total{method="POST",route="none",status="413"} 1.0' in told
    assert 'newsletter_request_seconds_count{route="/u/{token}"} 2.0' in told
    assert 'newsletter_letters{state="ready"} 1.0' in told
    assert 'newsletter_sends{state="running"} 0.0' in told
    assert "secret-token" not in told
    assert "ada" not in told


def test_requests_are_told_of_without_the_database(site: Site, prometheus: str) -> None:
    lose_the_database(site)
    answer = urllib3.request("GET", prometheus)
    assert answer.status == 200
    assert b"newsletter_request_seconds" in answer.data
    assert b"newsletter_sends{" not in answer.data


def test_the_public_port_knows_no_metrics(server: Any) -> None:
    assert server.get("/metrics").status == 404


def test_a_metrics_port_that_is_taken_is_told_in_words(metrics: SiteMetrics) -> None:
    with (
        open_public_socket("127.0.0.1", 0) as door,
        pytest.raises(UsageError) as told,
        serve_metrics(metrics, door.getsockname()[1]),
    ):
        pass
    assert "--metrics-port" in str(told.value.problems[0].remedy)
