"""``newsletter db roles``: print SQL for roles with the least rights."""

import re

import click

from newsletter.cli.output import echo
from newsletter.errors import UsageError


@click.command("roles", short_help="Print SQL for PostgreSQL roles with the least rights.")
@click.option("--prefix", default="newsletter", help="How the roles' names begin.")
def roles_command(*, prefix: str) -> None:
    """Print SQL that makes three roles in PostgreSQL, each with only the rights it needs.

    Run it in the newsletter's database as a superuser, or as the owner if they may make roles:
    once the tables are there, and again after each update. Then make users, and put each
    into its role:

    \b
      newsletter_editor  every command but db upgrade: lists, sends, workers
      newsletter_web     newsletter serve: it can't make a send
      newsletter_reader  reports, lists and status: it can't change anything

    The owner of the tables runs newsletter db upgrade, and nothing else.

    \b
    Example:
      newsletter db roles | psql notes
    """
    from newsletter.db.postgresql.roles import roles_script

    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,39}", prefix):
        raise UsageError(
            f"'{prefix}' can't begin the name of a role",
            remedy="Use lower-case letters, digits and underscores.",
        )
    echo(roles_script(prefix).rstrip())
