"""``newsletter subscribers remove`` and ``rotate-token``."""

import datetime

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, print_json
from newsletter.cli.project_database import open_project_database


@click.command("remove", short_help="Unsubscribe a reader who asked you to.")
@click.argument("address")
@click.option("--reason", default="", metavar="TEXT", help="Why; the journal keeps it.")
@json_option
def remove_command(address: str, *, reason: str, as_json: bool) -> None:
    """Unsubscribe the reader of ADDRESS, who has asked you to be taken off the list.

    They stay known as unsubscribed, so that no import brings them back. To delete all data of
    a reader, use erase.

    \b
    Example:
      newsletter subscribers remove ada@example.com --reason 'asked by email'
    """
    from newsletter.project import open_project
    from newsletter.subscribers.address import parse_address
    from newsletter.subscribers.consent import changes
    from newsletter.subscribers.consent.journal import ChangeOrigin
    from newsletter.subscribers.gdpr_export import subscriber_not_found_error
    from newsletter.subscribers.importing.rows.row_parser import clean_text

    parsed = parse_address(address)
    now = datetime.datetime.now(datetime.UTC)
    origin = ChangeOrigin(now, "cli", wording=clean_text(reason.strip(), "reason"))
    project = open_project()
    with open_project_database(project) as engine, engine.begin() as connection:
        changed = changes.unsubscribe(connection, parsed.key, origin)
        if changed is None:
            raise subscriber_not_found_error(connection, parsed)
    if as_json:
        print_json({"address": parsed.address, **changed._asdict()})
    elif changed.before == changed.after:
        echo(f"{parsed.address} was {changed.after} already; nothing was changed.")
    else:
        echo(f"{parsed.address} was {changed.before} and is unsubscribed now.", color="green")
        echo(f"To delete all their data: newsletter subscribers erase {parsed.address}")


@click.command("rotate-token", short_help="Give a reader's links a new secret.")
@click.argument("address")
@json_option
def rotate_token_command(address: str, *, as_json: bool) -> None:
    """Give the reader of ADDRESS a new secret for their unsubscribe and preferences links.

    For when they have forwarded an email with its links. The links in the emails that they have
    received stop working; those in the next issue work.

    \b
    Example:
      newsletter subscribers rotate-token ada@example.com
    """
    from newsletter.project import open_project
    from newsletter.subscribers.address import parse_address
    from newsletter.subscribers.consent import changes
    from newsletter.subscribers.gdpr_export import subscriber_not_found_error

    parsed = parse_address(address)
    now = datetime.datetime.now(datetime.UTC)
    project = open_project()
    with open_project_database(project) as engine, engine.begin() as connection:
        if not changes.rotate_token(connection, parsed.key, now):
            raise subscriber_not_found_error(connection, parsed)
    if as_json:
        print_json({"address": parsed.address, "rotated": True})
    else:
        echo(
            f"{parsed.address} has a new token; the links in earlier emails no longer work.",
            color="green",
        )
