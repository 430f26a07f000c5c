"""Health checks and Prometheus metrics, with and without a database."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import urllib3

from newsletter.db.schema import transactional_email
from newsletter.errors import UsageError
from newsletter.web.app import make_app
from newsletter.web.http.connection_limits import ConnectionLimits
from newsletter.web.monitoring.metrics import SiteMetrics, serve_metrics
from newsletter.web.server import open_public_socket
from newsletter.web.site_context import Site


def corrupt_database(site: Site) -> None:
    """Overwrite the database file with something else."""
    site.engine.dispose()
    Path(str(site.engine.url.database)).write_bytes(b"This is no database any more. " * 500)
    for file in site.project.root.glob("newsletter.db-*"):
        file.unlink()


@pytest.fixture
def metrics(site: Site) -> SiteMetrics:
    return SiteMetrics(site)


@pytest.fixture
def prometheus(metrics: SiteMetrics) -> Iterator[str]:
    """The URL of the metrics."""
    with open_public_socket("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
    with serve_metrics(metrics.registry, port):
        yield f"http://127.0.0.1:{port}/metrics"


def test_healthy_server_is_live_and_ready(server: Any) -> None:
    for path in ("/healthz", "/readyz"):
        response = server.get(path)
        assert (response.status, response.json()) == (200, {"status": "ok"})
        assert response.headers["Cache-Control"] == "no-store"


def test_without_a_database_it_is_live_but_not_ready(site: Site, server: Any) -> None:
    corrupt_database(site)
    response = server.get("/readyz")
    assert response.status == 503
    assert response.json() == {"status": "the database can't be reached"}
    assert server.get("/healthz").status == 200


def test_without_a_database_a_page_reveals_nothing(site: Site, server: Any) -> None:
    corrupt_database(site)
    response = server.get("/u/secret-token")
    assert response.status == 500
    for word in (b"database", b"secret-token", b"Traceback", b"sqlite", b"/harbour-notes"):
        assert word not in response.data
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert response.headers["Cache-Control"] == "no-store"


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
                address="ada@example.org",
                address_key="ada@example.org",
                kind="confirm",
                window="1",
                data={},
                created_at=now,
            )
        )
    text = urllib3.request("GET", prometheus, timeout=60).data.decode()
    assert 'newsletter_requests_total{method="GET",route="/u/{token}",status="404"} 2.0' in text
    assert 'newsletter_requests_total{method="GET",route="none",status="404"} 1.0' in text
    assert 'newsletter_requests_total{method="POST",route="none",status="413"} 1.0' in text
    assert 'newsletter_request_seconds_count{route="/u/{token}"} 2.0' in text
    assert 'newsletter_letters{state="ready"} 1.0' in text
    assert 'newsletter_sends{state="running"} 0.0' in text
    assert "secret-token" not in text
    assert "ada" not in text


def test_requests_are_reported_without_a_database(site: Site, prometheus: str) -> None:
    corrupt_database(site)
    response = urllib3.request("GET", prometheus, timeout=60)
    assert response.status == 200
    assert b"newsletter_request_seconds" in response.data
    assert b"newsletter_sends{" not in response.data


def test_public_port_serves_no_metrics(server: Any) -> None:
    assert server.get("/metrics").status == 404


def test_metrics_port_in_use_is_reported(metrics: SiteMetrics) -> None:
    with (
        open_public_socket("127.0.0.1", 0) as sock,
        pytest.raises(UsageError) as error,
        serve_metrics(metrics.registry, sock.getsockname()[1]),
    ):
        pass
    assert "--metrics-port" in str(error.value.problems[0].remedy)


def test_silent_client_of_the_metrics_is_cut(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    with (
        serve_metrics(SiteMetrics(site).registry, port, ConnectionLimits(head_seconds=0.2)),
        socket.create_connection(("127.0.0.1", port), timeout=20) as client,
    ):
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost")
        assert client.recv(100) == b""
