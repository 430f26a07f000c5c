"""Prometheus metrics: requests, refused sign-ups, emails, sends.

No address, token or query is in a label.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Histogram, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import ThreadingWSGIServer

from newsletter.db import read_transaction
from newsletter.db.schema import SEND_STATES, TRANSACTIONAL_EMAIL_STATES, send, transactional_email
from newsletter.errors import DatabaseError, UsageError
from newsletter.web.http.connection_limits import DEFAULT_LIMITS, ConnectionLimits
from newsletter.web.site_context import Site

LOOPBACK = "127.0.0.1"


class SiteMetrics:
    """The site's Prometheus metrics: counters of requests, gauges of database rows.

    Args:
        site: the newsletter.

    Attributes:
        registry: the registry that Prometheus scrapes.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "newsletter_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "newsletter_request_seconds", "Time to answer.", ("route",), registry=self.registry
        )
        self.registry.register(self)

    def record_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request and its duration."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """Yield the refused sign-ups, and what is in the database if it can be reached."""
        refused = CounterMetricFamily(
            "newsletter_refused_signups", "Sign-ups refused or never confirmed.", labels=["reason"]
        )
        for reason, signups in self._site.refused_signups.load_totals().items():
            refused.add_metric([reason], signups)
        yield refused
        tables = (
            (
                "newsletter_letters",
                "Transactional emails.",
                transactional_email,
                TRANSACTIONAL_EMAIL_STATES,
            ),
            ("newsletter_sends", "Sends.", send, SEND_STATES),
        )
        with suppress(DatabaseError), read_transaction(self._site.engine) as connection:
            for name, description, table, states in tables:
                family = GaugeMetricFamily(name, description, labels=["state"])
                query = sa.select(table.c.state, sa.func.count()).group_by(table.c.state)
                counts: dict[str, int] = dict(connection.execute(query).all())
                for state in states:
                    family.add_metric([state], counts.get(state, 0))
                yield family


@contextmanager
def serve_metrics(
    registry: CollectorRegistry, port: int, limits: ConnectionLimits = DEFAULT_LIMITS
) -> Iterator[None]:
    """Serve the metrics of a registry to Prometheus on a loopback port.

    Each connection has a thread and an open file, until its client has been silent for too long.

    Raises:
        UsageError: the port can't be used.
    """

    class Handler(WSGIRequestHandler):
        timeout = limits.head_seconds

        def log_message(self, *_: Any) -> None:
            pass

    try:
        server = make_server(LOOPBACK, port, make_wsgi_app(registry), ThreadingWSGIServer, Handler)
    except OSError as error:
        raise UsageError(
            f"could not listen on port {port}: {(error.strerror or str(error)).lower()}",
            remedy="Choose another port: --metrics-port N",
        ) from error
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
