"""``newsletter serve``: run the web server of the public site."""

import logging
import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from newsletter.cli.connection_budget import print_connection_budget
from newsletter.cli.output import echo, echo_err, format_fields
from newsletter.cli.project_database import COMMAND_CONNECTIONS, open_project_database
from newsletter.errors import Location

if TYPE_CHECKING:
    import sqlalchemy as sa

    from newsletter.config import Config
    from newsletter.project import Project
    from newsletter.web.deployment import DeploymentFile

_log = logging.getLogger(__name__)


@click.command(
    "serve", short_help="Serve the public pages: sign-up, unsubscribe, archive, webhook."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True,
              metavar="N", help="Port to listen on; 0 for any free port.")  # fmt: skip
@click.option(
    "--metrics-port",
    type=click.IntRange(1, 65535),
    metavar="N",
    help="Port for Prometheus metrics, on this machine only.",
)
@click.option(
    "--print",
    "printed",
    type=click.Choice(["systemd", "caddy", "compose"]),
    help="Print a file that runs this newsletter's server, instead of running it.",
)
def serve_command(*, host: str, port: int, metrics_port: int | None, printed: str | None) -> None:
    """Serve the newsletter's public pages, its webhook and its schedule on one port.

    Put it behind a proxy that serves public_url over HTTPS. It logs to standard error,
    one JSON object per line, without addresses. SIGTERM or Ctrl-C stops it after the
    requests in progress. If another version upgrades the database, or db copy retires it,
    it says so, stops in the same way and ends with 1.

    With --print, a systemd unit, a Caddyfile or a Compose file for this newsletter is
    printed: with its folder, user, port and domain, and without any secret.

    \b
    Examples:
      newsletter serve --port 8000 --metrics-port 9100
      newsletter serve --print systemd
    """
    from newsletter.db.engine import POOL_SIZE
    from newsletter.db.identity import find_retirement
    from newsletter.project import open_project
    from newsletter.sending.providers.registry import get_provider
    from newsletter.web.monitoring.request_log import configure_stderr_logging
    from newsletter.web.server import open_public_socket, run_site
    from newsletter.web.site_context import open_site

    project = open_project()
    if printed:
        _print_deployment_file(project, printed, host, port, metrics_port)
        return
    config = project.config
    with_key = bool(os.environ.get("SENDGRID_API_KEY"))
    with (
        open_project_database(project, POOL_SIZE) as engine,
        open_public_socket(host, port) as listener,
    ):
        if retired := find_retirement(engine):
            raise retired
        _check_database(engine, config.id)
        site = open_site(project, engine)
        connection = get_provider(config).connect(os.environ) if with_key else nullcontext()
        with connection as client:
            _print_startup(config, host, listener.getsockname()[1], with_key=with_key)
            if engine.dialect.name == "postgresql":
                # Due sends are started in a process of its own.
                print_connection_budget(
                    engine,
                    POOL_SIZE + with_key * COMMAND_CONNECTIONS,
                    lambda text: echo_err(text, color="yellow"),
                )
            configure_stderr_logging()
            cause = run_site(site, client, listener, metrics_port)
            _log.info("stopped")
            if cause:  # it is in the log
                raise SystemExit(1)


def _print_deployment_file(
    project: "Project", kind: str, host: str, port: int, metrics_port: int | None
) -> None:
    from newsletter.web import deployment

    make_file = {
        "systemd": deployment.make_systemd_unit,
        "caddy": deployment.make_caddyfile,
        "compose": deployment.make_compose_file,
    }[kind]
    print_deployment_file(
        make_file(deployment.describe_deployment(project, host, port, metrics_port))
    )


def print_deployment_file(file: "DeploymentFile") -> None:
    """Print a file to standard output; what would keep it from working, to standard error."""
    click.echo(file.text, nl=False)
    for warning in file.warnings:
        echo_err(f"newsletter: {warning}", color="yellow")
    echo_err(f"Next: {file.next_step}")


def _check_database(engine: "sa.Engine", newsletter_id: str) -> None:
    """Refuse a database that can't be written: who signs up or unsubscribes would see an error.

    Raises:
        DatabaseError: it belongs to another newsletter, or the role only reads.
    """
    from newsletter.db import read_transaction
    from newsletter.db.errors import redact_database_url
    from newsletter.db.identity import other_owner_error, read_owner
    from newsletter.db.postgresql.privileges import require_insert
    from newsletter.db.schema import journal

    where = Location(redact_database_url(engine.url))
    with read_transaction(engine) as connection:
        owner = read_owner(connection)
    if newsletter_id and owner not in {"", newsletter_id}:
        raise other_owner_error(owner, where)
    require_insert(
        engine,
        journal,
        where,
        "record who signs up or unsubscribes",
        "Serve as the role of the site or of the editor: newsletter db roles prints what they may "
        "do.",
    )


def _print_startup(config: "Config", host: str, port: int, *, with_key: bool) -> None:
    url_host = f"[{host}]" if ":" in host else host
    echo(f"{config.name} answers at http://{url_host}:{port}/   (Ctrl-C to stop)")
    public_url = config.public_url or "not set: public_url in newsletter.yml"
    echo(format_fields([("public URL", public_url)]))
    if not with_key:
        echo_err("SENDGRID_API_KEY is not set: confirmations and scheduled sends wait.")
    if not config.public_url:
        echo_err("Without public_url no email links to this site: set it before the next issue.")
    if config.sendgrid.webhook_unsigned:
        echo_err("sendgrid.webhook_unsigned is on: events are accepted from anybody.")
    elif not config.sendgrid.webhook_key:
        echo_err("The webhook rejects all events until sendgrid.webhook_key is set.")
