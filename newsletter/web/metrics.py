"""How much the server does, for Prometheus: no address, token or query is in a label."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.db import reading
from newsletter.db.schema import NOTICE_STATES, SEND_STATES, notice, send
from newsletter.errors import DatabaseError, UsageProblem
from newsletter.web.site import Site

LOOPBACK = "127.0.0.1"
UNROUTED = "none"


class Metrics:
    """What is counted.

    Args:
        site: the newsletter.

    Attributes:
        registry: what Prometheus reads.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "newsletter_requests", "Requests answered.", ("method", "route", "status"),
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "newsletter_request_seconds", "Time to answer.", ("route",), registry=self.registry
        )
        self.registry.register(self)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """What the database holds just now; nothing if it doesn't answer."""
        counted = (
            ("newsletter_letters", "Letters to one reader.", notice, NOTICE_STATES),
            ("newsletter_sends", "Sends.", send, SEND_STATES),
        )
        with suppress(DatabaseError), reading(self._site.engine) as connection:
            for name, what, table, states in counted:
                family = GaugeMetricFamily(name, what, labels=["state"])
                query = sa.select(table.c.state, sa.func.count()).group_by(table.c.state)
                found: dict[str, int] = dict(connection.execute(query).all())
                for state in states:
                    family.add_metric([state], found.get(state, 0))
                yield family


class Watch:
    """Middleware: tells metrics of every request.

    Args:
        app: what comes next.
        metrics: who counts.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, and see what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            spent = time.perf_counter() - started
            self._metrics.answered(scope["method"], route_of(scope), status, spent)


def route_of(scope: Scope) -> str:
    """The pattern that a request's path met: no token is in it."""
    return getattr(scope.get("route"), "path", UNROUTED)


@contextmanager
def serve_metrics(metrics: Metrics, port: int) -> Iterator[None]:
    """Answer Prometheus on a port of this machine.

    Raises:
        UsageProblem: the port is taken.
    """
    try:
        server, thread = start_http_server(port, addr=LOOPBACK, registry=metrics.registry)
    except OSError as error:
        raise UsageProblem(
            f"port {port} can't be listened at: {(error.strerror or str(error)).lower()}",
            remedy="Take another: --metrics-port N",
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
