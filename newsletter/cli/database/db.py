"""``newsletter db upgrade``: create or migrate the database."""

import click

from newsletter.cli.lazy_group import LazyCommand, LazyGroup
from newsletter.cli.options import json_option
from newsletter.cli.output import echo, print_json

COMMANDS = {
    "upgrade": LazyCommand(f"{__name__}:upgrade_command", "Make or upgrade the database."),
    "adopt": LazyCommand(
        "newsletter.cli.database.adopt:adopt_command", "Send from a database that is a copy."
    ),
    "copy": LazyCommand(
        "newsletter.cli.database.copy:copy_command", "Move everything into another database."
    ),
    "roles": LazyCommand(
        "newsletter.cli.database.roles:roles_command",
        "Print SQL for PostgreSQL roles with the least rights.",
    ),
}


@click.group("db", cls=LazyGroup, lazy=COMMANDS, short_help="Upgrade, adopt or move the database.")
def db_group() -> None:
    """Upgrade the database that newsletter.yml names, adopt it if it is a copy, or move it.

    \b
    Examples:
      newsletter db upgrade
      newsletter db adopt
      newsletter db copy sqlite:///newsletter.db postgresql://me@db.example/notes
      newsletter db roles
    """


@click.command("upgrade", short_help="Make or upgrade the database.")
@json_option
def upgrade_command(*, as_json: bool) -> None:
    """Upgrade the database to the schema of this version of newsletter, or make it.

    Every command does so automatically; run this to do it at a time of your choice. It is
    safe to run twice. A database from a newer version of newsletter is refused.

    \b
    Example:
      newsletter db upgrade
    """
    import sqlalchemy as sa

    from newsletter.db.engine import upgrade_database
    from newsletter.db.errors import redact_database_url
    from newsletter.project import open_project

    project = open_project()
    before, version = upgrade_database(project.config.database, project.root, project.config.id)
    url = redact_database_url(sa.make_url(project.config.database))
    if as_json:
        print_json({"database": url, "before": before, "version": version})
    elif before is None:
        echo(f"{url} was created, at version {version}.", color="green")
    elif before != version:
        echo(f"{url} was upgraded from version {before} to {version}.", color="green")
    else:
        echo(f"{url} is at version {version}: nothing to do.", color="green")
