"""Run the public server: socket, uvicorn, background jobs, shutdown."""

import asyncio
import logging
import math
import signal
import socket
from contextlib import ExitStack, suppress
from functools import partial

import sqlalchemy as sa
import uvicorn
from anyio import to_thread
from starlette.applications import Starlette

from newsletter.config import Config
from newsletter.errors import DatabaseChangedError, DatabaseError, UsageError
from newsletter.sending.providers.provider import ProviderClient
from newsletter.web.app import make_app
from newsletter.web.background_jobs import JobRunner, make_background_jobs
from newsletter.web.http.connection_limits import (
    DEFAULT_LIMITS,
    ConnectionCounter,
    ConnectionLimits,
    limit_stalled_writes,
    raise_open_file_limit,
)
from newsletter.web.http.http_protocol import LimitedHttpProtocol
from newsletter.web.monitoring.metrics import SiteMetrics, serve_metrics
from newsletter.web.site_context import Site
from newsletter.web.stop_signal import StopSignal

# How long requests in flight may take after the signal to stop.
SHUTDOWN_SECONDS = 30
# Because of the GIL, more threads would make responses later, not faster.
WORKER_THREADS = 12

_log = logging.getLogger(__name__)


def open_public_socket(
    host: str, port: int, limits: ConnectionLimits = DEFAULT_LIMITS
) -> socket.socket:
    """Listen on the port.

    Raises:
        UsageError: it is in use or not permitted.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(
            f"could not listen on {host}:{port}: {reason}", remedy="Choose another port: --port N"
        ) from error
    limit_stalled_writes(listener, limits.stalled_seconds)
    # Inherited by the connections, on which asyncio doesn't set it: without it, the second part of
    # a small response waits up to 40 ms for the client to acknowledge the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def build_uvicorn_config(
    app: Starlette, config: Config, limits: ConnectionLimits = DEFAULT_LIMITS
) -> uvicorn.Config:
    """Return uvicorn's settings for the site.

    Args:
        app: the site.
        config: the newsletter's settings.
        limits: those of each connection and of all.
    """
    counter = ConnectionCounter(limits, config.public.trusted_proxies)
    return uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=list(config.public.trusted_proxies),
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        timeout_keep_alive=math.ceil(limits.head_seconds),
        http=partial(LimitedHttpProtocol, limits=limits, counter=counter),  # type: ignore[arg-type]  # uvicorn calls it like the class
        ws="none",
        backlog=limits.accepted_at_once,
    )


def run_site(
    site: Site, mailer: ProviderClient | None, sock: socket.socket, metrics_port: int | None
) -> DatabaseChangedError | None:
    """Serve until SIGTERM, SIGHUP or Ctrl-C; requests in flight are finished first.

    It stops in the same way, and logs why, once another version has upgraded the database, or
    ``newsletter db copy`` has retired it: what readers then want would be refused for ever.

    Args:
        site: the newsletter.
        mailer: the provider's client; without it, transactional emails and due sends wait.
        sock: from ``open_public_socket``.
        metrics_port: the loopback port for Prometheus; ``None`` for no metrics.

    Returns:
        Why it can't go on; ``None`` if it was told to stop.
    """
    stopping = StopSignal()
    metrics = SiteMetrics(site)
    # uvicorn raises the signal again when it has shut down; the jobs must still be able to finish.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it
        # The terminal was closed. uvicorn doesn't handle this signal.
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    with ExitStack() as stack:
        if metrics_port:
            stack.enter_context(serve_metrics(metrics.registry, metrics_port))
        stack.callback(_save_last_counts, site)
        stack.enter_context(JobRunner(make_background_jobs(site, mailer), stopping))
        limits = DEFAULT_LIMITS.fit_open_files(raise_open_file_limit())
        app = make_app(site, body_timeout=limits.body_seconds, metrics=metrics)
        options = build_uvicorn_config(app, site.config, limits)
        runner = stack.enter_context(asyncio.Runner(loop_factory=options.get_loop_factory()))
        with suppress(KeyboardInterrupt):
            runner.run(_serve(options, sock, stopping))
    return stopping.cause


def _save_last_counts(site: Site) -> None:
    try:
        site.refused_signups.save(site.engine)
    except (DatabaseError, sa.exc.SQLAlchemyError):
        _log.warning("the last counts of refused sign-ups could not be saved")


class _Server(uvicorn.Server):
    """A server that also stops once the background jobs find that it can't go on.

    Args:
        config: uvicorn's settings.
        stopping: set by the jobs.
    """

    def __init__(self, config: uvicorn.Config, stopping: StopSignal) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop; called about every 0.1 seconds."""
        return await super().on_tick(counter) or self._stopping.is_set()


async def _serve(uvicorn_config: uvicorn.Config, sock: socket.socket, stopping: StopSignal) -> None:
    to_thread.current_default_thread_limiter().total_tokens = WORKER_THREADS
    await _Server(uvicorn_config, stopping).serve([sock])
