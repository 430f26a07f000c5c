"""``newsletter worker``: send from one of several machines."""

import logging
import os
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from newsletter.cli.connection_budget import print_connection_budget
from newsletter.cli.output import echo, format_fields
from newsletter.cli.project_database import open_project_database
from newsletter.cli.web.serve import print_deployment_file
from newsletter.cli.worker.worker_table import describe_missing_workers
from newsletter.errors import Location, SendRefusedError, UsageError
from newsletter.wording import format_count

if TYPE_CHECKING:
    import sqlalchemy as sa

    from newsletter.config import Config
    from newsletter.project import Project

DEFAULT_CONCURRENCY = 16
QUEUE_NAMES = ("sends", "periodic")
MAX_PORT = 65535
_log = logging.getLogger(__name__)


def parse_metrics_port(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> int | None:
    """Return a port, which may be a sum: a unit of systemd can't add its instance's number.

    Raises:
        click.BadParameter: it is not a port.
    """
    if value is None:
        return None
    numbers = value.split("+")
    is_sum = len(numbers) <= 2 and all(re.fullmatch("[0-9]{1,5}", text) for text in numbers)  # noqa: PLR2004
    port = sum(map(int, numbers)) if is_sum else 0
    if not 1 <= port <= MAX_PORT:
        raise click.BadParameter(
            f"'{value}' is not a port. Give a number up to {MAX_PORT}, or one plus the number of "
            "an instance: 9100+2",
            context,
            parameter,
        )
    return port


@click.command("worker", short_help="Send from this machine, too; needs PostgreSQL.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    default=DEFAULT_CONCURRENCY,
    show_default=True,
    metavar="N",
    help="Number of concurrent requests for each send.",
)
@click.option(
    "--queues",
    default=",".join(QUEUE_NAMES),
    show_default=True,
    metavar="NAMES",
    help="What it does: takes part in sends, runs periodic jobs, or both.",
)
@click.option(
    "--metrics-port",
    callback=parse_metrics_port,
    metavar="N",
    help="Port for Prometheus metrics, on this machine only; 9100+2 is 9102.",
)
@click.option(
    "--print",
    "printed",
    type=click.Choice(["systemd"]),
    help="Print a file that runs workers with these options, instead of running one.",
)
def worker_command(
    *, concurrency: int, queues: str, metrics_port: int | None, printed: str | None
) -> None:
    """Send what is planned, together with the workers of other machines.

    Start it on as many machines as you like, each with the same newsletter.yml, a database
    on PostgreSQL and the API key. While one runs, newsletter send leaves the sending to the
    workers. Each batch is claimed by one of them; if a worker is killed, the others take over
    what it had not sent, and what it may have sent is unknown until SendGrid's events tell.

    Workers also start what is scheduled, send confirmations and welcome emails, and take
    over from senders that were killed. SIGTERM or Ctrl-C stops a worker once its requests in
    flight are recorded; the others go on. It logs to standard error, one JSON object per
    line, without addresses; that of a request names the send, the batch and the worker. If
    another version upgrades the database, or db copy retires it, it says so and ends with 1.

    \b
    Examples:
      newsletter worker
      newsletter worker --concurrency 32 --metrics-port 9101
      newsletter worker --print systemd
    """
    from newsletter.db.errors import redact_database_url
    from newsletter.db.postgresql.privileges import require_insert
    from newsletter.db.schema import attempt
    from newsletter.project import open_project
    from newsletter.sending.lanes.worker_records import list_workers
    from newsletter.sending.ledger.find_sends import open_ledger
    from newsletter.sending.planning.preflight import find_resume_problems
    from newsletter.sending.providers.registry import get_provider
    from newsletter.web.monitoring.metrics import serve_metrics
    from newsletter.web.monitoring.request_log import configure_stderr_logging
    from newsletter.web.site_context import open_site
    from newsletter.worker.worker_limits import count_engine_connections, count_worker_connections

    chosen = _parse_queues(queues)
    project = open_project()
    if printed:
        _print_unit(project, concurrency, chosen, metrics_port)
        return
    config = project.config
    has_metrics = metrics_port is not None
    pool_size = count_engine_connections(has_metrics=has_metrics)
    with open_project_database(project, pool_size) as engine:
        if engine.dialect.name != "postgresql":
            raise SendRefusedError(
                "workers need a database on PostgreSQL",
                where=Location("newsletter.yml"),
                remedy="With SQLite, newsletter send and newsletter serve do all this on one "
                "machine. To move the list to PostgreSQL: newsletter db copy -h",
            )
        from newsletter.worker.connections import require_known_job_queue
        from newsletter.worker.kept_record import get_worker_name
        from newsletter.worker.run_worker import run_worker
        from newsletter.worker.worker_context import WorkerContext
        from newsletter.worker.worker_metrics import WorkerMetrics

        where = Location(redact_database_url(engine.url))
        require_insert(
            engine, attempt, where, "send",
            "Run workers as the role of the editor: newsletter db roles prints what it may do.",
        )  # fmt: skip
        require_known_job_queue(engine, where)
        if problems := find_resume_problems(config, os.environ):
            raise SendRefusedError.from_problems(problems)
        site, ledger = open_site(project, engine), open_ledger(engine, config)
        with ExitStack() as stack:
            client = stack.enter_context(get_provider(config).connect(os.environ))
            worker = WorkerContext(site, ledger, client, concurrency)
            if metrics_port:
                metrics = WorkerMetrics(ledger, worker.counter)
                stack.enter_context(serve_metrics(metrics.registry, metrics_port))
            configure_stderr_logging(worker=get_worker_name())
            _warn_of_connections(engine, count_worker_connections(chosen, has_metrics=has_metrics))

            def print_startup() -> None:
                _print_startup(config, where, chosen, concurrency)
                for text in describe_missing_workers(list_workers(ledger)):
                    _log.warning("%s", text)

            run_worker(worker, chosen, print_startup)
            _log.info("stopped")
            if worker.stopping.cause:  # it is in the log
                raise SystemExit(1)


def _print_unit(
    project: "Project", concurrency: int, queues: tuple[str, ...], metrics_port: int | None
) -> None:
    from newsletter.web.deployment import describe_deployment, make_worker_unit

    arguments = []
    if concurrency != DEFAULT_CONCURRENCY:
        arguments += ["--concurrency", str(concurrency)]
    if set(queues) != set(QUEUE_NAMES):
        arguments += ["--queues", ",".join(queues)]
    deployment = describe_deployment(project, "127.0.0.1", 8000, metrics_port)
    print_deployment_file(make_worker_unit(deployment, arguments))


def _parse_queues(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if unknown := [name for name in names if name not in QUEUE_NAMES]:
        raise UsageError(
            f"there is no queue '{unknown[0]}'", remedy=f"There are: {', '.join(QUEUE_NAMES)}."
        )
    if not names:
        raise UsageError("--queues names none", remedy=f"There are: {', '.join(QUEUE_NAMES)}.")
    return names


def _warn_of_connections(engine: "sa.Engine", own: int) -> None:
    """Say if the server has too few connections, or if nothing wakes the worker."""
    from newsletter.worker.connections import receives_notifications

    print_connection_budget(engine, own, lambda text: _log.warning("%s", text))
    if not receives_notifications(engine):
        _log.warning(
            "LISTEN has no effect here, so the worker looks for work only every 5 seconds. A "
            "connection pooler in transaction mode drops it: connect directly, or in session mode."
        )


def _print_startup(
    config: "Config", where: Location, queues: tuple[str, ...], concurrency: int
) -> None:
    from newsletter.worker.kept_record import get_worker_name
    from newsletter.worker.worker_limits import SENDS_AT_ONCE

    work = {
        "sends": f"up to {SENDS_AT_ONCE} at once, {format_count(concurrency, 'request')} each",
        "periodic": "scheduled sends, confirmations, takeover from killed senders",
    }
    rows = [
        ("worker", get_worker_name()),
        ("database", str(where)),
        *((name, work[name]) for name in queues),
    ]
    echo(f"{config.name}: a worker is running   (Ctrl-C to stop)")
    echo(format_fields(rows))
